"""What `promote` was asked for, and the steps of the pipeline that follow from it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_llmreplay.model.case import REFERENCES
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.text import one_line

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_llmreplay.config import Project
    from pytest_llmreplay.model.case import Case, FailureCategory, FailureStage, Severity
    from pytest_llmreplay.model.conversation import Conversation
    from pytest_llmreplay.promote import Given, Step
    from pytest_llmreplay.promote.redact import Redactor
    from pytest_llmreplay.providers.recorded import RecordMode
    from pytest_llmreplay.traces import ReadProblem


@dataclass(frozen=True, slots=True)
class Choices:
    """The options of `promote`, by their names."""

    ids: tuple[str, ...]
    ids_file: str | None
    where: str | None
    sample: int | None
    by: str | None
    expect: Path | None
    expect_column: str | None
    like_trace: str | None
    control: bool
    turn: int | None
    id_column: str | None
    format_name: str | None
    residual: str | None
    fake: bool
    store_personal_data: str | None
    store: str
    on_duplicate: str
    allow_passing: bool
    borrow: tuple[str, ...]
    stubs: tuple[str, ...]
    failure_category: FailureCategory | None
    failure_stage: FailureStage | None
    severity: Severity | None
    intent: str | None
    title: str | None
    summary: str | None
    owner: str | None
    due: datetime | None
    expires: datetime | None
    tags: tuple[str, ...]
    promoted_by: str | None
    reproduce: int | None
    variant: str | None
    max_cost: float | None
    record: RecordMode | None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Choices:
        """The options, after those that exclude each other are refused.

        Raises:
            UserError: two options exclude each other, or a reason is empty.
        """
        choices = cls(**{field.name: options[field.name] for field in fields(cls)})
        given = [name for name in ("expect", "expect_column", "like_trace") if getattr(choices, name) is not None]
        if len(given) > 1:
            names = " and ".join("--" + name.replace("_", "-") for name in given)
            raise UserError(f"{names} exclude each other")
        if choices.store == REFERENCES and choices.borrow:
            fix = "a borrowed result is another customer's text; write one with --stub TOOL=JSON"
            raise UserError("--store references and --borrow exclude each other", fix=fix)
        if (choices.reproduce is None) != (choices.variant is None):
            raise UserError("--reproduce N and --variant V belong together")
        if choices.reproduce is None and (choices.max_cost is not None or choices.record is not None):
            raise UserError("--max-cost and --record say nothing without --reproduce")
        if choices.store_personal_data is not None:
            if not choices.store_personal_data.strip():
                raise UserError("needs a reason, which is kept in each case", key="--store-personal-data")
            if choices.fake or choices.residual:
                raise UserError("--store-personal-data redacts nothing, so --fake and --residual say nothing with it")
        return choices


def pipeline_steps(
    project: Project,
    logs: Sequence[str],
    choices: Choices,
    redactor: Redactor | None,
    problems: list[ReadProblem],
) -> list[Step]:
    """The steps of the pipeline, in their order; without a redactor the text is stored as it was logged."""
    from pytest_llmreplay.promote import label, parse_stub, propose, prove, stub, with_status
    from pytest_llmreplay.promote.redact import stored_as_logged

    steps = _expecting(project, choices)
    if choices.stubs:
        steps.append(stub(dict(parse_stub(written) for written in choices.stubs)))
    if choices.borrow:
        steps.append(_borrowing(choices, problems))
    steps.append(stored_as_logged(choices.store_personal_data or "") if redactor is None else redactor)
    steps.append(label(given_by(choices), *(() if redactor is None else (redactor.written,))))
    if choices.expect is None and choices.expect_column is None:
        steps.append(propose(_liking(logs, choices, redactor, problems)))
    steps.append(prove(allow_passing=choices.allow_passing))
    if choices.expires is not None:
        expires = choices.expires.date().isoformat()
        steps.append(lambda case: replace(case, expires_at=expires))
    return [*steps, with_status]


def redactor_for(project: Project, choices: Choices) -> Redactor | None:
    """The redactor of a promotion; None where a reason is given for storing the text as it was logged."""
    if choices.store_personal_data:
        return None
    from pytest_llmreplay.session.redaction import build_redactor

    return build_redactor(project.root, project.configs, _confirming(choices), fake=choices.fake)


def _expecting(project: Project, choices: Choices) -> list[Step]:
    from pytest_llmreplay.promote import expect_from_column, expect_from_file

    if choices.expect is not None:
        from pytest_llmreplay.config import load_expectations

        return [expect_from_file(load_expectations(choices.expect, root=project.root))]
    return [] if choices.expect_column is None else [expect_from_column(choices.expect_column)]


def given_by(choices: Choices) -> Given:
    """The labels that the options give."""
    from pytest_llmreplay.promote import Given

    return Given(
        failure_category=choices.failure_category,
        failure_stage=choices.failure_stage,
        severity=choices.severity,
        intent=choices.intent,
        summary=choices.summary,
        title=choices.title,
        owner=choices.owner,
        due=None if choices.due is None else choices.due.date().isoformat(),
        tags=choices.tags,
    )


def _borrowing(choices: Choices, problems: list[ReadProblem]) -> Step:
    from functools import lru_cache

    from pytest_llmreplay.promote import Lender, borrow
    from pytest_llmreplay.traces import read_conversations

    @lru_cache(maxsize=1)
    def lender() -> Lender:
        return Lender.of(read_conversations(choices.borrow, on_problem=problems.append))

    def step(case: Case) -> Case:
        return borrow(lender())(case)

    return step


def _liking(
    logs: Sequence[str], choices: Choices, redactor: Redactor | None, problems: list[ReadProblem]
) -> Callable[[Case], Conversation | None]:
    from functools import lru_cache

    from pytest_llmreplay.cli.selection import with_ids
    from pytest_llmreplay.traces import read_conversations

    wanted = choices.like_trace
    if wanted is None:
        return lambda _case: None

    @lru_cache(maxsize=1)
    def good() -> Conversation:
        conversations = read_conversations(
            [*logs, *choices.borrow],
            format=choices.format_name,
            id_column=choices.id_column,
            on_problem=problems.append,
        )
        return next(iter(with_ids(conversations, [wanted])))

    return lambda case: good() if redactor is None else redactor.conversation(good(), like=case)


def _confirming(choices: Choices) -> Callable[[Sequence[str]], Collection[str]]:
    """Who says which words are names: the option, else a person on a terminal, else nobody."""
    from pytest_llmreplay.promote import StoppedError

    if choices.residual is not None:
        return lambda words: words if choices.residual == "redact" else ()
    if sys.stdin.isatty():
        return _Asking()

    def nobody(words: Sequence[str]) -> Collection[str]:
        count = f"{len(words)} words" if len(words) > 1 else "one word"
        raise StoppedError(
            f"{count} of its text may be names, and there is no terminal to ask on; say --residual redact or keep, or "
            "list product words in configs/redaction.yaml"
        )

    return nobody


class _Asking:
    """Asks a person which words are names, about each word once."""

    def __init__(self) -> None:
        self._names: dict[str, bool] = {}

    def __call__(self, words: Sequence[str]) -> Collection[str]:
        new = [word for word in words if word not in self._names]
        if new:
            click.echo(f"These words may be names: {', '.join(one_line(word) for word in new)}")
            answer = click.prompt("Which are? all, none, or the words", default="all")
            named = {word.strip().casefold() for word in answer.replace(",", " ").split()}
            for word in new:
                self._names[word] = named == {"all"} or word.casefold() in named
        return [word for word in words if self._names[word]]
