"""Deterministic signals of failure: what each means, where it shows, and how a log is searched for them."""

from pytest_llmreplay.mine.signals.registry import (
    builtin_signals,
    chosen,
    entry_point_signals,
    expression_signal,
    with_own,
)
from pytest_llmreplay.mine.signals.scan import evidence, scan
from pytest_llmreplay.mine.signals.signal import Evidence, Found, Shown, Signal, TextDetector

__all__ = [
    "Evidence",
    "Found",
    "Shown",
    "Signal",
    "TextDetector",
    "builtin_signals",
    "chosen",
    "entry_point_signals",
    "evidence",
    "expression_signal",
    "scan",
    "with_own",
]
