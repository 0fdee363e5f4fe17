"""Checks on the text of the answer."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from pytest_llmreplay.checks.comparison import Findings
from pytest_llmreplay.checks.normal import alike, alike_but_case
from pytest_llmreplay.checks.schema_check import check_against_schema
from pytest_llmreplay.checks.shown import LONGEST, WHOLE, cut, excerpts, safe, typed
from pytest_llmreplay.model.expectation import AnswerExpectation
from pytest_llmreplay.model.outcome import Reason

_SHOWN = 100


def check_answer(expected: AnswerExpectation, answer: str, findings: Findings) -> None:
    """Add every way in which an answer is not as expected; texts compare in NFC and under the `text` rules."""
    said = [name for name in _CHECKS if getattr(expected, name) is not None]
    if not answer.strip():
        message = f"the turn ended without an answer; expected one for {', '.join(said)}"
        findings.failures.append(Reason("answer", "empty_answer", message, "", None, typed(answer)))
        return
    normal = unicodedata.normalize("NFC", answer)
    for reason in (reason for name in said for reason in _CHECKS[name](expected, normal)):
        (findings.unmeasured if reason.code == "bad_json_schema" else findings.failures).append(reason)


def _equals(expected: AnswerExpectation, answer: str) -> Iterator[Reason]:
    wanted = unicodedata.normalize("NFC", expected.equals or "")
    if alike(wanted, expected.text) != alike(answer, expected.text):
        left, right = excerpts(typed(wanted, WHOLE), typed(answer, WHOLE), _SHOWN)
        message = f"the answer differs\n  expected {left}\n  actual   {right}"
        yield Reason("answer", "answer_differs", message, "equals", typed(wanted), typed(answer))


def _contains_any(expected: AnswerExpectation, answer: str) -> Iterator[Reason]:
    parts = expected.contains_any or ()
    if not any(_holds(expected, answer, part) for part in parts):
        shown = ", ".join(typed(part, 60) for part in parts)
        yield _missing("contains_any", f"none of {cut(shown, 200)} is in the answer", shown, answer)


def _contains_all(expected: AnswerExpectation, answer: str) -> Iterator[Reason]:
    for index, part in enumerate(expected.contains_all or ()):
        if not _holds(expected, answer, part):
            yield _missing(f"contains_all[{index}]", f"{typed(part, 60)} is not in the answer", typed(part), answer)


def _not_contains(expected: AnswerExpectation, answer: str) -> Iterator[Reason]:
    for index, part in enumerate(expected.not_contains or ()):
        if _holds(expected, answer, part):
            message = f"{typed(part, 60)} is in the answer: {_around(answer, part)}"
            yield Reason(
                "answer", "unwanted_text", message, f"not_contains[{index}]", f"not {typed(part)}", typed(answer)
            )


def _regex(expected: AnswerExpectation, answer: str) -> Iterator[Reason]:
    for index, pattern in enumerate(expected.regex or ()):
        if not _found(expected, answer, pattern):
            message = f"the pattern {typed(pattern, 60)} is not found in the answer"
            yield _missing(f"regex[{index}]", message, typed(pattern), answer)


def _not_regex(expected: AnswerExpectation, answer: str) -> Iterator[Reason]:
    for index, pattern in enumerate(expected.not_regex or ()):
        if found := _found(expected, answer, pattern):
            message = f"the pattern {typed(pattern, 60)} is found in the answer: {typed(found.group(), _SHOWN)}"
            yield Reason(
                "answer", "unwanted_text", message, f"not_regex[{index}]", f"not {typed(pattern)}", typed(answer)
            )


def _json_schema(expected: AnswerExpectation, answer: str) -> Iterator[Reason]:
    schema = json.dumps(expected.json_schema)
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError) as error:
        message = f"the answer is not JSON: {error}: {typed(answer, _SHOWN)}"
        yield Reason("answer", "not_json", message, "json_schema", None, typed(answer))
        return
    try:
        problem = check_against_schema(value, schema)
    except ValueError as error:
        yield Reason("answer", "bad_json_schema", f"the answer cannot be checked against {error}", "json_schema")
        return
    if problem is not None:
        yield Reason("answer", "schema_error", f"the answer: {problem}", "json_schema", typed(schema), typed(answer))


def _max_chars(expected: AnswerExpectation, answer: str) -> Iterator[Reason]:
    length, most = len(alike_but_case(answer, expected.text)), expected.max_chars or 0
    if length > most:
        message = f"the answer has {length} characters, at most {most} are allowed"
        yield Reason("answer", "too_long", message, "max_chars", str(most), str(length))


def _missing(path: str, message: str, expected: str, answer: str) -> Reason:
    shown = f"{message}: {typed(answer, _SHOWN)}"
    return Reason("answer", "missing_text", shown, path, cut(expected, LONGEST), typed(answer))


def _holds(expected: AnswerExpectation, answer: str, part: str) -> bool:
    wanted = alike(unicodedata.normalize("NFC", part), expected.text)
    return wanted in alike(answer, expected.text)


def _found(expected: AnswerExpectation, answer: str, pattern: str) -> re.Match[str] | None:
    folded = expected.text is not None and expected.text.casefold
    return _compiled(pattern, re.IGNORECASE if folded else 0).search(alike_but_case(answer, expected.text))


@lru_cache(maxsize=1024)
def _compiled(pattern: str, flags: int) -> re.Pattern[str]:
    return re.compile(unicodedata.normalize("NFC", pattern), flags)


def _around(answer: str, part: str) -> str:
    place = answer.casefold().find(part.casefold())
    start = max(0, place - _SHOWN // 3)
    return safe(answer[start : start + _SHOWN])


_CHECKS: Mapping[str, Callable[[AnswerExpectation, str], Iterator[Reason]]] = {
    "equals": _equals,
    "contains_any": _contains_any,
    "contains_all": _contains_all,
    "not_contains": _not_contains,
    "regex": _regex,
    "not_regex": _not_regex,
    "json_schema": _json_schema,
    "max_chars": _max_chars,
}
