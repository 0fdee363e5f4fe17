"""Triage: which conversations fail more often than chance explains, since when, and whether it is one user or all."""

from pytest_llmreplay.mine.triage.nouns import (
    Change,
    Condition,
    Conversations,
    DayCount,
    Finding,
    Group,
    Routing,
    Share,
    ToolAssociation,
    Triage,
    Verdict,
)

__all__ = [
    "Change",
    "Condition",
    "Conversations",
    "DayCount",
    "Finding",
    "Group",
    "Routing",
    "Share",
    "ToolAssociation",
    "Triage",
    "Verdict",
]
