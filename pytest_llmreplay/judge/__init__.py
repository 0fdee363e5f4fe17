"""The judge: a model that applies a rubric, under a fixed protocol and with a known error."""
