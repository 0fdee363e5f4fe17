"""The YAML files that people write, and the project they belong to."""
