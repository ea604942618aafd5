"""A sweep: training runs that search for good settings."""
