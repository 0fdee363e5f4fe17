"""The YAML files that people write, and the project they belong to."""

from pytest_llmreplay.config.environment import load_environment
from pytest_llmreplay.config.expectations import load_expectations
from pytest_llmreplay.config.judge import load_judge, load_rubric, rubric_of
from pytest_llmreplay.config.project import Project, find_project
from pytest_llmreplay.config.references import fill_environment
from pytest_llmreplay.config.variant import load_variant
from pytest_llmreplay.config.yaml_file import read_yaml

__all__ = [
    "Project",
    "fill_environment",
    "find_project",
    "load_environment",
    "load_expectations",
    "load_judge",
    "load_rubric",
    "load_variant",
    "read_yaml",
    "rubric_of",
]
