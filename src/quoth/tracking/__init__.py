"""MLflow: a callback for training runs, logged models and the pyfunc that serves them."""
