"""`promote --store references`: the text of new cases is left out once it is shown that it can be brought back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_llmreplay.promote import Hashes, Stopped, UnresolvedError, as_references, with_text
from pytest_llmreplay.promote.redact import redaction_key

if TYPE_CHECKING:
    from pytest_llmreplay.model.case import Case
    from pytest_llmreplay.model.conversation import Conversation
    from pytest_llmreplay.promote.redact import Redactor


class Originals:
    """The conversations of one promotion as they were logged, from which the text will be brought back.

    Args:
        redactor: redacts a conversation as its case was; None where the text is stored as it was logged.
    """

    def __init__(self, redactor: Redactor | None) -> None:
        self._redactor = redactor
        self._conversations: dict[tuple[str | None, int | None], Conversation] = {}
        self._hashes = Hashes(redaction_key)

    def seen(self, conversations: Iterable[Conversation]) -> Iterator[Conversation]:
        """The conversations, remembered as they pass by."""
        for conversation in conversations:
            self._conversations[conversation.conversation_id, conversation.record] = conversation
            yield conversation

    def hidden(self, cases: Sequence[Case], stopped: list[Stopped]) -> list[Case]:
        """The cases with references in place of their text; one whose text would not come back is stopped."""
        kept = []
        for case in cases:
            try:
                kept.append(self._hidden(case))
            except UnresolvedError as error:
                why = f"its text could not be brought back from the log ({error}); store it with --store text"
                stopped.append(Stopped(case.provenance.trace_id or case.case_id, why))
        return kept

    def _hidden(self, case: Case) -> Case:
        stands_for = [] if self._redactor is None else self._redactor.stands_in(case)
        without = as_references(case, self._hashes, stands_for)
        original = self._conversations.get((case.provenance.trace_id, case.provenance.row))
        if original is None:
            raise UnresolvedError("the id of its trace holds something personal")
        redacted = original if self._redactor is None else self._redactor.conversation(original, like=without)
        if with_text(without, redacted, self._hashes).messages != case.messages:
            raise UnresolvedError("another text came back")
        return without


def said_elsewhere(case: Case) -> str:
    """What the user said, as cases without text keep it."""
    return Hashes(redaction_key).said(case)
