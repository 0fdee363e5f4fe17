"""`pytest-llmreplay validate`: every problem in golden files and configs, at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.model.errors import Problems, UserError
from pytest_llmreplay.report.text import printable

if TYPE_CHECKING:
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.model.case import Case
    from pytest_llmreplay.model.variant import Variant


@click.command()
def validate() -> None:
    """Check the golden files and the configs of this project; exit code 1 when there is a problem."""
    from pytest_llmreplay.config.check import check_configs
    from pytest_llmreplay.config.project import find_project

    project = find_project(Path.cwd())
    variants, problems = check_configs(project.configs, project.root)
    cases = list(_cases(project, problems))
    for warning in _warnings(cases, variants):
        click.echo(f"warning: {printable(warning)}")
    # A rubric with a mistake is met as a file, and again with each case that names it.
    sentences = list(dict.fromkeys(str(problem) for problem in problems))
    for sentence in sentences:
        click.echo(f"problem: {printable(sentence)}", err=True)
    click.echo(f"{len(cases)} cases, {len(variants)} variants, {len(sentences)} problems")
    if problems:
        click.get_current_context().exit(1)
    click.echo("next: pytest golden/" if cases else "next: pytest-llmreplay promote LOGS")


def _cases(project: Project, problems: list[UserError]) -> Iterator[Case]:
    from pytest_llmreplay.store.cases import is_case_file

    places: dict[str, str] = {}
    for path in [path for golden in project.golden for path in _parquet(golden)]:
        try:
            if is_case_file(path):
                yield from _cases_in(path, project, places, problems)
        except UserError as error:
            problems.append(error)


def _parquet(golden: Path) -> list[Path]:
    """The Parquet files of a suite, readable or not: here each one that is not is a problem of its own."""
    return [golden] if golden.is_file() else sorted(golden.rglob("*.parquet"))


def _cases_in(path: Path, project: Project, places: dict[str, str], problems: list[UserError]) -> Iterator[Case]:
    from pytest_llmreplay.store.cases import BadCase, BadRow, CaseFile, read_index

    file, name = CaseFile(path), project.relative(path)
    for entry in read_index(path):
        if isinstance(entry, BadRow):
            problems.append(UserError(entry.reason, file=f"{name}: row {entry.row + 1}", key=entry.field))
            continue
        if entry.case_id in places:
            problems.append(UserError(f"case '{entry.case_id}' is also in {places[entry.case_id]}", file=name))
        places.setdefault(entry.case_id, name)
        try:
            case = file.load(entry.row)
        except BadCase as error:
            problems.append(UserError(error.reason, file=f"{name}: row {entry.row + 1}", key=error.field))
            continue
        problems.extend(_expectation_problems(case, name, project.root))
        yield case


def _expectation_problems(case: Case, name: str, root: Path) -> Iterator[UserError]:
    from pytest_llmreplay.config.judge import rubric_of
    from pytest_llmreplay.model.conversation import turns_of
    from pytest_llmreplay.model.expectation import parse_expectation
    from pytest_llmreplay.model.rubric import RubricReference

    if not 1 <= case.turn <= len(turns_of(case.messages)):
        yield UserError(
            "the conversation has no such turn", file=f"{name}::{case.case_id}", key="turn", value=case.turn
        )
    if case.status in ("draft", "retired") and not case.expect:
        return
    try:
        rubric = parse_expectation(case.expect, file=f"{name}::{case.case_id}").rubric
        if isinstance(rubric, RubricReference) and not (root / rubric.file).is_file():
            place = f"{name}::{case.case_id}"
            yield UserError("there is no such rubric", file=place, key="expect.rubric.file", value=rubric.file)
        elif rubric is not None:
            rubric_of(rubric, root)
    except Problems as error:
        yield from error.problems
    except UserError as error:
        yield error


def _warnings(cases: list[Case], variants: list[Variant]) -> Iterator[str]:
    suites = sorted({case.suite for case in cases})
    variant_effects = any(tool.effect for variant in variants for tool in variant.tools or ())
    for suite in suites:
        tools = [tool for case in cases if case.suite == suite for tool in case.tools or ()]
        if not variant_effects and not any(tool.effect for tool in tools):
            yield (
                f"suite '{suite}' declares no effects (effect: read|write), so an extra call that changes something "
                "passes in silence"
            )
    yield from _unoffered_names(cases, variants)
    drafts = sum(case.status == "draft" for case in cases)
    if drafts:
        yield f"{drafts} cases are drafts and do not run"


def _unoffered_names(cases: list[Case], variants: list[Variant]) -> Iterator[str]:
    """Names under `forbidden` and `called` that nobody offers: a typo there would stay green for ever."""
    offered_by_variants = {tool.name for variant in variants for tool in variant.tools or ()}
    places: dict[str, list[str]] = {}
    for case in cases:
        calls = case.expect.get("calls") or {}
        if case.tools is None or not isinstance(calls, dict):
            continue
        offered = offered_by_variants | {tool.name for tool in case.tools}
        for name in [*(calls.get("forbidden") or ()), *(calls.get("called") or ())]:
            if name not in offered:
                places.setdefault(str(name), []).append(case.case_id)
    for name, case_ids in sorted(places.items()):
        yield f"tool '{name}' is named in {len(case_ids)} case(s), such as {case_ids[0]}, and offered nowhere"
