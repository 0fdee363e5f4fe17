"""From a production conversation to a golden case."""

from pytest_llmreplay.promote.expect import expect_from_column, expect_from_file
from pytest_llmreplay.promote.pipeline import Promotion, Step, Stopped, StoppedError, promote, with_status

__all__ = [
    "Promotion",
    "Step",
    "Stopped",
    "StoppedError",
    "expect_from_column",
    "expect_from_file",
    "promote",
    "with_status",
]
