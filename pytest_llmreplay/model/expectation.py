"""What is expected of whoever answers a case, as a person writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, PlainValidator, Tag, WithJsonSchema

from pytest_llmreplay.model.errors import Problems, UserError
from pytest_llmreplay.model.matchers import (
    ArgumentValue,
    TextRules,
    as_list,
    is_matcher,
    literal_problems,
    regex_problems,
    value_problems,
)
from pytest_llmreplay.model.rubric import InlineRubric, RubricReference
from pytest_llmreplay.model.written import Written, parse_written

Order = Literal["strict", "in_order", "any_order", "at_least", "at_most", "none"]
Scope = Literal["step", "turn", "conversation"]
Match = Literal["exact", "subset", "superset", "ignore"]
Coerce = Literal["numeric", "none", "schema", "bfcl"]

_ORDERS = ("strict", "in_order", "any_order", "at_least", "at_most", "none")
_ALIASES = {"superset": "at_least", "subset": "at_most"}


def _order(value: Any) -> Any:
    return _ALIASES.get(value, value) if isinstance(value, str) else value


def _bounds(value: Any) -> Any:
    return {"exactly": value} if isinstance(value, int) and not isinstance(value, bool) else value


def _occurrence(value: Any) -> Any:
    if value in ("first", "last") or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise ValueError("must be first, last, or a number from 1")


def _rubric_kind(value: Any) -> str:
    # By the values, so that a mistyped key is compared with the keys that were meant.
    named = all(isinstance(inner, str) for inner in value.values()) if isinstance(value, Mapping) else True
    return (RubricReference if named and not isinstance(value, InlineRubric) else InlineRubric).__name__


Texts = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    BeforeValidator(as_list),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


Occurrence = Annotated[
    int | str,
    PlainValidator(_occurrence),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"enum": ["first", "last"]}]}),
]


class Bounds(Written):
    """How often a tool may be called; a plain number is short for `exactly`."""

    min: int | None = Field(None, ge=0)
    max: int | None = Field(None, ge=0)
    exactly: int | None = Field(None, ge=0)


class ExpectedCall(Written):
    """One call that the target is expected to make.

    Without `args` the arguments are not compared; with `args: {}` there must be none.
    """

    name: str = Field(min_length=1, description="The tool's name.")
    args: dict[str, ArgumentValue] | None = Field(None, description="Parameter names with literals or matchers.")
    match: Match = Field("exact", description="subset: actual ⊆ expected; superset: actual ⊇ expected.")
    keys: tuple[str, ...] | None = Field(None, description="Compare only these of `args`; a.b is b inside a.")
    coerce: Coerce | None = Field(None, description="Instead of the one under `calls`.")
    null_is_absent: bool | None = Field(None, description="Instead of the one under `calls`.")
    occurrence: Occurrence | None = Field(None, description="Which of the calls of this tool it must be, from 1.")


class CallsExpectation(Written):
    """What is expected of the tool calls."""

    order: Annotated[Order, BeforeValidator(_order), WithJsonSchema({"enum": [*_ORDERS, *_ALIASES]})] = "at_least"
    scope: Scope = Field("turn", description="step: the first assistant message; turn: the failing turn.")
    parallel: Literal["unordered", "ordered"] = Field("unordered", description="Calls inside one assistant message.")
    expected: tuple[ExpectedCall, ...] = ()
    forbidden: tuple[Annotated[str, Field(min_length=1)], ...] = Field((), description="Tools never to be called.")
    check_schema: bool = Field(False, alias="schema", description="Every call is valid against the offered tools.")
    coerce: Coerce = "numeric"
    null_is_absent: bool = Field(False, description="An argument that is null counts as left out.")
    called: dict[str, Annotated[Bounds, BeforeValidator(_bounds)]] = Field(
        default_factory=dict, description="How often, by tool."
    )
    no_repeats: bool = Field(False, description="No two calls with equal tool and arguments.")
    max_calls: int | None = Field(None, ge=0, description="Most calls of all tools together.")


class AnswerExpectation(Written):
    """What is expected of the answer's text."""

    equals: str | None = Field(None, min_length=1)
    contains_any: Texts | None = None
    contains_all: Texts | None = None
    not_contains: Texts | None = None
    regex: Texts | None = None
    not_regex: Texts | None = None
    json_schema: dict[str, Any] | None = Field(None, description="The answer, parsed as JSON, is valid against this.")
    max_chars: int | None = Field(None, ge=1, description="Most characters (Unicode code points, NFC).")
    text: TextRules | None = None


