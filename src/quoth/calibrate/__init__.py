"""Fits temperature, odds scale and null threshold of a reader on held-out data."""
