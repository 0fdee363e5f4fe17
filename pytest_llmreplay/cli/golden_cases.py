"""Golden cases of a project, as the commands of `golden` look for them and change them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.cli.possible_names import confirming
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.text import one_line

if TYPE_CHECKING:
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.model.case import Case


def all_cases(project: Project) -> Iterator[tuple[Path, Case]]:
    """Every case with its file, in the order of the files.

    Raises:
        UserError: a file cannot be read, or a row holds no usable case.
    """
    from pytest_llmreplay.store.cases import golden_files, read_cases

    for path in golden_files([path for path in project.golden if path.exists()]):
        for case in read_cases(path):
            yield path, case


def change_cases(project: Project, case_ids: Sequence[str], change: Callable[[Case], Case | None]) -> list[str]:
    """Change these cases where they lie; all are found before the first is changed.

    Returns:
        The files that were changed, as they are shown.

    Raises:
        UserError: there is no such case, or a file cannot be written.
    """
    from pytest_llmreplay.store.cases import find_case, rewrite_cases

    places: dict[Path, set[str]] = {}
    for case_id in case_ids:
        path, case = find_case(project.golden, case_id)
        change(case)
        places.setdefault(path, set()).add(case_id)
    for path, wanted in places.items():
        rewrite_cases(path, lambda case, wanted=wanted: change(case) if case.case_id in wanted else case)  # type: ignore[misc]
    return [project.relative(path) for path in places]


class Wording:
    """What people write about golden cases, redacted as each case was.

    Args:
        project: whose rules hold.
        residual: what to do with words that may be names; None asks on a terminal.
    """

    def __init__(self, project: Project, residual: str | None) -> None:
        from pytest_llmreplay.session.redaction import build_redactor

        self._redactor = build_redactor(project.root, project.configs, confirming(residual))
        self._changed: dict[str, None] = {}

    def __call__(self, text: str, case: Case) -> str:
        """The text without what is personal.

        Raises:
            StoppedError: it holds words that may be names and there is nobody to ask.
        """
        kept = self._redactor.written(text, case)
        if kept != text:
            self._changed[kept] = None
        return kept

    def labels(self, edited: Case, before: Case) -> Case:
        """The edited case without what is personal in the labels that were changed.

        Raises:
            StoppedError: one holds words that may be names and there is nobody to ask.
        """
        from dataclasses import replace

        def text(said: str | None, kept: str | None) -> str | None:
            return said if not said or said == kept else self(said, before)

        return replace(
            edited,
            title=text(edited.title, before.title),
            summary=text(edited.summary, before.summary),
            intent=text(edited.intent, before.intent),
            tags=tuple(tag if tag in before.tags else self(tag, before) for tag in edited.tags),
        )

    def say_hidden(self) -> None:
        """Print what is kept in place of each text in which something was hidden."""
        for kept in self._changed:
            click.echo(f"redacted, so that it is kept as: {one_line(kept, 200)}")


def check_sound(case: Case, file: str) -> None:
    """Refuse a case that `validate` would refuse.

    Raises:
        UserError: its expectation has a mistake, or an open or fixed case has none.
    """
    from pytest_llmreplay.model.expectation import parse_expectation

    if case.expect or case.status in ("open", "fixed"):
        parse_expectation(case.expect, file=file)


def check_not_opened(project: Project, before: Case | None, after: Case, file: str) -> None:
    """Refuse to open a draft by way of its text, where approver and promoter must differ.

    Raises:
        UserError: it was a draft, and would run.
    """
    drafted = before is not None and before.status == "draft"
    if drafted and after.status in ("open", "fixed") and project.approver_differs:
        raise UserError(
            "approver and promoter must differ here, so only `golden approve` opens a draft",
            file=file, key="status", value=after.status,
        )  # fmt: skip


def said_by(given: str | None) -> str:
    """Who approves or promotes.

    Raises:
        UserError: nobody says.
    """
    if not given:
        raise UserError("nobody says who approves", fix="add --by NAME or set PYTEST_LLMREPLAY_USER")
    return given
