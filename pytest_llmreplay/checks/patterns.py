"""What a value is compared with. A pattern says how a value differs from it, and nothing when it matches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Protocol

from pytest_llmreplay.checks.coercion import json_type
from pytest_llmreplay.checks.normal import alike
from pytest_llmreplay.checks.shown import WHOLE, typed
from pytest_llmreplay.model.matchers import Approx, TextRules


class Missing:
    """What stands in a difference where there is no value."""

    def __repr__(self) -> str:
        return "(missing)"


MISSING: Final = Missing()
MOST_DIFFERENCES = 20
"""More differences of one list or object than this explain nothing that these do not."""


class Difference(NamedTuple):
    """One place where a value is not as expected; `path` is that place inside the arguments."""

    code: str
    path: str
    expected: Pattern | None
    actual: Any


class Pattern(Protocol):
    """Something that a value is compared with."""

    @property
    def accepts_missing(self) -> bool:
        """Whether the argument may be left out."""
        ...

    def differences(self, actual: Any, path: str) -> Sequence[Difference]:
        """Where `actual` differs; empty when it matches."""
        ...

    def describe(self) -> str:
        """What is expected, as a typed repr."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """How literals are compared; `strict_numbers` tells 1 from 1.0."""

    match: Literal["exact", "subset", "superset"] = "exact"
    strict_numbers: bool = False
    null_is_absent: bool = False
    text: TextRules | None = None
    approx: Approx | None = None


class Scalar(NamedTuple):
    """A text, a number, a boolean or null. A boolean is never a number, and a text is never either."""

    value: Any
    rules: Rules

    @property
    def accepts_missing(self) -> bool:
        """Null stands for a missing argument where `null_is_absent` says so."""
        return self.value is None and self.rules.null_is_absent

    def differences(self, actual: Any, path: str) -> Sequence[Difference]:
        """None when the values are equal."""
        if self._equals(actual):
            return ()
        code = "value_error" if self._comparable(actual) else "type_error"
        return (Difference(code, path, self, actual),)

    def describe(self) -> str:
        """The value's repr."""
        approx, text = self.rules.approx, self.rules.text
        if approx is not None and json_type(self.value) in ("integer", "number"):
            return f"approx({typed(self.value, WHOLE)}, abs={approx.abs:g}, rel={approx.rel:g})"
        if text is not None and isinstance(self.value, str):
            said = [name for name in ("trim", "casefold", "collapse_ws") if getattr(text, name)]
            return f"text({typed(self.value, WHOLE)}{''.join(f', {name}' for name in said)})"
        return typed(self.value, WHOLE)

    def _equals(self, actual: Any) -> bool:
        value = self.value
        if isinstance(value, str):
            if not isinstance(actual, str):
                return False
            text = self.rules.text
            return value == actual if text is None else alike(value, text) == alike(actual, text)
        if value is None or isinstance(value, bool):
            return actual is value
        if isinstance(actual, bool) or not isinstance(actual, int | float):
            return False
        if self.rules.approx is not None:
            return _near(value, actual, self.rules.approx)
        return bool(value == actual) and (not self.rules.strict_numbers or type(value) is type(actual))

    def _comparable(self, actual: Any) -> bool:
        kinds = json_type(self.value), json_type(actual)
        numbers = not self.rules.strict_numbers and all(kind in ("integer", "number") for kind in kinds)
        return numbers or kinds[0] == kinds[1]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list with exactly these elements in this order."""

    items: tuple[Pattern, ...]
    accepts_missing = False

    def differences(self, actual: Any, path: str) -> Sequence[Difference]:
        """The elements that differ; the list itself when its length does."""
        if not isinstance(actual, list | tuple):
            return (Difference("type_error", path, self, actual),)
        if len(actual) != len(self.items):
            return (Difference("value_error", path, self, actual),)
        found: list[Difference] = []
        for index, (item, value) in enumerate(zip(self.items, actual, strict=True)):
            found += item.differences(value, f"{path}[{index}]")
            if len(found) >= MOST_DIFFERENCES:
                break
        return found

    def describe(self) -> str:
        """A list of the elements' descriptions."""
        return f"[{', '.join(item.describe() for item in self.items)}]"


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """An object, or a call's arguments. A missing key that has a schema default is compared with that default."""

    fields: Mapping[str, Pattern]
    rules: Rules
    defaults: Mapping[str, Any]
    accepts_missing = False

    def differences(self, actual: Any, path: str) -> Sequence[Difference]:
        """The keys that differ, are missing, or should not be there."""
        if not isinstance(actual, dict):
            return (Difference("type_error", path, self, actual),)
        prefix = f"{path}." if path else ""
        found: list[Difference] = []
        for name, pattern in self.fields.items():
            value = actual.get(name, MISSING)
            if value is MISSING or (value is None and self.rules.null_is_absent):
                found += self._missing(name, pattern, prefix + name)
            else:
                found += pattern.differences(value, prefix + name)
        if self.rules.match != "superset" and not self.fields.keys() >= actual.keys():
            found += self._unexpected(actual, prefix)
        return found[:MOST_DIFFERENCES]

    def describe(self) -> str:
        """An object of the fields' descriptions."""
        return f"{{{', '.join(f'{typed(name)}: {pattern.describe()}' for name, pattern in self.fields.items())}}}"

    def _missing(self, name: str, pattern: Pattern, path: str) -> Sequence[Difference]:
        if pattern.accepts_missing or self.rules.match == "subset":
            return ()
        if name in self.defaults and not pattern.differences(self.defaults[name], path):
            return ()
        return (Difference("missing_argument", path, pattern, MISSING),)

    def _unexpected(self, actual: Mapping[str, Any], prefix: str) -> list[Difference]:
        return [
            Difference("unexpected_argument", prefix + name, None, value)
            for name, value in actual.items()
            if name not in self.fields
            and not (value is None and self.rules.null_is_absent)
            and not (name in self.defaults and same(self.defaults[name], value))
        ]


def same(expected: Any, actual: Any) -> bool:
    """Whether two JSON values are equal: 1 is 1.0, a boolean is no number, a text is neither."""
    if isinstance(expected, dict):
        return (
            isinstance(actual, dict)
            and expected.keys() == actual.keys()
            and all(same(value, actual[name]) for name, value in expected.items())
        )
    if isinstance(expected, list | tuple):
        return (
            isinstance(actual, list | tuple)
            and len(expected) == len(actual)
            and all(same(left, right) for left, right in zip(expected, actual, strict=True))
        )
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    return bool(expected == actual)


def _near(expected: float, actual: float, approx: Approx) -> bool:
    try:
        return abs(actual - expected) <= max(approx.abs, approx.rel * abs(expected))
    except OverflowError:
        return False
