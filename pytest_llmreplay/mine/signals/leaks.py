"""Signals of secrets and personal data in answers; what finds them in a text is handed in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pytest_llmreplay.mine.signals.signal import Found, Signal, TextDetector
from pytest_llmreplay.mine.signals.sql import matches, messages_where
from pytest_llmreplay.model.conversation import Conversation

_PERSONAL = frozenset({"email", "phone", "card", "iban", "national_id"})
_SECRET = frozenset({"secret"})
_LINE = re.compile(r"[^\n]+")
_MAY_HOLD = (
    r"@|(?:[0-9][ ()./-]{0,2}){7,}|[A-Z]{2}[0-9]{2}[ ]?[A-Z0-9]{4}|[A-Za-z0-9_-]{16,}"
    r"|(?i:password|passwd|pwd|secret|token|api[_ -]?key|access[_ -]?key|bearer|private key|passphrase)"
)


def leak_signals(detect: TextDetector) -> tuple[Signal, ...]:
    """The signals of leaks, with what finds personal data and secrets."""
    condition = f"len({messages_where('assistant', matches('m.content', _MAY_HOLD))}) > 0"
    return (
        Signal(
            "secret_in_answer",
            "security",
            "model",
            "An answer holds a key, token or password, by its form, that the user had not written before.",
            condition,
            find=_leaks(detect, _SECRET),
        ),
        Signal(
            "personal_data_in_answer",
            "security",
            "model",
            "An answer holds a mail address, a telephone, card or account number or a national id, by its form, that "
            "neither the user nor the system prompt had said before.",
            condition,
            find=_leaks(detect, _PERSONAL),
        ),
    )


def _leaks(detect: TextDetector, kinds: frozenset[str]) -> Callable[[Conversation], Iterator[Found]]:
    may_hold = re.compile(_MAY_HOLD)

    def find(conversation: Conversation) -> Iterator[Found]:
        known, said = "", []
        for index, message in enumerate(conversation.messages):
            text = message.content or ""
            if message.role != "assistant":
                said += [text] if message.role in ("user", "system", "developer") else []
                continue
            for line in _LINE.finditer(text):
                if not may_hold.search(line.group()):
                    continue
                for start, stop, kind in detect(line.group()):
                    if kind not in kinds:
                        continue
                    known, said = " ".join([known, *map(_squashed, said)]), []
                    if _squashed(line.group()[start:stop]) not in known:
                        # The value itself stays where it is: evidence is printed and kept.
                        yield Found(index, f"[{kind}]", (line.start() + start, line.start() + stop))

    return find


def _squashed(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())
