"""An HTTP API and a page over one reader: many people's questions meet in one queue and go to the engine together."""
