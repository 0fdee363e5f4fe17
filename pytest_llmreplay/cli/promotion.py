"""The steps of the pipeline that follow from what `promote` was asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmreplay.cli.possible_names import confirming
from pytest_llmreplay.cli.selection import with_ids

if TYPE_CHECKING:
    from pytest_llmreplay.cli.choices import Choices
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.model.case import Case
    from pytest_llmreplay.model.conversation import Conversation
    from pytest_llmreplay.promote import Given, Step
    from pytest_llmreplay.promote.redact import Redactor
    from pytest_llmreplay.traces import ReadProblem


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

    return build_redactor(project.root, project.configs, confirming(choices.residual), fake=choices.fake)


def _expecting(project: Project, choices: Choices) -> list[Step]:
    from pytest_llmreplay.promote import expect_from_column, expect_from_file

    if choices.expect is not None:
        from pytest_llmreplay.config.expectations import load_expectations

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
