"""The command-line program `pytest-llmreplay`."""
