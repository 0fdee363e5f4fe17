"""Signals in answers that do not go with what tools and retrieval returned: Python on preselected rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pytest_llmreplay.mine.signals import numbers
from pytest_llmreplay.mine.signals.exchange import Exchange, exchanges
from pytest_llmreplay.mine.signals.signal import Found, Signal
from pytest_llmreplay.mine.signals.sql import TOOL, matches, messages_where
from pytest_llmreplay.model.conversation import Conversation, turns_of

_CODE = re.compile(r"(?<![\w@.-])(?=[\w-]*\d)(?=[\w-]*[^\W\d_])[A-Za-z0-9][\w-]{3,}(?![\w@-])")
_ORDINAL = re.compile(r"\d+-[a-z]+|\d+(?:st|nd|rd|th|am|pm|h|hrs?|min|mins|kg|lbs?|km|cm|mm|mb|gb|x)", re.IGNORECASE)
_IDIOM = re.compile(r"24/7|24x7|24 hours", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{4,}")
_RARE = re.compile(r"\w{5,}")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\U00020000-\U000323af]{3,}"
)
"""Thai, Lao, Burmese, Khmer, Chinese, Japanese, and Korean, whose particles stand at the word without a space."""
_STEM = 5
_PIECE = 3
_FEWEST_TOLD = 2


def _contradicts_result(conversation: Conversation) -> Iterator[Found]:
    known = _Known()
    for step in conversation.steps:
        known.add(step.output or "")
    read = 0
    for exchange in exchanges(conversation):
        if exchange.answer is None or all(one.result is None or one.is_error for one in exchange.calls):
            continue
        for message in conversation.messages[read : exchange.answer]:
            known.add(message.content or "")
            for call in message.tool_calls:
                known.add(call.arguments)
        read = exchange.answer
        answer = conversation.messages[exchange.answer].content or ""
        for start, stop in known.unheard(answer):
            yield Found(exchange.answer, answer[start:stop], (start, stop), turn=exchange.turn)
            break


def _ignores_result(conversation: Conversation) -> Iterator[Found]:
    for exchange in exchanges(conversation):
        if exchange.answer is None:
            continue
        answer = conversation.messages[exchange.answer].content or ""
        if _ignored(exchange, _telling(answer) | numbers.said(answer).numbers | _pieces(answer)):
            yield Found(exchange.answer, answer, (0, len(answer)), call=exchange.calls[-1].call, turn=exchange.turn)


def _ignored(exchange: Exchange, answered: set[str]) -> bool:
    """Whether results tell something that the arguments do not, and nothing of it was answered; keys tell nothing."""
    told: set[str] = set()
    for one in exchange.calls:
        for leaf in () if one.result is None or one.failed else _leaves(one.result):
            telling = _telling(leaf)
            if telling & answered or _pieces(leaf) & answered:
                return False
            told |= telling
        told -= _telling(one.call.arguments)
    return len(told) >= _FEWEST_TOLD


def _unused_documents(conversation: Conversation) -> Iterator[Found]:
    for turn in turns_of(conversation.messages):
        retrieved = [s for s in conversation.steps if s.kind == "retrieval" and s.turn == turn.number and s.output]
        answers = [
            index
            for index in range(turn.start, turn.stop)
            if conversation.messages[index].role == "assistant" and conversation.messages[index].content
        ]
        if not retrieved or not answers:
            continue
        documents = {word for step in retrieved for word in _rare(step.output or "")}
        pieces = {piece for step in retrieved for piece in _pieces(step.output or "")}
        answer = conversation.messages[answers[-1]].content or ""
        if len(documents) >= 3 and not documents & _rare(answer) and not pieces & _pieces(answer):
            yield Found(answers[-1], answer, (0, len(answer)), turn=turn.number)


class _Known:
    """What was said before an answer: its texts and numbers."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._numbers = numbers.Heard()

    def add(self, text: str) -> None:
        """Somebody said this."""
        if text:
            self._texts.append(_folded(text))
            self._numbers.add(text)

    def unheard(self, answer: str) -> Iterator[tuple[int, int]]:
        """Where codes of letters and digits, and numbers, stand that were not said before."""
        taken = [match.span() for match in _IDIOM.finditer(answer)]
        for match in _CODE.finditer(answer):
            if not _ORDINAL.fullmatch(match.group()):
                taken.append(match.span())
                code = match.group().casefold()
                if not any(code in text for text in self._texts):
                    yield match.span()
        yield from self._numbers.unheard(answer, taken)


@lru_cache(maxsize=256)
def _folded(text: str) -> str:
    """A text in lower case; system prompts and results repeat."""
    return text.casefold()


def _leaves(text: str) -> Iterator[str]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        yield text
        return
    yield from _leaf_texts(value)


def _leaf_texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif item is not None and not isinstance(item, bool):
            yield str(item)


def _telling(text: str) -> set[str]:
    """The words of a text by how they begin, and its numbers of two digits or more."""
    found = {word[:_STEM].casefold() for word in _WORD.findall(text)}
    found.update(number for number in numbers.in_english(text) if len(number) >= 2)
    return found


def _rare(text: str) -> set[str]:
    return set(_RARE.findall(text.casefold()))


def _pieces(text: str) -> set[str]:
    """What stands for words where words are not set apart: every three characters in a row."""
    if text.isascii():
        return set()
    return {run[at : at + _PIECE] for run in _UNSPACED.findall(text) for at in range(len(run) - _PIECE + 1)}


_ANSWERED = f"len({messages_where(TOOL, 'strlen(m.content) > 0')}) > 0"

GROUNDING_SIGNALS = (
    Signal(
        "contradicts_result",
        "quality",
        "model",
        "After a tool returned something in the turn, the answer names a number of two digits or more, or a code of "
        "letters and digits, that nobody said before: not the tools, the user, the system prompt or an earlier answer, "
        "and no sum, difference or small multiple of such numbers. Numbers are read with a comma or a point as decimal "
        "mark, with their digits in groups, and a percentage as its hundredth too.",
        f"{_ANSWERED} AND len({messages_where('assistant', matches('m.content', '[0-9][0-9]|[A-Za-z][0-9]'))}) > 0",
        columns=("messages", "steps", "metadata"),
        find=_contradicts_result,
    ),
    Signal(
        "ignores_result",
        "quality",
        "model",
        "Tools returned at least two telling values in the turn that are not in the calls' arguments (words from four "
        "letters, numbers from two digits), and the answer has none of them, nor three characters in a row of one in "
        "a script without spaces.",
        _ANSWERED,
        columns=("messages", "metadata"),
        find=_ignores_result,
    ),
    Signal(
        "unused_documents",
        "quality",
        "retrieval",
        "Documents were retrieved in the turn, and the answer shares no word of five letters or more with them, nor "
        "three characters in a row of a script without spaces.",
        "len(list_filter(steps, lambda s: s.kind = 'retrieval' AND strlen(s.output) > 0)) > 0",
        columns=("messages", "steps"),
        find=_unused_documents,
    ),
)