class Limits(Written):
    """What a trial may consume at most."""

    steps: int | None = Field(None, ge=0, description="Requests to the target.")
    tool_calls: int | None = Field(None, ge=0, description="Tool calls in all replayed turns.")
    latency_s: float | None = Field(None, ge=0, allow_inf_nan=False, description="Seconds that the target took.")
    input_tokens: int | None = Field(None, ge=0)
    output_tokens: int | None = Field(None, ge=0)
    cost_usd: float | None = Field(None, ge=0, allow_inf_nan=False, description="US dollars.")


RubricExpectation = Annotated[
    Annotated[RubricReference, Tag("RubricReference")] | Annotated[InlineRubric, Tag("InlineRubric")],
    Discriminator(_rubric_kind),
]
"""The rubric by which a judge looks at what was done: its file, or the rubric itself."""


class Expectation(Written):
    """All that is expected of whoever answers a case; nothing that is not said is checked."""

    calls: CallsExpectation | None = None
    answer: AnswerExpectation | None = None
    limits: Limits | None = None
    rubric: RubricExpectation | None = Field(
        None, description="`file:` names the rubric, or the rubric itself stands here; `reference`: a good answer."
    )


def parse_expectation(data: Mapping[str, Any], *, file: str | None = None) -> Expectation:
    """Read an expectation from plain data.

    Args:
        data: the mapping below `expect`, or a mapping whose only key beside `kind` is `expect`.
        file: where it was written, for the errors.

    Raises:
        UserError: it is empty, or something in it is unknown, contradictory or could never fail; all mistakes at once.
    """
    body: Any = data
    if isinstance(data, Mapping) and "expect" in data and set(data) <= {"expect", "kind"}:
        body = data["expect"]
    try:
        expectation = parse_written(Expectation, body, file=file, key="expect")
        problems = list(_problems(expectation))
    except RecursionError:
        raise UserError("is nested too deeply", file=file, key="expect") from None
    if problems:
        found = [_in_file(problem, file) for problem in problems]
        raise found[0] if len(found) == 1 else Problems(found)
    return expectation


def calls_problems(calls: CallsExpectation, key: str = "expect.calls") -> Iterator[UserError]:
    """What is contradictory, or could never fail, in what is expected of the calls."""
    if not _asserts_calls(calls):
        yield UserError(
            "asserts nothing; write expected, forbidden, schema, called, no_repeats, max_calls or order: none", key=key
        )
    if calls.order == "none" and calls.expected:
        yield UserError("order none expects no call, yet calls are expected", key=f"{key}.expected")
    forbidden = set(calls.forbidden)
    for index, call in enumerate(calls.expected):
        place = f"{key}.expected[{index}]"
        if call.name in forbidden:
            yield UserError("is expected and forbidden", key=f"{place}.name", value=call.name)
        yield from _call_problems(call, place)
    for tool, bounds in calls.called.items():
        yield from _bounds_problems(bounds, f"{key}.called.{tool}")


def _problems(expectation: Expectation) -> Iterator[UserError]:
    if all(part is None for part in (expectation.calls, expectation.answer, expectation.limits, expectation.rubric)):
        yield UserError("is empty and would pass whatever happens; write calls, answer, limits or rubric", key="expect")
    if expectation.calls is not None:
        yield from calls_problems(expectation.calls)
    if expectation.answer is not None:
        yield from _answer_problems(expectation.answer, "expect.answer")
    if expectation.limits is not None and not _says_anything(expectation.limits):
        yield UserError("limits nothing", key="expect.limits", allowed=list(Limits.model_fields))


