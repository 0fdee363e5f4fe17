"""Which conversations of the triage page are behind a row: of a tool, a value, a change or a day."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmreplay.model.conversation import Conversation, calls_of

if TYPE_CHECKING:
    from pytest_llmreplay.mine.triage import Change, Triage
    from pytest_llmreplay.mine.triage.suggestions import Suggestion

INTENT, TOOL = "intent", "tool"
_METADATA = "metadata."


@dataclass(frozen=True, slots=True)
class Example:
    """A conversation to look at, as it was logged, and what it was suggested for.

    `intent` is its place in the dimension `intent` of the triage, `finding` the place of the first finding that it is
    in; -1 is none. `day` (ISO 8601) is when it began, None where the log does not say.
    """

    suggestion: Suggestion
    conversation: Conversation
    intent: int
    finding: int
    day: str | None = None


@dataclass(frozen=True, slots=True)
class Links:
    """Finds the ids of the conversations behind a row, those that failed first."""

    triage: Triage
    examples: Sequence[Example]

    def of_finding(self, place: int) -> list[str]:
        """The failed conversations of a finding."""
        return _ids(one for one in self._failed_first() if one.finding == place and one.suggestion.kind == "incident")

    def of_value(self, dimension: str, value: str) -> list[str]:
        """The conversations with a value of a dimension; those of a tool call it."""
        return _ids(one for one in self._failed_first() if value in self._values(one, dimension))

    def of_change(self, change: Change) -> list[str]:
        """The conversations with the value that changed, from the day on."""
        return _ids(
            one
            for one in self._failed_first()
            if one.day is not None
            and one.day >= change.day
            and (change.value is None or change.value in self._values(one, change.dimension))
        )

    def of_day(self, day: str) -> list[str]:
        """The conversations that began on a day."""
        return _ids(one for one in self._failed_first() if one.day == day)

    def _failed_first(self) -> list[Example]:
        return sorted(self.examples, key=lambda one: one.suggestion.kind != "incident")

    def _values(self, example: Example, dimension: str) -> set[str]:
        """The conversation's values in a dimension, as the triage reads them."""
        conversation = example.conversation
        if dimension == INTENT:
            groups = self.triage.groups.get(INTENT, ())
            return {groups[example.intent].value} if example.intent >= 0 else set()
        if dimension == TOOL:
            return {call.name for call in calls_of(conversation.messages)}
        if dimension.startswith(_METADATA):
            value = conversation.metadata.get(dimension.removeprefix(_METADATA))
            return set() if value is None else {value if isinstance(value, str) else json.dumps(value)}
        value = getattr(conversation, dimension)
        return set() if value is None else {str(value)}


def _ids(examples: Iterable[Example]) -> list[str]:
    return [one.conversation.conversation_id for one in examples]
