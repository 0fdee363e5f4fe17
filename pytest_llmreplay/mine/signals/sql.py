"""Pieces of DuckDB expressions over the canonical columns, which evaluate to lists of positions."""

from __future__ import annotations

from typing import Self

CALLED = "len(m.tool_calls) > 0"
"""A message that makes calls; null and an empty list do not."""

TOOL = ("tool", "function")


def matches(text: str, pattern: str) -> str:
    """Whether an expression for a text matches a pattern of RE2."""
    return f"regexp_matches({text}, {literal(pattern)})"


class Says(str):
    """The condition that the text of the message `m` matches a pattern of RE2; several can be asked at once."""

    __slots__ = ("pattern",)
    pattern: str

    def __new__(cls, pattern: str, sql: str | None = None) -> Self:
        """The condition; `sql` is a quicker way to ask it alone, if there is one."""
        said = super().__new__(cls, sql or matches("m.content", pattern))
        said.pattern = pattern
        return said


def literal(text: str) -> str:
    """A text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def messages_where(roles: str | tuple[str, ...], *conditions: str) -> str:
    """Positions of the messages with these roles for which all conditions hold, on `m` and its position `i`.

    DuckDB evaluates both sides of an AND, but a branch of CASE only where it is reached: a condition is asked only
    where those before it hold, so that the cheap ones come first.
    """
    return _positions("messages", of_roles(roles), *conditions)


def of_roles(roles: str | tuple[str, ...]) -> str:
    """Whether the message `m` has one of these roles."""
    wanted = (roles,) if isinstance(roles, str) else roles
    return f"m.role IN ({', '.join(map(literal, wanted))})"


def steps_where(*conditions: str) -> str:
    """Positions of the steps for which all conditions hold, on `m` and its position `i`."""
    return _positions("steps", *conditions)


def _positions(column: str, *conditions: str) -> str:
    nested = "i"
    for condition in reversed(conditions):
        nested = f"CASE WHEN {condition} THEN {nested} END"
    return f"list_filter(list_transform({column}, lambda m, i: {nested}), lambda p: p IS NOT NULL)"
