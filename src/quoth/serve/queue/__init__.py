"""The queue between requests and the engine: the batcher and the scheduler."""
