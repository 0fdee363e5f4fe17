"""Comparing the calls that were made with those that were expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_llmreplay.checks.assignment import (
    NOBODY,
    Edges,
    in_order_assignment,
    longest_common_subsequence,
    maximum_matching,
    positional_assignment,
)
from pytest_llmreplay.checks.called import Call
from pytest_llmreplay.checks.cardinality import count_calls, needed_tools
from pytest_llmreplay.checks.comparison import Comparison, Findings, candidates_of, groups_of, indexes_by_name
from pytest_llmreplay.checks.compile import CallPattern, compile_calls
from pytest_llmreplay.checks.mismatch import explain_calls
from pytest_llmreplay.checks.schema_check import check_against_schemas
from pytest_llmreplay.checks.shown import safe
from pytest_llmreplay.checks.tool_schema import OfferedTools
from pytest_llmreplay.model.expectation import CallsExpectation
from pytest_llmreplay.model.outcome import Reason


@dataclass(frozen=True, slots=True)
class CallsResult:
    """What comparing calls gave.

    `assignment` maps an expected index to the actual index that it was paired with. What is `unmeasured` is neither
    right nor wrong, and does not pass. `edges` says for every expected call which of the `actual_count` calls match it.
    """

    failures: tuple[Reason, ...]
    unmeasured: tuple[Reason, ...]
    assignment: Mapping[int, int]
    edges: Edges
    actual_count: int

    @property
    def diagnostics(self) -> dict[str, float]:
        """Figures that explain and never decide.

        `precision`, `recall` and `f1` of the largest possible pairing, whatever the order, and `lcs`, the length of
        the longest common subsequence.
        """
        edges, count = self.edges, self.actual_count
        pairs = sum(actual != NOBODY for actual in maximum_matching(edges, count))
        return {
            "precision": pairs / count if count else 1.0,
            "recall": pairs / len(edges) if edges else 1.0,
            "f1": 2 * pairs / (len(edges) + count) if edges or count else 1.0,
            "lcs": float(longest_common_subsequence(edges)),
        }

    @property
    def passed(self) -> bool:
        """Whether everything that was expected was measured and holds."""
        return not self.failures and not self.unmeasured

    @property
    def codes(self) -> tuple[str, ...]:
        """The reason codes, each once, failures first."""
        return tuple(dict.fromkeys(reason.code for reason in (*self.failures, *self.unmeasured)))


@dataclass(frozen=True, slots=True)
class CallsCheck:
    """An expectation on calls, compiled for the tools that are offered.

    `stale` has a reason for every tool gone; `counts` is whether calls that are as expected may still be wrong, since
    they are counted, forbidden or have side effects.
    """

    expectation: CallsExpectation
    offered: OfferedTools
    patterns: tuple[CallPattern, ...]
    stale: tuple[Reason, ...]
    counts: bool

    @classmethod
    def of(cls, expectation: CallsExpectation, offered: OfferedTools) -> CallsCheck:
        """Compile an expectation."""
        patterns = compile_calls(expectation, offered)
        capped = expectation.max_calls is not None or expectation.no_repeats or bool(expectation.called)
        counts = capped or bool(expectation.forbidden) or bool(offered.effects)
        return cls(expectation, offered, patterns, _stale(expectation, patterns, offered), counts)

    def compare(self, calls: Sequence[Call], stopped_at: Sequence[int] = ()) -> CallsResult:
        """Compare calls with the expectation.

        Args:
            calls: the calls in scope.
            stopped_at: the indexes of the calls at which the replay stopped, if it did; when all of them were
                expected, calls that are still missing are unmeasured, and failures otherwise.
        """
        edges = _edges(self.patterns, calls)
        matched = maximum_matching(edges, len(calls))
        fitting = _fitting(self.expectation, edges, calls, matched)
        partner = matched if fitting is None else fitting
        findings = Findings(unmeasured=list(self.stale))
        if fitting is None or self.counts:
            unfinished = self._is_unfinished(calls, partner, stopped_at)
            self._explain(calls, partner, findings, fits=fitting is not None, unfinished=unfinished)
        if self.expectation.check_schema:
            invalid = check_against_schemas(calls, self.offered)
            findings.failures += invalid.failures
            findings.unmeasured += invalid.unmeasured
        return CallsResult(
            tuple(findings.failures),
            tuple(findings.unmeasured),
            {expected: actual for expected, actual in enumerate(partner) if actual != NOBODY},
            edges,
            len(calls),
        )

    def _explain(
        self, calls: Sequence[Call], partner: Sequence[int], findings: Findings, *, fits: bool, unfinished: bool
    ) -> None:
        comparison = Comparison(
            self.expectation, self.patterns, calls, self.offered, partner, fits, unfinished, bool(self.stale)
        )
        explain_calls(comparison, findings)
        count_calls(comparison, findings)

    def _is_unfinished(self, calls: Sequence[Call], partner: Sequence[int], stopped_at: Sequence[int]) -> bool:
        needed = needed_tools(self.expectation)
        return bool(stopped_at) and all(index in partner or calls[index].name in needed for index in stopped_at)


def _edges(patterns: Sequence[CallPattern], calls: Sequence[Call]) -> list[list[int]]:
    by_name = indexes_by_name(calls)
    return [
        [index for index in candidates_of(pattern, by_name) if not pattern.differences(calls[index])]
        for pattern in patterns
    ]


def _fitting(
    expectation: CallsExpectation, edges: Edges, calls: Sequence[Call], matched: list[int]
) -> list[int] | None:
    """A pairing under which the calls are as expected, or None when there is none."""
    order = expectation.order
    if order == "none":
        return None if calls else []
    if order in ("strict", "in_order"):
        groups = groups_of(calls, parallel=expectation.parallel == "unordered")
        return positional_assignment(edges, groups) if order == "strict" else in_order_assignment(edges, groups)
    pairs = sum(actual != NOBODY for actual in matched)
    nothing_missing = pairs == len(edges) or order == "at_most"
    nothing_extra = pairs == len(calls) or order == "at_least"
    return matched if nothing_missing and nothing_extra else None


def _stale(expectation: CallsExpectation, patterns: Sequence[CallPattern], offered: OfferedTools) -> tuple[Reason, ...]:
    if offered.schemas is None:
        return ()
    wanted = dict.fromkeys([*(pattern.name for pattern in patterns), *sorted(needed_tools(expectation))])
    return tuple(
        Reason("calls", "stale_tool", f"{safe(name)} is expected, but no longer offered", f"tools.{safe(name)}")
        for name in wanted
        if not offered.offers(name)
    )
