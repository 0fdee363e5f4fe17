"""The matcher words as patterns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_llmreplay.checks.assignment import NOBODY, maximum_matching
from pytest_llmreplay.checks.coercion import json_type
from pytest_llmreplay.checks.normal import alike, alike_but_case
from pytest_llmreplay.checks.patterns import Difference, Pattern
from pytest_llmreplay.checks.shown import typed
from pytest_llmreplay.model.matchers import TextRules


@dataclass(frozen=True, slots=True)
class OneOf:
    """Any one of the alternatives; nothing, when there are none."""

    alternatives: tuple[Pattern, ...]

    @property
    def accepts_missing(self) -> bool:
        """When an alternative is `absent`."""
        return any(alternative.accepts_missing for alternative in self.alternatives)

    def differences(self, actual: Any, path: str) -> Sequence[Difference]:
        """None when an alternative matches."""
        tried = [alternative.differences(actual, path) for alternative in self.alternatives]
        if not all(tried):
            return ()
        if len(tried) == 1:
            return tried[0]
        code = "type_error" if tried and all(found[0].code == "type_error" for found in tried) else "value_error"
        return (Difference(code, path, self, actual),)

    def describe(self) -> str:
        """`one_of(…)`."""
        return f"one_of({', '.join(alternative.describe() for alternative in self.alternatives)})"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of several matchers in one mapping."""

    patterns: tuple[Pattern, ...]

    @property
    def accepts_missing(self) -> bool:
        """When all of them do."""
        return all(pattern.accepts_missing for pattern in self.patterns)

    def differences(self, actual: Any, path: str) -> Sequence[Difference]:
        """Those of the first that does not match."""
        return next((found for pattern in self.patterns if (found := pattern.differences(actual, path))), ())

    def describe(self) -> str:
        """The descriptions, joined by `and`."""
        return " and ".join(pattern.describe() for pattern in self.patterns)


@dataclass(frozen=True, slots=True)
class Maybe:
    """An argument that may be left out, but must match when it is there."""

    pattern: Pattern
    accepts_missing = True

    def differences(self, actual: Any, path: str) -> Sequence[Difference]:
        """Those of the pattern."""
        return self.pattern.differences(actual, path)

    def describe(self) -> str:
        """The pattern's description, marked."""
        return f"{self.pattern.describe()} (optional)"


@dataclass(frozen=True, slots=True)
class Anything:
    """Whatever is there."""

    accepts_missing = False

    def differences(self, actual: Any, path: str) -> Sequence[Difference]:  # noqa: ARG002 - the port's signature
        """Always none."""
        return ()

    def describe(self) -> str:
        """`any`."""
        return "any"


@dataclass(frozen=True, slots=True)
class Absent:
    """Nothing may be there."""

    accepts_missing = True

    def differences(self, actual: Any, path: str) -> Sequence[Difference]:
        """Always one: something is there."""
        return (Difference("unexpected_argument", path, self, actual),)

    def describe(self) -> str:
        """`absent`."""
        return "absent"


@dataclass(frozen=True, slots=True)
class Regex:
    """A text in which a regular expression is found."""

    pattern: re.Pattern[str]
    text: TextRules | None
    accepts_missing = False

    def differences(self, actual: Any, path: str) -> Sequence[Difference]:
        """None when the pattern is found."""
        if not isinstance(actual, str):
            return (Difference("type_error", path, self, actual),)
        if self.pattern.search(alike_but_case(actual, self.text)):
            return ()
        return (Difference("value_error", path, self, actual),)

    def describe(self) -> str:
        """`regex(…)`."""
        return f"regex({typed(self.pattern.pattern)})"


@dataclass(frozen=True, slots=True)
class Contains:
    """A text that holds a text, or a list that holds an element like this."""

    element: Pattern
    part: str | None
    text: TextRules | None
    accepts_missing = False

    def differences(self, actual: Any, path: str) -> Sequence[Difference]:
        """None when it is in there."""
        if isinstance(actual, str) and self.part is not None:
            holds = alike(self.part, self.text) in alike(actual, self.text)
        elif isinstance(actual, list | tuple):
            holds = any(not self.element.differences(item, path) for item in actual)
        else:
            return (Difference("type_error", path, self, actual),)
        return () if holds else (Difference("value_error", path, self, actual),)

    def describe(self) -> str:
        """`contains(…)`."""
        return f"contains({self.element.describe()})"


@dataclass(frozen=True, slots=True)
class Unordered:
    """A list of exactly these elements in any order, paired one to one."""

    items: tuple[Pattern, ...]
    accepts_missing = False

    def differences(self, actual: Any, path: str) -> Sequence[Difference]:
        """None when the elements can be paired without rest."""
        if not isinstance(actual, list | tuple):
            return (Difference("type_error", path, self, actual),)
        if len(actual) == len(self.items):
            edges = [[i for i, v in enumerate(actual) if not item.differences(v, path)] for item in self.items]
            if NOBODY not in maximum_matching(edges, len(actual)):
                return ()
        return (Difference("value_error", path, self, actual),)

    def describe(self) -> str:
        """`unordered_list(…)`."""
        return f"unordered_list({', '.join(item.describe() for item in self.items)})"


@dataclass(frozen=True, slots=True)
class OfType:
    """A value of one of these JSON types; an integral number is an integer, as in JSON Schema."""

    names: tuple[str, ...]
    accepts_missing = False

    def differences(self, actual: Any, path: str) -> Sequence[Difference]:
        """None when the type is one of them."""
        kind = json_type(actual)
        if kind in self.names or (kind == "integer" and "number" in self.names):
            return ()
        if kind == "number" and "integer" in self.names and actual.is_integer():
            return ()
        return (Difference("type_error", path, self, actual),)

    def describe(self) -> str:
        """`type(…)`."""
        return f"type({', '.join(self.names)})"
