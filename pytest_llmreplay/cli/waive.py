"""`pytest-llmreplay waive`: tolerate a red case until a day, with a name and a reason."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.model.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from pytest_llmreplay.config import Project


@click.command()
@click.argument("case_id", metavar="CASE")
@click.option("--until", required=True, metavar="DATE", help="The last day on which it holds, as in 2026-03-31.")
@click.option("--owner", required=True, metavar="NAME", help="Who answers for it.")
@click.option("--reason", required=True, metavar="TEXT", help="Why the case may be red until then.")
def waive(case_id: str, until: str, owner: str, reason: str) -> None:
    """Tolerate that CASE is red until DATE; written to configs/waivers.yaml and shown in every decision.

    A waiver that the case has already is replaced.
    """
    from pytest_llmreplay.compare.policy import Waiver
    from pytest_llmreplay.config import find_project
    from pytest_llmreplay.config.waivers import load_waivers, waivers_text
    from pytest_llmreplay.model.written import parse_written
    from pytest_llmreplay.report.text import one_line
    from pytest_llmreplay.store.atomic import write_text_atomically

    project = find_project(Path.cwd())
    _known(project, case_id)
    data = {"case": case_id, "until": _day(until), "owner": owner.strip(), "reason": " ".join(reason.split())}
    waiver = parse_written(Waiver, data)
    path = project.configs / "waivers.yaml"
    waivers = load_waivers(path)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    write_text_atomically(path, waivers_text(before, waivers, waiver))
    replaced = any(earlier.case == case_id for earlier in waivers)
    said = "waived anew" if replaced else "waived"
    click.echo(f"{case_id} is {said} until {waiver.until} ({one_line(owner)}: {one_line(reason)})")
    click.echo(f"next: commit {project.relative(path)}, then pytest-llmreplay gate")


def _day(until: str) -> dt.date:
    try:
        day = dt.date.fromisoformat(until)
    except ValueError:
        raise UserError("is no date; write it as 2026-03-31", key="--until", value=until) from None
    if day < dt.datetime.now(dt.UTC).date():
        raise UserError("is in the past, so the waiver would never hold", key="--until", value=until)
    return day


def _known(project: Project, case_id: str) -> None:
    from pytest_llmreplay.store.cases import golden_files, read_index

    paths = golden_files([path for path in project.golden if path.exists()])
    known = [entry.case_id for path in paths for entry in read_index(path) if entry.case_id]
    if case_id not in known:
        nearest = did_you_mean(case_id, known)
        hint = f"did you mean '{nearest}'?" if nearest else f"known cases: {len(known)}"
        raise UserError("no golden case has this id", key="CASE", value=case_id, fix=hint)
