"""`golden approve`, `retire`, `prune` and `compact`: the life of a case."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.cli.possible_names import RESIDUAL
from pytest_llmreplay.cli.terminal import confirmed
from pytest_llmreplay.model.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.model.case import Case

_USER = "PYTEST_LLMREPLAY_USER"


@click.command()
@click.argument("case_ids", nargs=-1, required=True, metavar="CASE...")
@click.option("--by", metavar="NAME", envvar=_USER, help=f"Who approves (default: {_USER}).")
@click.option(
    "--not-the-promoter", is_flag=True, envvar="PYTEST_LLMREPLAY_FOUR_EYES", help="Refuse to approve one's own."
)
def approve(case_ids: tuple[str, ...], by: str | None, not_the_promoter: bool) -> None:
    """Approve drafts: an incident is open from now on, a control fixed."""
    from dataclasses import replace
    from datetime import UTC, datetime

    from pytest_llmreplay.cli.golden_cases import change_cases, check_sound, said_by
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.promote import PROPOSED

    approver = said_by(by)
    project = find_project(Path.cwd())
    must_differ = not_the_promoter or project.approver_differs
    now = datetime.now(UTC).isoformat(timespec="seconds")

    def change(case: Case) -> Case:
        if case.status != "draft":
            raise UserError(f"is {case.status}, and only a draft is approved", file=case.case_id)
        if must_differ and case.provenance.promoted_by in (None, approver):
            who = "nobody says who promoted it" if case.provenance.promoted_by is None else "it is your own promotion"
            raise UserError(f"{who}, and approver and promoter must differ", file=case.case_id)
        metadata = {name: value for name, value in case.metadata.items() if name != PROPOSED}
        approved = replace(
            case,
            status="fixed" if case.kind == "control" else "open",
            metadata={**metadata, "approval": {"by": approver, "at": now}},
        )
        check_sound(approved, case.case_id)
        return approved

    files = change_cases(project, case_ids, change)
    click.echo(f"{len(case_ids)} cases approved by {approver}")
    click.echo(f"next: pytest {' '.join(files)}")


@click.command()
@click.argument("case_ids", nargs=-1, required=True, metavar="CASE...")
@click.option("--reason", required=True, metavar="TEXT", help="Why they need not run any more; it is redacted.")
@click.option("--residual", type=RESIDUAL, help="What to do with words of the reason that may be names.")
def retire(case_ids: tuple[str, ...], reason: str, residual: str | None) -> None:
    """Retire cases: they are kept and run no more."""
    from dataclasses import replace

    from pytest_llmreplay.cli.golden_cases import Wording, change_cases
    from pytest_llmreplay.config.project import find_project

    project = find_project(Path.cwd())
    wording = Wording(project, residual)

    def change(case: Case) -> Case:
        because = {"retired_because": wording(reason, case)}
        return replace(case, status="retired", metadata={**case.metadata, **because})

    files = change_cases(project, case_ids, change)
    wording.say_hidden()
    click.echo(f"{len(case_ids)} cases retired in {', '.join(files)}")
    click.echo("next: commit golden/")


@click.command()
@click.option("--expired", is_flag=True, help="Cases whose expires_at has passed.")
@click.option("--retired", is_flag=True, help="Retired cases.")
@click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
def prune(expired: bool, retired: bool, yes: bool) -> None:
    """Remove cases for good; the history of the repository still has them."""
    from datetime import UTC, datetime

    from pytest_llmreplay.cli.golden_cases import all_cases
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.store.cases import rewrite_cases

    if not (expired or retired):
        raise UserError("say what to prune: --expired, --retired or both")
    project = find_project(Path.cwd())
    today = datetime.now(UTC).date().isoformat()

    def goes(case: Case) -> bool:
        # A day stands for its end, so that a case lives through the day it expires on.
        past = case.expires_at is not None and case.expires_at[:10] < today
        return (expired and past) or (retired and case.status == "retired")

    found = [(path, case) for path, case in all_cases(project) if goes(case)]
    if not found:
        click.echo("nothing to prune")
        return
    for path, case in found:
        click.echo(f"  {case.case_id}  {case.status}, expires {case.expires_at or 'never'}  ({project.relative(path)})")
    confirmed(f"Remove these {len(found)} cases?", yes)
    for path in dict.fromkeys(path for path, _ in found):
        rewrite_cases(path, lambda case: None if goes(case) else case)
    click.echo(f"{len(found)} cases removed")
    click.echo("next: commit golden/")


@click.command()
@click.argument("suite")
@click.option("--out", type=click.Path(path_type=Path), help="The file to write (default: golden/SUITE.parquet).")
@click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
def compact(suite: str, out: Path | None, yes: bool) -> None:
    """Merge the files that hold nothing but cases of SUITE into one."""
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.store.cases import write_cases

    project = find_project(Path.cwd())
    files = _files_of(project, suite)
    target = out or project.golden[0] / f"{suite}.parquet"
    if len(files) < 2:
        click.echo(f"nothing to compact: {len(files)} files hold only cases of '{suite}'")
        return
    if target.exists() and target.resolve() not in {path.resolve() for path, _ in files}:
        raise UserError("exists already, and holds other cases", file=str(target))
    cases = [case for _, part in files for case in part]
    for path, part in files:
        click.echo(f"  {project.relative(path)}: {len(part)} cases")
    confirmed(f"Merge them into {project.relative(target)}?", yes)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_cases(target, cases, replace=True)
    for path, _ in files:
        if path.resolve() != target.resolve():
            path.unlink()
    click.echo(f"{len(cases)} cases are now in {project.relative(target)}")
    click.echo("next: pytest-llmreplay validate")


def _files_of(project: Project, suite: str) -> list[tuple[Path, Sequence[Case]]]:
    from pytest_llmreplay.store.cases import golden_files, read_cases

    files: list[tuple[Path, Sequence[Case]]] = []
    for path in golden_files([path for path in project.golden if path.exists()]):
        cases = read_cases(path)
        if cases and all(case.suite == suite for case in cases):
            files.append((path, cases))
    return files
