"""The words with which an expectation says more of a value than which one it is."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from pytest_llmreplay.model.errors import Problems, UserError
from pytest_llmreplay.model.written import Written, parse_written

JsonType = Literal["string", "integer", "number", "boolean", "array", "object", "null"]
Place = Literal["argument", "alternative", "element"]

_JSON_TYPES = ["string", "integer", "number", "boolean", "array", "object", "null"]
_LITERAL_HINT = "`equals:` takes a literal that would look like a matcher"


def as_list(value: Any) -> Any:
    """One text stands for the list that holds it."""
    return [value] if isinstance(value, str) else value


def _drop_defaults(schema: JsonSchemaValue) -> None:
    for field in schema.get("properties", {}).values():
        field.pop("default", None)


class TextRules(Written):
    """How texts are made alike before they are compared; NFC always applies."""

    value: str | None = Field(None, description="Short for `equals` beside `text`.")
    trim: bool = Field(False, description="White space at both ends does not count.")
    casefold: bool = Field(False, description="Upper and lower case are the same.")
    collapse_ws: bool = Field(False, description="Any run of white space counts as one space.")


class Approx(Written):
    """How far a number may be from the expected one: the larger of the two tolerances counts."""

    value: float | None = Field(None, description="Short for `equals` beside `approx`.")
    abs: float = Field(0.0, ge=0, allow_inf_nan=False, description="Largest absolute difference.")
    rel: float = Field(0.0, ge=0, allow_inf_nan=False, description="Largest difference as a share of the expected.")


class Matcher(Written):
    """A value in `args` whose keys are all matcher words; every word that stands there must hold.

    Which words stand there is `model_fields_set`; the defaults mean nothing.
    """

    model_config = ConfigDict(json_schema_extra=_drop_defaults)

    equals: Any = Field(None, description="This literal, even if it looks like a matcher.")
    one_of: list[Any] = Field([], description="One of these values or matchers; an empty list matches nothing.")
    any: Literal[True] = Field(True, description="Whatever it is, but present.")
    regex: str = Field("", description="Python regular expression, found anywhere in the text; ^ and $ anchor it.")
    contains: Any = Field(None, description="A text holds this text; a list holds an element that matches this.")
    approx: Approx = Field(Approx(), description="Numbers in `equals` and `one_of` need only be this near.")
    text: TextRules = Field(TextRules(), description="Texts are made alike before they are compared.")
    unordered_list: list[Any] = Field([], description="A list of exactly these elements, in any order.")
    type: Annotated[
        list[JsonType],
        BeforeValidator(as_list),
        WithJsonSchema({"anyOf": [{"enum": _JSON_TYPES}, {"type": "array", "items": {"enum": _JSON_TYPES}}]}),
    ] = Field([], description="JSON type, or a list of them.")
    absent: Literal[True] = Field(True, description="Must not be there.")
    optional: bool = Field(False, description="May be left out, but must match when it is there.")


MATCHER_WORDS = frozenset(Matcher.model_fields)
_MODIFIERS = frozenset({"text", "approx", "optional"})


class _LiteralOrMatcher:
    """Makes editors offer the matcher words wherever any JSON value may stand."""

    def __get_pydantic_json_schema__(self, _: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [handler(Matcher.__pydantic_core_schema__), {}]}


ArgumentValue = Annotated[Any, _LiteralOrMatcher()]


def is_matcher(value: object) -> bool:
    """Whether a value in `args` is a matcher: a mapping whose keys, one at least, are all matcher words."""
    return isinstance(value, dict) and bool(value) and MATCHER_WORDS.issuperset(value)


def value_problems(value: Any, key: str, place: Place = "argument") -> Iterator[UserError]:
    """Every mistake in a value of `args`, nested ones too.

    Args:
        value: the value as it was written.
        key: its path in the file, for the errors.
        place: where it stands; only an argument may be `optional`, and no list has an `absent` element.
    """
    if value is None or isinstance(value, str | int):
        return
    if isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from value_problems(inner, f"{key}[{index}]", "element")
    elif is_matcher(value):
        yield from _matcher_problems(value, key, place)
    elif isinstance(value, dict):
        yield from _key_problems(value, key)
        for name, inner in value.items():
            yield from value_problems(inner, f"{key}.{name}")
    else:
        yield from _scalar_problems(value, key)


def literal_problems(value: Any, key: str) -> Iterator[UserError]:
    """Every place where a literal is not what JSON can hold."""
    if isinstance(value, dict):
        yield from _key_problems(value, key)
        for name, inner in value.items():
            yield from literal_problems(inner, f"{key}.{name}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from literal_problems(inner, f"{key}[{index}]")
    else:
        yield from _scalar_problems(value, key)


def regex_problems(pattern: str, key: str) -> Iterator[UserError]:
    """Why a pattern cannot be used: it does not compile, or it matches every text."""
    if not pattern:
        yield UserError("an empty pattern matches every text", key=key)
        return
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        yield UserError(f"is not a regular expression: {error}", key=key, value=pattern)


def _matcher_problems(value: Mapping[str, Any], key: str, place: Place) -> Iterator[UserError]:
    try:
        matcher = parse_written(Matcher, value, key=key)
    except Problems as error:
        yield from error.problems
        yield UserError(_LITERAL_HINT, key=key, value=dict(value))
        return
    except UserError as error:
        yield UserError(f"{error.args[0].removeprefix(f'{error.key}: ')}; {_LITERAL_HINT}", key=error.key)
        return
    yield from _word_problems(matcher, key, place)
    if "equals" in value:
        yield from literal_problems(matcher.equals, f"{key}.equals")
    if "regex" in value:
        yield from regex_problems(matcher.regex, f"{key}.regex")
    if "contains" in value:
        yield from _contains_problems(matcher.contains, f"{key}.contains")
    for word, inner_place in (("one_of", "alternative"), ("unordered_list", "element")):
        for index, inner in enumerate(getattr(matcher, word)):
            yield from value_problems(inner, f"{key}.{word}[{index}]", inner_place)  # type: ignore[arg-type]


def _word_problems(matcher: Matcher, key: str, place: Place) -> Iterator[UserError]:
    words = matcher.model_fields_set
    if place != "argument" and "optional" in words:
        yield UserError("only an argument can be optional", key=f"{key}.optional")
    if "absent" in words:
        if place == "element":
            yield UserError("an element of a list cannot be absent", key=f"{key}.absent")
        if len(words) > 1:
            yield UserError("says that nothing is there, so no other word may stand beside it", key=f"{key}.absent")
    compared = words & {"equals", "one_of", "contains", "regex"}
    if "text" in words and not compared and matcher.text.value is None:
        yield UserError(
            "says how texts are compared, not with what; write equals, one_of, contains or regex beside it, or value "
            "in it",
            key=f"{key}.text",
        )
    if "approx" in words:
        yield from _approx_problems(matcher, key)
    if "type" in words and not matcher.type:
        yield UserError("names no type", key=f"{key}.type")


def _approx_problems(matcher: Matcher, key: str) -> Iterator[UserError]:
    if not matcher.model_fields_set & {"equals", "one_of"} and matcher.approx.value is None:
        yield UserError(
            "says how near, not to what; write equals or one_of beside it, or value in it", key=f"{key}.approx"
        )
    if not matcher.approx.abs and not matcher.approx.rel:
        yield UserError("has no tolerance; write abs or rel", key=f"{key}.approx")


def _contains_problems(value: Any, key: str) -> Iterator[UserError]:
    if value == "":
        yield UserError("every text contains the empty text", key=key)
    yield from value_problems(value, key, "element")


def _key_problems(value: Mapping[Any, Any], key: str) -> Iterator[UserError]:
    for name in value:
        if not isinstance(name, str):
            yield UserError("keys of a JSON object are text; write it in quotes", key=key, value=name)


def _scalar_problems(value: Any, key: str) -> Iterator[UserError]:
    if isinstance(value, float) and not math.isfinite(value):
        yield UserError("JSON has no such number", key=key, value=value)
    elif value is not None and not isinstance(value, str | int | float):
        yield UserError(
            f"is a {type(value).__name__}, which JSON does not have; write it in quotes", key=key, value=value
        )
