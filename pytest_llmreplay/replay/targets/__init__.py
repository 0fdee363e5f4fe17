"""What can answer a case: a model, a callable, a log."""
