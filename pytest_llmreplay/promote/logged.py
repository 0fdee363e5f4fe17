"""What the log itself says of a conversation: its intent, its tags, its ids elsewhere, and who complained of what."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmreplay.model.conversation import Conversation, turns_of

_NEGATIVE = frozenset({"negative", "thumbs_down", "down", "bad", "dislike", "👎", "poor", "no"})
# A zero says something good of these.
_LOW_IS_GOOD = re.compile(r"(?i)toxic|halluc|error|cost|latency|bias|harm|violation|risk|distance|duration|refus")
_TAGS = ("tags", "request_tags")
_INTENT_TAG = re.compile(r"(?i)\s*intent\s*[:=/]\s*(\S.*?)\s*")
_INTENT_KEY = re.compile(r"(?i)(?:.*[._])?intent")
_CORRELATION = re.compile(r"(?i)(?:.*[._-])?(?:correlation|request|trace|response|call|message|run|ticket)_?ids?")


def logged_intent(metadata: Mapping[str, Any]) -> str | None:
    """What the customer wanted: the key `intent` (also `app.intent` and the like), else a tag as in `intent:refund`."""
    keys = sorted((key for key in metadata if _INTENT_KEY.fullmatch(key)), key=len)
    named = (metadata[key] for key in keys)
    tagged = (match[1] for tag in _logged_tags(metadata) if (match := _INTENT_TAG.fullmatch(tag)))
    return next((word for word in (*named, *tagged) if isinstance(word, str) and word.strip()), None)


def logged_tags(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """The tags of a conversation, without the one that names its intent."""
    return tuple(dict.fromkeys(tag for tag in _logged_tags(metadata) if not _INTENT_TAG.fullmatch(tag)))


def correlation_ids(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The ids under which other systems know the conversation, by the name of their column; several are joined."""
    found = {}
    for key, value in metadata.items():
        ids = value if isinstance(value, list) else [value]
        if _CORRELATION.fullmatch(key) and ids and all(isinstance(one, str | int) and one != "" for one in ids):
            found[key] = " ".join(map(str, ids))
    return found


def negative_feedback(feedback: Any, name: str = "feedback") -> Iterator[str]:
    """Every negative score in the feedback, as `name: value`."""
    if isinstance(feedback, Mapping):
        for key, value in feedback.items():
            yield from negative_feedback(value, str(key))
    elif isinstance(feedback, list):
        for score in _entries(feedback):
            yield from negative_feedback(_value(score), str(score.get("name", name)))
    elif _is_negative(name, feedback):
        yield f"{name}: {json.dumps(feedback, ensure_ascii=False)}"


def complained_turn(conversation: Conversation) -> int | None:
    """The first turn that carries negative feedback, where the log knows to which turn it belongs.

    The scores in `metadata.scores`, and in `feedback` where that is a list, may each say their `turn`.
    """
    last = len(turns_of(conversation.messages))
    scores = [*_entries(conversation.metadata.get("scores")), *_entries(conversation.feedback.get("feedback"))]
    turns = [
        score["turn"]
        for score in scores
        if _is_turn(score.get("turn"), last) and _is_negative(str(score.get("name", "")), _value(score))
    ]
    return min(turns, default=None)


def _logged_tags(metadata: Mapping[str, Any]) -> Iterator[str]:
    for key in _TAGS:
        value = metadata.get(key)
        yield from (tag for tag in value if isinstance(tag, str) and tag) if isinstance(value, list) else ()


def _entries(scores: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(scores, list):
        yield from (score for score in scores if isinstance(score, Mapping))


def _value(score: Mapping[str, Any]) -> Any:
    return score.get("value", score.get("score"))


def _is_turn(value: Any, last: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= last


def _is_negative(name: str, value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().casefold() in _NEGATIVE
    return isinstance(value, int | float) and value <= 0 and not (value == 0 and _LOW_IS_GOOD.search(name))
