"""`coerce: bfcl`: values as the checker of the Berkeley Function Calling Leaderboard compares them.

It removes spaces and ``,./-_*^`` from texts and ignores their case, so "1.5" equals "15": use it to reproduce the
leaderboard, not to guard a product. Its possible answers are lists of alternatives, in which "" means that the
parameter may be left out; here `one_of` and `optional: true` say the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_llmreplay.checks.patterns import Difference, Pattern
from pytest_llmreplay.checks.shown import typed
from pytest_llmreplay.model.matchers import is_matcher

LEFT_OUT = ""
"""What stands for "may be left out" among the alternatives of a possible answer."""

# A parameter that declares no type is BFCL's "any", which its checker takes for a text.
_PYTHON_TYPES: Mapping[str, type[Any]] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list,
    "object": dict,
}
_IGNORED = str.maketrans({**dict.fromkeys(" ,./-_*^", None), "'": '"'})


@dataclass(frozen=True, slots=True)
class PossibleAnswers:
    """One parameter's possible answers.

    `declared` and `element` are the Python types that its schema declares for it and for its elements; `element` is
    None when it has none, `required` whether it may not be left out, whatever the alternatives say.
    """

    alternatives: tuple[Any, ...]
    declared: type
    element: type | None
    required: bool

    @property
    def accepts_missing(self) -> bool:
        """When the alternatives say so and the tool does not require it."""
        return LEFT_OUT in self.alternatives and not self.required

    def differences(self, actual: Any, path: str) -> Sequence[Difference]:
        """None when the value is one of the possible answers."""
        value = float(actual) if self.declared is float and type(actual) is int and abs(actual) < 1e300 else actual
        known = _known_type(self.alternatives)
        if type(value) is self.declared and self._elements_fit(value):
            fits = self._is_possible(value, by_value=known is not None and known is not self.declared)
        elif known is not None and type(value) is known and type(value) is not self.declared:
            fits = self._is_possible(value, by_value=True)
        else:
            return (Difference("type_error", path, self, actual),)
        return () if fits else (Difference("value_error", path, self, actual),)

    def describe(self) -> str:
        """`bfcl(…)`."""
        return f"bfcl({', '.join(map(typed, self.alternatives))})"

    def _elements_fit(self, value: Any) -> bool:
        if self.element is None or not isinstance(value, list):
            return True
        return any(_all_of_type(value, alternative, self.element) for alternative in self.alternatives)

    def _is_possible(self, value: Any, *, by_value: bool) -> bool:
        if by_value:
            return value in self.alternatives
        if isinstance(value, str):
            return _standard(value) in [_standard(a) for a in self.alternatives if isinstance(a, str)]
        if isinstance(value, dict):
            return any(_fits_object(value, a) for a in self.alternatives if a != LEFT_OUT)
        if isinstance(value, list) and self.element is dict:
            return any(_fits_objects(value, alternative) for alternative in self.alternatives)
        if isinstance(value, list):
            standard = [_standard(item) for item in value]
            return any(standard == [_standard(item) for item in a] for a in self.alternatives if _has_items(a))
        return value in self.alternatives


@dataclass(frozen=True, slots=True)
class NoParameter:
    """A parameter that the tool does not have: it may not be given."""

    may_be_left_out: bool

    @property
    def accepts_missing(self) -> bool:
        """When the possible answers say so; otherwise nothing is right."""
        return self.may_be_left_out

    def differences(self, actual: Any, path: str) -> Sequence[Difference]:
        """Always one."""
        return (Difference("unexpected_argument", path, self, actual),)

    def describe(self) -> str:
        """`not a parameter of the tool`."""
        return "not a parameter of the tool"


def possible_answers(
    written: Any, types: Sequence[str] | None, element: Sequence[str] | None, *, required: bool
) -> Pattern | None:
    """The possible answers that `one_of`, `optional` and literals express, or None when other words are used.

    Args:
        written: the value in `args`.
        types: the JSON types that the tool declares for the parameter, the first counts; None when nobody declares it.
        element: those of its elements; None when nobody declares them.
        required: whether the tool requires it.
    """
    alternatives = _alternatives(written)
    if alternatives is None:
        return None
    declared = (_known_type(alternatives) or str) if types is None else _python_type(types)
    item = _python_type(element) if declared is list and element is not None else None
    return PossibleAnswers(tuple(alternatives), declared, item, required)


def is_optional(written: Any) -> bool:
    """Whether a value in `args` may be left out."""
    return is_matcher(written) and written.get("optional") is True


def _alternatives(written: Any) -> list[Any] | None:
    said = _said(written)
    alternatives = None if said is None else _in_bfcl_form(said)
    if alternatives is not None and is_optional(written) and LEFT_OUT not in alternatives:
        alternatives.append(LEFT_OUT)
    return alternatives


def _said(written: Any) -> list[Any] | None:
    """The alternatives as they are written, or None when other words than `one_of` and `equals` are used."""
    if not is_matcher(written):
        return [written]
    if not written.keys() <= {"one_of", "equals", "optional"} or len(written.keys() & {"one_of", "equals"}) != 1:
        return None
    return list(written["one_of"]) if "one_of" in written else [{"equals": written["equals"]}]


def _is_literal(written: Any) -> bool:
    return is_matcher(written) and written.keys() == {"equals"}


def _in_bfcl_form(values: Sequence[Any]) -> list[Any] | None:
    """Objects become `{key: [alternatives]}`, as in BFCL's files; None when a value is beyond that form."""
    converted = []
    for value in values:
        if _is_literal(value):
            converted.append(_literal_in_bfcl_form(value["equals"]))
        elif is_matcher(value):
            return None
        elif isinstance(value, dict):
            inner = {key: _plain_alternatives(each) for key, each in value.items()}
            if None in inner.values():
                return None
            converted.append(inner)
        elif isinstance(value, list):
            items = _in_bfcl_form(value)
            if items is None:
                return None
            converted.append(items)
        else:
            converted.append(value)
    return converted


