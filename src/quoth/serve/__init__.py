"""HTTP API and web page for one reader. Requests share one queue, and their windows are batched together."""
