"""Calls beside the expected ones, with what was paired: the input of everything that gives reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_llmreplay.checks.assignment import NOBODY
from pytest_llmreplay.checks.called import Call
from pytest_llmreplay.checks.compile import CallPattern
from pytest_llmreplay.checks.tool_schema import OfferedTools
from pytest_llmreplay.model.expectation import CallsExpectation
from pytest_llmreplay.model.outcome import Reason


@dataclass(slots=True)
class Findings:
    """Reasons found so far."""

    failures: list[Reason] = field(default_factory=list)
    unmeasured: list[Reason] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Calls beside an expectation.

    `partner` holds the actual index of every expected call, or -1. `fits` says whether the order is as expected and
    nothing is missing. `unfinished`: the replay stopped at an expected call, so what is missing might have come.
    `stale`: an expected tool is not offered, so nothing can be said of the pairing.
    """

    expectation: CallsExpectation
    patterns: Sequence[CallPattern]
    calls: Sequence[Call]
    offered: OfferedTools
    partner: Sequence[int]
    fits: bool
    unfinished: bool
    stale: bool

    def missing(self) -> list[int]:
        """Indexes of the expected calls that no call was paired with."""
        return [index for index, actual in enumerate(self.partner) if actual == NOBODY]

    def unpaired(self) -> list[int]:
        """Indexes of the calls that no expected call was paired with."""
        paired = set(self.partner)
        return [index for index in range(len(self.calls)) if index not in paired]


def groups_of(calls: Sequence[Call], *, parallel: bool) -> list[range]:
    """The indexes of the calls of each assistant message; one call each when `parallel` calls keep their order."""
    groups: list[range] = []
    for index, call in enumerate(calls):
        if parallel and groups and calls[groups[-1].start].group == call.group:
            groups[-1] = range(groups[-1].start, index + 1)
        else:
            groups.append(range(index, index + 1))
    return groups


def indexes_by_name(calls: Sequence[Call]) -> dict[str, list[int]]:
    """For every tool the indexes of its calls."""
    by_name: dict[str, list[int]] = {}
    for index, call in enumerate(calls):
        by_name.setdefault(call.name, []).append(index)
    return by_name


def candidates_of(pattern: CallPattern, by_name: Mapping[str, Sequence[int]]) -> Sequence[int]:
    """The calls that an expected one may be paired with: all of its tool, or the one that `occurrence` names."""
    indexes = by_name.get(pattern.name, ())
    wanted = pattern.occurrence
    if wanted is None:
        return indexes
    if isinstance(wanted, int):
        return indexes[wanted - 1 : wanted]
    return indexes[:1] if wanted == "first" else indexes[-1:]
