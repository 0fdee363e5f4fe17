"""Why a case flipped: the cause of each flip, and flips of one cause read as one line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pytest_llmreplay.compare.pairs import CasePair, Label
from pytest_llmreplay.compare.rows import CaseRows, Row, reasons_of, text
from pytest_llmreplay.model.canonical import canonical_arguments

Cause = Literal["routing", "arguments", "answer", "judge", "limits", "infrastructure", "unknown"]
Call = tuple[str, str]

ARGUMENT_CODES = frozenset(
    {"value_error", "type_error", "missing_argument", "unexpected_argument", "malformed_arguments"}
)
_NAMED_IN_A_LINE = 3
_LONGEST_TEXT = 60


@dataclass(frozen=True, slots=True)
class Flip:
    """One case that came out differently, and why.

    `direction` is `fixed`, `regressed`, or `lost` (one side ended in an error). `cause` is
    `routing`: the calls check says so, or the first call that differs has another name, is missing or is extra;
    `arguments`: the calls have the same names and different arguments; `answer`: the same calls, and the answer (or an
    assertion of one's own) came out differently; `judge`: the same calls and the same answer, another verdict;
    `limits`: the same calls, a limit was passed; `infrastructure`; `unknown`: the rows hold neither calls nor reasons.
    `code` is the reason code of the failing side, `tool` the tool at the first difference, as the passing side called
    it.
    """

    case_id: str
    label: Label
    direction: Literal["fixed", "regressed", "lost"]
    cause: Cause
    code: str | None
    tool: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """Flips in the same direction, with the same cause, code and tool; `line` says it in one line."""

    direction: Literal["fixed", "regressed", "lost"]
    cause: Cause
    code: str | None
    tool: str | None
    case_ids: tuple[str, ...]
    line: str


@dataclass(frozen=True, slots=True)
class _Difference:
    """The first call that differs; `passing` or `failing` is None where that side made no such call."""

    position: int
    passing: Call | None
    failing: Call | None

    @property
    def cause(self) -> Cause:
        same_name = self.passing and self.failing and self.passing[0] == self.failing[0]
        return "arguments" if same_name else "routing"


def flips_of(cases: Iterable[CaseRows], pairs: Iterable[CasePair]) -> tuple[Flip, ...]:
    """The flips among the cases (given in the same order twice).

    A flaky case is a flip when its pass rate moved. A case that only one variant could measure is one when the other
    ended in an error.
    """
    flips = (_flip(case, pair) for case, pair in zip(cases, pairs, strict=True))
    return tuple(flip for flip in flips if flip is not None)


def clusters_of(flips: Iterable[Flip]) -> tuple[Cluster, ...]:
    """The flips by direction, cause, code and tool: what broke first, then the largest cluster."""
    grouped: dict[tuple[Any, ...], list[Flip]] = {}
    for flip in flips:
        grouped.setdefault((flip.direction, flip.cause, flip.code, flip.tool), []).append(flip)
    order = ("regressed", "lost", "fixed")
    ranked = sorted(grouped.values(), key=lambda group: (order.index(group[0].direction), -len(group)))
    return tuple(_cluster(group) for group in ranked)


def _flip(case: CaseRows, pair: CasePair) -> Flip | None:
    if pair.difference is None:
        return _lost(case, pair)
    if pair.difference == 0:
        return None
    fixed = pair.difference > 0
    good, bad = (case.candidate, case.baseline) if fixed else (case.baseline, case.candidate)
    passing = next(row for row in good if row["status"] == "passed")
    failing = next(row for row in bad if row["status"] == "failed")
    cause, code, tool, detail = _attribute(passing, failing)
    return Flip(case.case_id, pair.label, "fixed" if fixed else "regressed", cause, code, tool, detail)


def _lost(case: CaseRows, pair: CasePair) -> Flip | None:
    sides = ((pair.baseline, case.candidate), (pair.candidate, case.baseline))
    for other, rows in sides:
        error = next((row for row in rows if row["status"] == "error"), None)
        if other.measured and error is not None:
            reason = next(iter(reasons_of(error)), {})
            message = _short(reason.get("message") or "the trial ended in an error")
            return Flip(case.case_id, pair.label, "lost", "infrastructure", text(reason.get("code")), None, message)
    return None


def _attribute(passing: Row, failing: Row) -> tuple[Cause, str | None, str | None, str]:
    reasons = reasons_of(failing)
    of_calls = [reason for reason in reasons if reason.get("check") == "calls"]
    first = (of_calls or reasons or [{}])[0]
    code, message = text(first.get("code")), _short(first.get("message") or "")
    calls = _calls(passing), _calls(failing)
    difference = _first_difference(calls[0] or (), calls[1] or ())
    if of_calls:
        only_arguments = all(reason.get("code") in ARGUMENT_CODES for reason in of_calls)
        cause: Cause = "arguments" if only_arguments else "routing"
    elif difference is not None and None not in calls:
        cause = difference.cause
    else:
        cause = _cause_after_equal_calls(text(first.get("check")), passing, failing, known=None not in calls)
    if cause in ("routing", "arguments") and difference is not None:
        called = difference.passing or difference.failing
        return cause, code, called[0] if called else None, _say(difference)
    return cause, code, calls[1][-1][0] if calls[1] else None, message


def _cause_after_equal_calls(check: str | None, passing: Row, failing: Row, *, known: bool) -> Cause:
    if check == "rubric":
        if not known:
            return "unknown"
        return "judge" if passing.get("answer") == failing.get("answer") else "answer"
    if check == "limits":
        return "limits"
    return "answer" if check is not None else "unknown"


def _first_difference(passing: Sequence[Call], failing: Sequence[Call]) -> _Difference | None:
    for index in range(max(len(passing), len(failing))):
        good = passing[index] if index < len(passing) else None
        bad = failing[index] if index < len(failing) else None
        if good != bad:
            return _Difference(index + 1, good, bad)
    return None


def _say(difference: _Difference) -> str:
    where, good, bad = f"call {difference.position}", difference.passing, difference.failing
    if good is None or bad is None:
        return f"{where}: {_short(bad[0])} is extra" if bad else f"{where}: {_short((good or ('', ''))[0])} is missing"
    if good[0] != bad[0]:
        return f"{where}: {_short(bad[0])} instead of {_short(good[0])}"
    return f"{where}, {_short(good[0])}: {_arguments_apart(good[1], bad[1])}"


def _arguments_apart(good: str, bad: str) -> str:
    sides = [_object(good), _object(bad)]
    if None in sides:
        return f"{_short(bad)} instead of {_short(good)}"
    before, after = sides[0] or {}, sides[1] or {}
    keys = [key for key in {**before, **after} if before.get(key, _MISSING) != after.get(key, _MISSING)]
    told = [f"{_short(key)} {_value(after, key)} instead of {_value(before, key)}" for key in keys[:_NAMED_IN_A_LINE]]
    return "; ".join(told) + (f" and {len(keys) - len(told)} more" if len(keys) > len(told) else "")


_MISSING = object()


def _value(arguments: Mapping[str, Any], key: str) -> str:
    return _short(json.dumps(arguments[key], ensure_ascii=False)) if key in arguments else "absent"


def _object(arguments: str) -> dict[str, Any] | None:
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _calls(row: Row) -> tuple[Call, ...] | None:
    """The calls of a trial with canonical arguments; None when the row does not say."""
    calls = row.get("calls")
    if calls is None:
        return None
    return tuple(_call(call) for call in calls)


def _call(call: object) -> Call:
    """A call as name and arguments, a mapping of them, or a mapping in OpenAI's shape."""
    if isinstance(call, Mapping):
        body = call["function"] if isinstance(call.get("function"), Mapping) else call
        name, arguments = body.get("name"), body.get("arguments")
    elif isinstance(call, Sequence) and not isinstance(call, str) and len(call) > 1:
        name, arguments = call[0], call[1]
    else:
        name, arguments = call, None
    written = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, default=str)
    return str(name), canonical_arguments(written)


def _cluster(group: Sequence[Flip]) -> Cluster:
    first = group[0]
    case_ids = tuple(flip.case_id for flip in group)
    named = ", ".join(case_ids[:_NAMED_IN_A_LINE])
    more = len(case_ids) - _NAMED_IN_A_LINE
    about = ", ".join(part for part in (first.cause, first.code, first.tool and _short(first.tool)) if part)
    same = {flip.detail for flip in group}
    detail = f" ({first.detail})" if len(same) == 1 and first.detail else ""
    line = f"{first.direction} ×{len(group)}: {about}{detail}: {named}" + (f" and {more} more" if more > 0 else "")
    return Cluster(first.direction, first.cause, first.code, first.tool, case_ids, line)


def _short(value: object) -> str:
    written = str(value)
    return written if len(written) <= _LONGEST_TEXT else written[: _LONGEST_TEXT - 1] + "…"
