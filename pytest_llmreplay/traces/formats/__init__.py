"""One file a format: each turns records into calls, steps, scores or whole conversations."""
