"""Turn failing production conversations into golden cases and replay them on every variant with pytest."""
