"""Compare V1 with V2 and decide: pairs, statistics, attribution and the gate. No I/O, no clock.

The names are imported when they are first used: the ratchet is needed in every session, the rest in few.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_llmreplay.compare.comparison import Comparison, compare_outcomes
    from pytest_llmreplay.compare.gate import Decision, decide
    from pytest_llmreplay.compare.policy import GatePolicy, Waiver, Waivers
    from pytest_llmreplay.compare.ratchet import accept, exit_code, item_verdict, outcome_exit_code
    from pytest_llmreplay.compare.red import Confirmation, RedItem
    from pytest_llmreplay.compare.rules import JudgeEvidence, RuleResult
    from pytest_llmreplay.compare.several import Comparisons, compare_many

_MODULES = {
    "Comparison": "comparison",
    "Comparisons": "several",
    "Confirmation": "red",
    "Decision": "gate",
    "GatePolicy": "policy",
    "JudgeEvidence": "rules",
    "RedItem": "red",
    "RuleResult": "rules",
    "Waiver": "policy",
    "Waivers": "policy",
    "accept": "ratchet",
    "compare_many": "several",
    "compare_outcomes": "comparison",
    "decide": "gate",
    "exit_code": "ratchet",
    "item_verdict": "ratchet",
    "outcome_exit_code": "ratchet",
}

__all__ = [
    "Comparison",
    "Comparisons",
    "Confirmation",
    "Decision",
    "GatePolicy",
    "JudgeEvidence",
    "RedItem",
    "RuleResult",
    "Waiver",
    "Waivers",
    "accept",
    "compare_many",
    "compare_outcomes",
    "decide",
    "exit_code",
    "item_verdict",
    "outcome_exit_code",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
