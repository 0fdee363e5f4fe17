"""Results for the calls that production should have made and did not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from pytest_llmreplay.checks import match_calls
from pytest_llmreplay.model.case import ANY_ARGUMENTS, Case, RecordedResult, recorded_results_of
from pytest_llmreplay.model.conversation import Conversation
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.promote.pipeline import Step


class Lendable(NamedTuple):
    """A result that another conversation recorded."""

    arguments: str
    result: str
    conversation_id: str


@dataclass(slots=True)
class Lender:
    """The results in other conversations, by tool; the first with each set of arguments stays."""

    _by_tool: dict[str, dict[str, Lendable]] = field(default_factory=dict)

    @classmethod
    def of(cls, conversations: Iterable[Conversation], tools: Sequence[str] | None = None) -> Lender:
        """The results of these conversations; with `tools` only of those."""
        lender = cls()
        for conversation in conversations:
            for result in recorded_results_of(conversation.messages):
                if tools is None or result.name in tools:
                    lendable = Lendable(result.arguments, result.result, conversation.conversation_id)
                    lender._by_tool.setdefault(result.name, {}).setdefault(result.arguments, lendable)
        return lender

    def find(self, expected: Mapping[str, Any]) -> Lendable | None:
        """A result of a call that is as expected, with its arguments."""
        for lendable in self._by_tool.get(str(expected.get("name")), {}).values():
            if _fits(str(expected["name"]), lendable.arguments, expected):
                return lendable
        return None


def borrow(lender: Lender) -> Step:
    """The step that gives a case, before it is redacted, the results of expected calls that it lacks."""

    def step(case: Case) -> Case:
        borrowed = []
        for expected in missing_results(case):
            lent = lender.find(expected)
            if lent is not None:
                source = f"borrowed from {lent.conversation_id}"
                borrowed.append(RecordedResult(case.turn, str(expected["name"]), lent.arguments, lent.result, source))
        return replace(case, recorded_results=(*case.recorded_results, *borrowed))

    return step


def stub(results: Mapping[str, str]) -> Step:
    """The step that gives a case results by tool, as JSON text, whatever the arguments."""
    stubs = tuple((tool, value) for tool, value in results.items())

    def step(case: Case) -> Case:
        added = (RecordedResult(case.turn, tool, ANY_ARGUMENTS, value, "stub") for tool, value in stubs)
        return replace(case, recorded_results=(*case.recorded_results, *added))

    return step


def missing_results(case: Case) -> list[Mapping[str, Any]]:
    """The expected calls for which no result is recorded, so that a replay would end there."""
    calls = case.expect.get("calls")
    expected = calls.get("expected") if isinstance(calls, Mapping) else None
    return [call for call in expected or () if isinstance(call, Mapping) and not _has_result(case, call)]


def _has_result(case: Case, expected: Mapping[str, Any]) -> bool:
    return any(
        result.name == expected.get("name")
        and (result.arguments == ANY_ARGUMENTS or _fits(result.name, result.arguments, expected))
        for result in case.recorded_results
    )


def _fits(name: str, arguments: str, expected: Mapping[str, Any]) -> bool:
    try:
        return match_calls([{"name": name, "arguments": arguments}], [dict(expected)]).passed
    except UserError:
        return False


def parse_stub(written: str) -> tuple[str, str]:
    """The tool and the JSON text in `TOOL=JSON`.

    Raises:
        UserError: it is written otherwise.
    """
    tool, separator, value = written.partition("=")
    if not separator or not tool:
        raise UserError("must be TOOL=JSON", key="TOOL=JSON", value=written)
    try:
        json.loads(value)
    except ValueError as error:
        raise UserError(f"the result is not JSON: {error}", value=value) from error
    return tool, value