def _literal_in_bfcl_form(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: [each] for key, each in value.items()}
    return [_literal_in_bfcl_form(item) for item in value] if isinstance(value, list) else value


def _plain_alternatives(written: Any) -> list[Any] | None:
    """The alternatives of a key inside an object: plain values, since BFCL looks no deeper."""
    said = _said(written)
    if said is None or any(_holds_matcher(value) and not _is_literal(value) for value in said):
        return None
    values = [value["equals"] if _is_literal(value) else value for value in said]
    return [*values, LEFT_OUT] if is_optional(written) and LEFT_OUT not in values else values


def _holds_matcher(value: Any) -> bool:
    if isinstance(value, dict):
        return is_matcher(value) or any(map(_holds_matcher, value.values()))
    return isinstance(value, list) and any(map(_holds_matcher, value))


def _python_type(types: Sequence[str]) -> type[Any]:
    return _PYTHON_TYPES.get(types[0], str) if types else str


def _known_type(alternatives: Sequence[Any]) -> type[Any] | None:
    return next((type(alternative) for alternative in alternatives if alternative != LEFT_OUT), None)


def _all_of_type(value: list[Any], alternative: Any, element: type) -> bool:
    if not isinstance(alternative, list):
        return True
    known = _known_type(alternative)
    return all(type(item) is element or type(item) is known for item in value)


def _fits_object(value: Mapping[str, Any], possible: Any) -> bool:
    if not isinstance(possible, dict):
        return False
    for key, inner in value.items():
        if key not in possible or _standard(inner) not in [_standard(a) for a in possible[key]]:
            return False
    return all(key in value or LEFT_OUT in alternatives for key, alternatives in possible.items())


def _fits_objects(values: list[Any], possible: Any) -> bool:
    if not _has_items(possible) or len(values) != len(possible):
        return False
    pairs = zip(values, possible, strict=True)
    return all(isinstance(value, dict) and _fits_object(value, each) for value, each in pairs)


def _has_items(alternative: Any) -> bool:
    # "" among the possible answers of a list is, to BFCL's checker, also the empty list.
    return isinstance(alternative, list) or alternative == LEFT_OUT


def _standard(value: Any) -> Any:
    return value.translate(_IGNORED).lower() if isinstance(value, str) else value
