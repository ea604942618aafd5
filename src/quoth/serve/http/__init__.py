"""The HTTP side of the server: routes, schemas, errors and middleware."""
