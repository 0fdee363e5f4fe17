"""Which conversation of a log is the one that a case was made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

    from pytest_llmreplay.model.case import Provenance
    from pytest_llmreplay.model.conversation import Conversation


@dataclass(frozen=True, slots=True)
class OwnConversation:
    """The conversation of a case: where it came from, and when it began (UTC), as far as the case says."""

    provenance: Provenance
    began: dt.datetime | None

    def is_it(self, conversation: Conversation, at: dt.datetime, relative: Callable[[Path], str]) -> bool:
        """Whether it is this one: the same id, or the same place and time, since an id may have been redacted.

        Logs that rotate have other conversations in the same place later. An id that was made of a file's name says
        nothing outside of that file.

        Args:
            conversation: one of a log.
            at: when it began (UTC).
            relative: names a file as provenance does.
        """
        from pytest_llmreplay.traces import is_numbered

        own = self.provenance
        if conversation.conversation_id == own.trace_id:
            return own.source_file is None or not is_numbered(conversation) or self._same_file(conversation, relative)
        same_record = own.row is not None and conversation.record == own.row
        same_time = self.began in (None, at)
        return same_record and same_time and self._same_file(conversation, relative)

    def _same_file(self, conversation: Conversation, relative: Callable[[Path], str]) -> bool:
        source = conversation.source_file
        return source is not None and relative(Path(source)) == self.provenance.source_file
