"""Why the calls are not the expected ones: one reason for every difference, call too many, or call that is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pytest_llmreplay.checks.assignment import NOBODY, in_order_assignment, positional_assignment
from pytest_llmreplay.checks.comparison import Comparison, Findings, candidates_of, groups_of, indexes_by_name
from pytest_llmreplay.checks.messages import (
    WIDTH,
    actual_repr,
    call_of,
    called_text,
    difference_message,
    expected_repr,
)
from pytest_llmreplay.checks.normal import nfc
from pytest_llmreplay.checks.patterns import Difference
from pytest_llmreplay.checks.shown import LONGEST, cut, safe, typed
from pytest_llmreplay.model.outcome import Reason

_MOST_CANDIDATES = 50
"""More calls of one tool than this are not searched for the one that is meant; it only shapes the message."""


class NearMiss(NamedTuple):
    """A call of the expected tool with other arguments."""

    expected: int
    actual: int
    differences: Sequence[Difference]


def explain_calls(comparison: Comparison, findings: Findings) -> None:
    """Add every reason why calls are missing, too many, wrong, in the wrong order, forbidden or unexpected writes."""
    forbidden = _forbidden(comparison, findings)
    if comparison.stale:
        return
    misses = [] if comparison.fits else _near_misses(comparison)
    misnamed = [] if comparison.fits else _misnamed(comparison, misses)
    if not comparison.fits:
        _explain_order(comparison, findings)
        for miss in misses:
            findings.failures += _differing(comparison, miss)
        for expected, actual in misnamed:
            findings.failures.append(_wrong_name(comparison, expected, actual))
        _explain_missing(comparison, misses, misnamed, findings)
    excused = forbidden | {miss.actual for miss in misses}
    written = [index for index in comparison.unpaired() if index not in excused and _writes(comparison, index)]
    findings.failures += [_unexpected_write(comparison, index) for index in written]
    if not comparison.fits and comparison.expectation.order in ("strict", "any_order", "at_most", "none"):
        excused |= {*written, *(actual for _, actual in misnamed)}
        findings.failures += [_extra(comparison, index) for index in comparison.unpaired() if index not in excused]


def _forbidden(comparison: Comparison, findings: Findings) -> set[int]:
    places = {nfc(name): index for index, name in enumerate(comparison.expectation.forbidden)}
    found = {index for index, call in enumerate(comparison.calls) if call.name in places} if places else set()
    for index in sorted(found):
        call = comparison.calls[index]
        message = f"{call_of(call)} was called, and {safe(call.name)} is forbidden"
        path = f"forbidden[{places[call.name]}]"
        findings.failures.append(Reason("calls", "forbidden_call", message, path, None, call_of(call, LONGEST)))
    return found


def _near_misses(comparison: Comparison) -> list[NearMiss]:
    """Calls of the expected tool beside the expected call that they are most like; each used once."""
    if comparison.unfinished and comparison.expectation.order in ("at_least", "in_order"):
        return []
    unpaired = set(comparison.unpaired())
    by_name = indexes_by_name(comparison.calls)
    possible = [
        NearMiss(expected, actual, comparison.patterns[expected].differences(comparison.calls[actual]))
        for expected in comparison.missing()
        for actual in candidates_of(comparison.patterns[expected], by_name)[:_MOST_CANDIDATES]
        if actual in unpaired
    ]
    chosen: dict[int, NearMiss] = {}
    taken: set[int] = set()
    for miss in sorted(possible, key=lambda m: (len(m.differences), abs(m.expected - m.actual), m.expected)):
        if miss.expected not in chosen and miss.actual not in taken:
            chosen[miss.expected] = miss
            taken.add(miss.actual)
    return [chosen[expected] for expected in sorted(chosen)]


def _misnamed(comparison: Comparison, misses: Sequence[NearMiss]) -> list[tuple[int, int]]:
    """Pairs of what is still missing and what was called instead, when they come out even."""
    if comparison.unfinished or comparison.expectation.order == "at_most":
        return []
    missing = [index for index in comparison.missing() if all(index != miss.expected for miss in misses)]
    unpaired = [index for index in comparison.unpaired() if all(index != miss.actual for miss in misses)]
    return list(zip(missing, unpaired, strict=True)) if len(missing) == len(unpaired) else []


def _explain_order(comparison: Comparison, findings: Findings) -> None:
    order = comparison.expectation.order
    if order not in ("strict", "in_order"):
        return
    groups = groups_of(comparison.calls, parallel=comparison.expectation.parallel == "unordered")
    paired = [[actual] for actual in comparison.partner if actual != NOBODY]
    complete = not comparison.missing() and (order == "in_order" or not comparison.unpaired())
    astray = order == "strict" and comparison.unfinished and not _is_prefix(comparison)
    if complete or astray or in_order_assignment(paired, groups) is None:
        wanted = ", ".join(safe(pattern.name) for pattern in comparison.patterns)
        got = ", ".join(safe(call.name) for call in comparison.calls)
        message = f"the calls came in another order\n  expected {cut(wanted, WIDTH)}\n  actual   {cut(got, WIDTH)}"
        findings.failures.append(
            Reason("calls", "wrong_order", message, "expected", cut(wanted, LONGEST), cut(got, LONGEST))
        )


def _is_prefix(comparison: Comparison) -> bool:
    """Whether the calls are the first of the expected ones, position by position."""
    count = len(comparison.calls)
    edges = [
        [i for i, call in enumerate(comparison.calls) if call.name == pattern.name and not pattern.differences(call)]
        for pattern in comparison.patterns[:count]
    ]
    groups = groups_of(comparison.calls, parallel=comparison.expectation.parallel == "unordered")
    return positional_assignment(edges, groups) is not None


def _differing(comparison: Comparison, miss: NearMiss) -> list[Reason]:
    call = comparison.calls[miss.actual]
    return [
        Reason(
            "calls",
            difference.code,
            difference_message(call, difference),
            safe(f"expected[{miss.expected}].args{f'.{difference.path}' if difference.path else ''}"),
            expected_repr(difference.expected),
            actual_repr(difference),
        )
        for difference in miss.differences
    ]


def _wrong_name(comparison: Comparison, expected: int, actual: int) -> Reason:
    pattern, call = comparison.patterns[expected], comparison.calls[actual]
    message = f"another tool was called\n  expected {pattern.describe()}\n  actual   {call_of(call)}"
    return Reason("calls", "wrong_name", message, f"expected[{expected}].name", typed(pattern.name), typed(call.name))


def _explain_missing(
    comparison: Comparison, misses: Sequence[NearMiss], misnamed: Sequence[tuple[int, int]], findings: Findings
) -> None:
    if comparison.expectation.order == "at_most":
        return
    said = {miss.expected for miss in misses} | {expected for expected, _ in misnamed}
    for index in [index for index in comparison.missing() if index not in said]:
        pattern = comparison.patterns[index]
        path, wanted = f"expected[{index}]", pattern.describe(LONGEST)
        if comparison.unfinished:
            message = f"{pattern.describe()} was not called before the replay stopped"
            findings.unmeasured.append(Reason("calls", "not_reached", message, path, wanted))
        else:
            which = "" if pattern.occurrence is None else f" as occurrence {pattern.occurrence}"
            message = f"{pattern.describe()} was not called{which}\n  {called_text(comparison.calls)}"
            findings.failures.append(Reason("calls", "missing_call", message, path, wanted))


def _writes(comparison: Comparison, index: int) -> bool:
    return comparison.offered.writes(comparison.calls[index].name)


def _unexpected_write(comparison: Comparison, index: int) -> Reason:
    call = comparison.calls[index]
    message = f"{call_of(call)} has side effects and was not expected"
    return Reason("calls", "unexpected_write", message, f"calls[{index}]", None, call_of(call, LONGEST))


def _extra(comparison: Comparison, index: int) -> Reason:
    call = comparison.calls[index]
    expects = "no call is" if comparison.expectation.order == "none" else "it was not"
    message = f"{call_of(call)} was called, but {expects} expected"
    return Reason("calls", "extra_call", message, f"calls[{index}]", None, call_of(call, LONGEST))
