"""Values and names from a model or a log, written so that a person sees their type and a terminal is safe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LONGEST = 2000
"""Most characters of a value in an outcome's reason; the outcome holds the whole call beside it."""
WHOLE = 10_000_000
"""For values of which a part is chosen later."""


def typed(value: Any, longest: int = LONGEST) -> str:
    """The value's repr, in which 42 differs from '42' and no control character is left, cut to `longest`."""
    try:
        text = repr(value)
    except (ValueError, RecursionError) as error:
        text = f"<{type(value).__name__}: {error}>"
    return cut(text, longest)


def safe(text: str, longest: int = 200) -> str:
    """A name or a path with every character that a terminal would obey written as an escape."""
    return cut(text if text.isprintable() else repr(text)[1:-1], longest)


def cut(text: str, longest: int) -> str:
    """The text, its end replaced by an ellipsis when it is longer than `longest` characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def call_text(name: str, arguments: Any, longest: int = 160) -> str:
    """A call as people write it: `name(order_id='4417')`; arguments that are no object as they are."""
    if isinstance(arguments, Mapping):
        inner = ", ".join(f"{safe(str(key), 60)}={typed(value, longest)}" for key, value in arguments.items())
    else:
        inner = "" if arguments is None else typed(arguments, longest)
    return cut(f"{safe(name, 80)}({inner})", longest)


def excerpts(expected: str, actual: str, longest: int) -> tuple[str, str]:
    """The parts of two long texts around the first place where they differ."""
    if len(expected) <= longest and len(actual) <= longest:
        return expected, actual
    same = next((i for i, (a, b) in enumerate(zip(expected, actual, strict=False)) if a != b), None)
    start = max(0, (min(len(expected), len(actual)) if same is None else same) - longest // 3)
    return _window(expected, start, longest), _window(actual, start, longest)


def _window(text: str, start: int, longest: int) -> str:
    head = "…" if start else ""
    return head + cut(text[start:], longest - len(head))
