"""The system prompt of a variant: a sandboxed Jinja2 template, filled with the case's vars and its now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.errors import InfrastructureError

if TYPE_CHECKING:
    from jinja2 import Template


def render_system_prompt(template: str, case: Case) -> str:
    """Fill the template; `now` is the moment at which the conversation took place.

    Raises:
        InfrastructureError: the template is wrong, or uses something that the case does not have.
    """
    names = dict(case.vars)
    if case.occurred_at is not None:
        names["now"] = _moment(case.occurred_at)
    return render_text(template, names, f"the system prompt cannot be rendered for case {case.case_id}")


def render_text(template: str, names: Mapping[str, Any], what: str = "a template cannot be rendered") -> str:
    """Fill a sandboxed template.

    Raises:
        InfrastructureError: the template is wrong, or uses a name that is not there; `what` begins the sentence.
    """
    if "{{" not in template and "{%" not in template and "{#" not in template:
        return template
    from jinja2 import TemplateError

    try:
        return _compiled(template).render(names)
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise InfrastructureError(f"{what}: {error}", code="template") from error


@lru_cache(maxsize=64)
def _compiled(template: str) -> Template:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(template)


def _moment(occurred_at: str) -> datetime | str:
    try:
        return datetime.fromisoformat(occurred_at)
    except ValueError:
        return occurred_at
