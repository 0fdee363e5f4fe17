"""`pytest-llmreplay baseline …`: what is fixed once stays fixed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_llmreplay.cli.terminal import confirmed
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.paint import plural
from pytest_llmreplay.report.text import printable

if TYPE_CHECKING:
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.model.case import Case
    from pytest_llmreplay.model.outcome import Outcome


_NO_ANSWER = ("error", "not_run")


@click.group()
def baseline() -> None:
    """Accept what a candidate fixed."""


@baseline.command()
@click.argument("run", default="last")
@click.option("--variant", metavar="NAME", help="The candidate to accept, when the run has more than one.")
@click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
def accept(run: str, variant: str | None, yes: bool) -> None:
    """Accept a candidate of RUN (default: the last) as the baseline that later ones are compared with.

    The open cases that it passed become fixed and must pass from then on; a case that has changed since the run is left
    alone. Its outcomes are kept in golden/baseline.parquet, so that later runs need not replay it.
    """
    from pytest_llmreplay.compare.ratchet import accept as accepted_cases
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.store.runs import RunStore

    project = find_project(Path.cwd())
    info, outcomes = RunStore(project.state).load(run)
    candidate = _candidate(info, outcomes, variant)
    replayed = [outcome for outcome in outcomes if outcome.variant == candidate]
    mine = [outcome for outcome in replayed if outcome.status not in _NO_ANSWER]
    passed = set(accepted_cases(replayed))
    chosen = {o.case_id: o for o in mine if o.case_id in passed}
    if chosen:
        become = "becomes" if len(chosen) == 1 else "become"
        click.echo(f"{plural(len(chosen), 'open case')} passed on {candidate} and {become} fixed:")
    else:
        click.echo(f"{candidate} passed no open case in this run; none becomes fixed.")
    for case_id, outcome in sorted(chosen.items()):
        click.echo(f"  {printable(case_id)}  ({printable(outcome.case_file)})")
    click.echo(_what_is_kept(candidate, mine, len(replayed) - len(mine)))
    confirmed("Accept them?", yes)
    fixed = _accept(project, chosen)
    _keep_outcomes(project, info, mine, fixed)
    click.echo("next: commit golden/, then pytest golden/")


def _what_is_kept(candidate: str, outcomes: Sequence[Outcome], left_out: int) -> str:
    statuses = Counter(outcome.status for outcome in outcomes)
    told = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    become = "becomes" if len(outcomes) == 1 else "become"
    kept = f"{plural(len(outcomes), 'outcome')} of {candidate} {become} the accepted baseline ({told or 'none'})"
    return f"{kept}; left out: {left_out} in trouble or never run" if left_out else kept


def _accept(project: Project, chosen: dict[str, Outcome]) -> list[str]:
    from pytest_llmreplay.store.cases import rewrite_cases

    fixed: list[str] = []
    for file in sorted({outcome.case_file for outcome in chosen.values()}):
        rewrite_cases(project.root / file, _fixing(chosen, fixed))
    for case_id in sorted(set(chosen) - set(fixed)):
        click.echo(f"left alone: {case_id} is no longer the case that was replayed", err=True)
    click.echo(f"fixed from now on: {plural(len(fixed), 'case')}")
    return fixed


def _keep_outcomes(project: Project, info: dict[str, Any], mine: Sequence[Outcome], fixed: Sequence[str]) -> None:
    """Write `golden/baseline.parquet`, in which the cases have the status that they have from now on."""
    from dataclasses import replace
    from datetime import UTC, datetime

    from pytest_llmreplay.cli.material import baseline_file
    from pytest_llmreplay.store.baseline import write_baseline

    changed = set(fixed)
    kept = [replace(o, case_status="fixed") if o.case_id in changed else o for o in mine]
    path = baseline_file(project)
    about = {
        "variant": mine[0].variant,
        "about": (info.get("variants") or {}).get(mine[0].variant),
        "run_id": info.get("run_id"),
        "git_commit": info.get("git_commit"),
        "versions": info.get("versions"),
        "accepted_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    rows = write_baseline(path, kept, about)
    click.echo(f"{project.relative(path)} holds {plural(rows, 'accepted outcome')}.")


def _fixing(chosen: dict[str, Outcome], fixed: list[str]) -> Callable[[Case], Case]:
    from dataclasses import replace

    def change(case: Case) -> Case:
        outcome = chosen.get(case.case_id)
        if outcome is None or case.status != "open" or case.content_digest != outcome.case_digest:
            return case
        fixed.append(case.case_id)
        return replace(case, status="fixed")

    return change


def _candidate(info: dict[str, Any], outcomes: Sequence[Outcome], wanted: str | None) -> str:
    names = sorted({outcome.variant for outcome in outcomes})
    candidates = [name for name in names if name != info.get("baseline")] or names
    if wanted is not None:
        if wanted not in names:
            raise UserError("the run has no such variant", key="--variant", value=wanted, allowed=names)
        return wanted
    if len(candidates) != 1:
        raise UserError("the run has more than one candidate", key="--variant", allowed=candidates)
    return candidates[0]