def _asserts_calls(calls: CallsExpectation) -> bool:
    # `expected: []` is an assertion where a call too many can fail it, and none where it cannot.
    counted = calls.order in ("strict", "any_order", "at_most") and "expected" in calls.model_fields_set
    return bool(
        calls.expected
        or counted
        or calls.order == "none"
        or calls.forbidden
        or calls.check_schema
        or calls.called
        or calls.no_repeats
        or calls.max_calls is not None
    )


def _call_problems(call: ExpectedCall, key: str) -> Iterator[UserError]:
    for name, value in (call.args or {}).items():
        yield from value_problems(value, f"{key}.args.{name}")
    if call.keys is None:
        return
    if not call.keys:
        yield UserError("is empty, so no argument would be compared; leave args out to say so", key=f"{key}.keys")
    elif call.args is None:
        yield UserError("says which of args to compare, but there are no args", key=f"{key}.keys")
    for index, path in enumerate(call.keys if call.args is not None else ()):
        if not has_key(call.args or {}, path):
            yield UserError(
                "is not in args, so nothing would be compared",
                key=f"{key}.keys[{index}]",
                value=path,
                allowed=list(call.args or {}),
                fix=f"write '{path}: {{absent: true}}' in args if it must be left out",
            )


def has_key(args: Mapping[str, Any], path: str) -> bool:
    """Whether `args` holds a dotted path; a parameter whose own name has dots is found first."""
    if path in args:
        return True
    head, _, rest = path.partition(".")
    inner = args.get(head)
    return bool(rest) and isinstance(inner, Mapping) and not is_matcher(inner) and has_key(inner, rest)


def _bounds_problems(bounds: Bounds, key: str) -> Iterator[UserError]:
    if bounds.exactly is not None and (bounds.min is not None or bounds.max is not None):
        yield UserError("exactly stands alone, without min and max", key=key)
    elif bounds.exactly is None and bounds.max is None and not bounds.min:
        yield UserError("bounds nothing; write min (1 or more), max or exactly", key=key)
    elif bounds.min is not None and bounds.max is not None and bounds.min > bounds.max:
        yield UserError(f"min {bounds.min} is greater than max {bounds.max}", key=key)


def _answer_problems(answer: AnswerExpectation, key: str) -> Iterator[UserError]:
    if not _says_anything(answer, besides={"text"}):
        allowed = [name for name in AnswerExpectation.model_fields if name != "text"]
        yield UserError("asserts nothing", key=key, allowed=allowed)
    for name in ("contains_any", "contains_all", "not_contains", "regex", "not_regex"):
        texts = getattr(answer, name)
        if texts is not None and not texts:
            yield UserError("is an empty list, which asserts nothing or fails always", key=f"{key}.{name}")
    for name in ("regex", "not_regex"):
        for pattern in getattr(answer, name) or ():
            yield from regex_problems(pattern, f"{key}.{name}")
    if answer.text is not None and answer.text.value is not None:
        yield UserError("write equals beside text instead", key=f"{key}.text.value")
    if answer.json_schema is not None:
        yield from literal_problems(answer.json_schema, f"{key}.json_schema")
        yield from _schema_problems(answer.json_schema, f"{key}.json_schema")


def _schema_problems(schema: dict[str, Any], key: str) -> Iterator[UserError]:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    if not schema:
        yield UserError("is empty, and every JSON value is valid against it", key=key)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        yield UserError(f"is no JSON Schema 2020-12: {error.json_path}: {error.message}", key=key)


def _says_anything(written: Written, besides: frozenset[str] | set[str] = frozenset()) -> bool:
    return any(getattr(written, name) is not None for name in written.model_fields_set - besides)


def _in_file(problem: UserError, file: str | None) -> UserError:
    if file is not None:
        problem.args = (f"{file}: {problem}",)
    return problem
