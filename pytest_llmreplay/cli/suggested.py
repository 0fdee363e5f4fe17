"""Promoting what `triage --suggest` gave: each conversation as what it was suggested for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmreplay.model.errors import UserError

if TYPE_CHECKING:
    from pytest_llmreplay.cli.choices import Choices
    from pytest_llmreplay.mine.triage.suggestions import Suggestion
    from pytest_llmreplay.model.case import Case
    from pytest_llmreplay.model.conversation import Conversation
    from pytest_llmreplay.promote import Promotion, Step, Stopped

SUGGESTED = "suggested"
"""The key of the case's metadata that says what triage suggested it for."""


def suggestions_in(choices: Choices) -> dict[str, Suggestion]:
    """By conversation id what `--ids` suggests; nothing where it is no file of suggestions.

    Raises:
        UserError: the file is damaged, or an option says what each suggestion says for itself.
    """
    from pytest_llmreplay.mine.triage.suggestions import read_suggestions

    path = None if choices.ids_file in (None, "-") else Path(choices.ids_file or "")
    found = read_suggestions(path) if path is not None and path.is_file() else None
    if found is None:
        return {}
    for name in ("control", "turn"):
        if getattr(choices, name):
            raise UserError(
                "each suggestion says itself whether it went well, and in which turn it failed", key=f"--{name}"
            )
    return {one.conversation_id: one for one in found}


def promoted(
    conversations: Iterable[Conversation],
    promotion: Promotion,
    steps: Sequence[Step],
    suggestions: Mapping[str, Suggestion],
) -> Iterator[Case | Stopped]:
    """The pipeline, in which a suggested conversation has the kind, turn, weight and labels of its suggestion."""
    from pytest_llmreplay.promote import promote

    for conversation in conversations:
        one = suggestions.get(conversation.conversation_id)
        if one is None:
            yield from promote([conversation], promotion, steps)
        else:
            own = replace(promotion, kind=one.kind, turn=one.turn)
            yield from promote([conversation], own, [_labelled(one), *steps])


def _labelled(one: Suggestion) -> Step:
    """The step that gives a case what its suggestion says; it comes first, so that all of it is redacted too."""

    def step(case: Case) -> Case:
        note = {"by": "triage", "failure": one.failure, "role": one.role}
        return replace(
            case,
            weight=float(one.weight),
            intent=case.intent or one.intent,
            failure_category=one.category,
            failure_stage=one.stage,
            metadata={**case.metadata, SUGGESTED: {name: said for name, said in note.items() if said is not None}},
        )

    return step
