"""What a person writes: pydantic models that refuse unknown keys, and errors that say where and what is allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from pytest_llmreplay.model.errors import Problems, UserError


class Written(BaseModel):
    """Base of everything a person writes in a YAML file: unknown keys are refused.

    A model's validator is built when it is first used: most sessions meet few of the many kinds of files.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


W = TypeVar("W", bound=BaseModel)


def parse_written(model: type[W], data: Any, *, file: str | None = None, key: str = "") -> W:
    """Validate plain data against a model.

    Args:
        model: the pydantic model.
        data: what the YAML loader gave.
        file: the file it came from, for the error.
        key: the path of `data` in that file, for the error.

    Raises:
        UserError: one sentence a mistake; all mistakes at once.
    """
    if not isinstance(data, Mapping):
        raise UserError("must be a mapping of keys to values", file=file, key=key or None, value=data)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = [_problem(model, details, file, key) for details in error.errors(include_url=False)]
        raise problems[0] if len(problems) == 1 else Problems(problems) from None


def _problem(model: type[BaseModel], details: ErrorDetails, file: str | None, prefix: str) -> UserError:
    path = details["loc"]
    tags = _union_tags(model, path)
    shown = [part for index, part in enumerate(path) if index not in tags]
    key = prefix
    for part in shown:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else str(part)
    if details["type"] == "extra_forbidden":
        allowed = sorted({name for m in _models_at(model, path[:-1]) for name in _keys(m)})
        return UserError("unknown key", file=file, key=key, value=str(path[-1]), allowed=allowed)
    if details["type"] == "missing":
        return UserError("is missing", file=file, key=key)
    if details["type"] == "literal_error":
        allowed = [word.strip().strip("'") for word in details["ctx"]["expected"].replace(" or ", ", ").split(",")]
        return UserError("unknown value", file=file, key=key, value=details["input"], allowed=allowed)
    if details["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return _tag_problem(details, file, key)
    cause = details.get("ctx", {}).get("error")
    problem = str(cause) if cause is not None else details["msg"].removeprefix("Value error, ")
    return UserError(problem[:1].lower() + problem[1:], file=file, key=key or None, value=details["input"])


def _tag_problem(details: ErrorDetails, file: str | None, key: str) -> UserError:
    context = details["ctx"]
    discriminator = context["discriminator"].strip("'")
    place = f"{key}.{discriminator}" if key else discriminator
    if details["type"] == "union_tag_not_found":
        return UserError("is missing", file=file, key=place)
    allowed = [word.strip().strip("'") for word in context["expected_tags"].split(",")]
    return UserError("unknown value", file=file, key=place, value=context["tag"], allowed=allowed)


def _keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name


def _models_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[type[BaseModel]]:
    models = [model]
    for part in path:
        models = _step(models, part)
    return models


def _step(models: list[type[BaseModel]], part: int | str) -> list[type[BaseModel]]:
    """The models that may stand at `part` below any of `models`; a union's tag narrows instead of descending."""
    if _is_tag(models, part):
        return [model for model in models if _has_tag(model, part)]
    below = [
        child
        for model in models
        for name, field in model.model_fields.items()
        if part in (name, field.alias)
        for child in _models_in(field.annotation)
    ]
    return below or models


def _union_tags(model: type[BaseModel], path: tuple[int | str, ...]) -> set[int]:
    """Indexes of the parts of an error's path that name a union's member and no key of the file."""
    tags: set[int] = set()
    models = [model]
    for index, part in enumerate(path):
        if _is_tag(models, part):
            tags.add(index)
        models = _step(models, part)
    return tags


def _is_tag(models: list[type[BaseModel]], part: int | str) -> bool:
    """Whether a part of an error's path is the tag that pydantic puts there for a member of a union."""
    return len(models) > 1 and isinstance(part, str) and any(_has_tag(model, part) for model in models)


def _has_tag(model: type[BaseModel], tag: int | str) -> bool:
    return tag == model.__name__ or any(tag in get_args(field.annotation) for field in model.model_fields.values())


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
