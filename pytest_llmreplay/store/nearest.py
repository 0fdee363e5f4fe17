"""The recording that is most like a request which has none, and what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

_CANDIDATES = 24
_SHOWN = 3
_ABSENT = object()


class NearestIndex:
    """Where the recordings are that ask the same thing, by what was said last.

    Args:
        records: every recording with its place, oldest first.
    """

    def __init__(self, records: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
        self._by_text: dict[int, list[int]] = {}
        self._by_model: dict[object, list[int]] = {}
        for place, record in records:
            request = record["request"]
            self._by_text.setdefault(hash(_last_said(request)), []).append(place)
            self._by_model.setdefault(record.get("model"), []).append(place)

    def describe(self, request: Mapping[str, Any], load: Callable[[int], Mapping[str, Any]]) -> str | None:
        """In a few words: the nearest recording and what differs from `request`, or None when there is none."""
        places = self._by_text.get(hash(_last_said(request))) or self._by_model.get(request.get("model"))
        if not places:
            places = [place for group in self._by_model.values() for place in group[-_CANDIDATES:]]
        best: tuple[int, Mapping[str, Any], list[str]] | None = None
        for place in places[-_CANDIDATES:]:
            record = load(place)
            # Differences beyond a few hundred say no more, and a hostile request may have millions.
            found = list(islice(differences(record["request"], request), 200))
            if best is None or len(found) <= best[0]:
                best = len(found), record, found
        return None if best is None else _sentence(best[1], best[2])


def differences(recorded: Any, asked: Any, path: str = "") -> Iterator[str]:
    """One phrase for every place in which two requests differ."""
    if isinstance(recorded, Mapping) and isinstance(asked, Mapping):
        for key in [*recorded, *(key for key in asked if key not in recorded)]:
            inner = f"{path}.{key}" if path else str(key)
            yield from differences(recorded.get(key, _ABSENT), asked.get(key, _ABSENT), inner)
    elif _is_list(recorded) and _is_list(asked):
        if len(recorded) != len(asked):
            yield f"{path} ({len(recorded)} recorded, {len(asked)} asked)"
        for index, (one, other) in enumerate(zip(recorded, asked, strict=False)):
            yield from differences(one, other, f"{path}[{index}]")
    elif recorded != asked or isinstance(recorded, bool) != isinstance(asked, bool):
        shown = _shown_pair(recorded, asked)
        yield f"{path} (recorded {shown[0]}, asked {shown[1]})"


def _sentence(record: Mapping[str, Any], found: Sequence[str]) -> str:
    trial = f", trial {record['trial']}" if record.get("trial") is not None else ""
    who = f"{record.get('provider')}{trial}, recorded {record.get('recorded_at')}"
    if not found:
        return f"the same request is recorded, for another provider or trial ({who})"
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"the nearest recording ({who}) differs in {', '.join(found[:_SHOWN])}{more}"


def _last_said(request: Mapping[str, Any]) -> str:
    messages = request.get("messages")
    if _is_list(messages) and messages and isinstance(messages[-1], Mapping):
        return str(messages[-1].get("content"))
    return ""


def _shown_pair(recorded: Any, asked: Any) -> tuple[str, str]:
    if isinstance(recorded, str) and isinstance(asked, str):
        same = next((i for i, (a, b) in enumerate(zip(recorded, asked, strict=False)) if a != b), -1)
        same = min(len(recorded), len(asked)) if same < 0 else same
        start = max(0, same - 12)
        return _excerpt(recorded, start), _excerpt(asked, start)
    return _shown(recorded), _shown(asked)


def _excerpt(text: str, start: int) -> str:
    end = start + 48
    return f"{'…' if start else ''}{text[start:end]!r}{'…' if end < len(text) else ''}"


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
