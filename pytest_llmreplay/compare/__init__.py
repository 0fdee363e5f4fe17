"""Compare V1 with V2 and decide: pairs, statistics, attribution and the gate. No I/O, no clock."""

from pytest_llmreplay.compare.comparison import Comparison, compare_outcomes
from pytest_llmreplay.compare.gate import Decision, decide
from pytest_llmreplay.compare.policy import GatePolicy, Waiver, Waivers
from pytest_llmreplay.compare.ratchet import accept, exit_code, item_verdict, outcome_exit_code
from pytest_llmreplay.compare.red import Confirmation, RedItem
from pytest_llmreplay.compare.rules import JudgeEvidence, RuleResult
from pytest_llmreplay.compare.several import Comparisons, compare_many

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
