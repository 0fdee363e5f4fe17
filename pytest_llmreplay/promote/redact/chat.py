"""Values that only the chat gives away: split over several messages, or asked for in the message before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.promote.redact.asked import asked_values
from pytest_llmreplay.promote.redact.found import Found
from pytest_llmreplay.promote.redact.fragments import fragments
from pytest_llmreplay.promote.redact.words import Words


class Said(NamedTuple):
    """A value, the text that holds it or a part of it, and where; None where the text writes it in another way.

    `asked`: whether only the question before it says what it is.
    """

    kind: str
    value: str
    text: str
    place: Found | None
    asked: bool = False


def said_in_chat(messages: Sequence[Message], detect: Callable[[str], Sequence[Found]], words: Words) -> Iterator[Said]:
    """What the user's messages hold beside what each of them gives away by itself.

    Args:
        messages: the conversation.
        detect: finds values in one text.
        words: tells names from words.
    """
    said = [message.content for message in messages if message.role == "user" and message.content]
    for part in fragments(said, detect):
        yield Said(part.kind, part.value, said[part.text], Found(part.start, part.stop, part.kind))
    for question, answer in pairwise(m for m in messages if m.role in ("assistant", "user") and m.content):
        if question.role == "assistant" and answer.role == "user":
            yield from _answers(question.content or "", answer.content or "", words)


def _answers(question: str, answer: str, words: Words) -> Iterator[Said]:
    for kind, value in asked_values(question, answer, words):
        start = answer.find(value)
        yield Said(kind, value, answer, Found(start, start + len(value), kind) if start >= 0 else None, asked=True)
