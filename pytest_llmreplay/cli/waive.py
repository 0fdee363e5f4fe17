"""`pytest-llmreplay waive`: tolerate a red case until a day, with a name and a reason."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.cli.possible_names import RESIDUAL
from pytest_llmreplay.model.errors import UserError

if TYPE_CHECKING:
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.model.case import Case


@click.command()
@click.argument("case_id", metavar="CASE")
@click.option("--until", required=True, metavar="DATE", help="The last day on which it holds, as in 2026-03-31.")
@click.option("--owner", required=True, metavar="NAME", help="Who answers for it.")
@click.option("--reason", required=True, metavar="TEXT", help="Why the case may be red until then; it is redacted.")
@click.option("--residual", type=RESIDUAL, help="What to do with words of the reason that may be names.")
def waive(case_id: str, until: str, owner: str, reason: str, residual: str | None) -> None:
    """Tolerate that CASE is red until DATE; written to configs/waivers.yaml and shown in every decision.

    A waiver that the case has already is replaced.
    """
    from pytest_llmreplay.cli.golden_cases import Wording
    from pytest_llmreplay.compare.policy import Waiver
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.config.waivers import load_waivers, waivers_text
    from pytest_llmreplay.model.written import parse_written
    from pytest_llmreplay.report.text import one_line
    from pytest_llmreplay.store.atomic import write_text_atomically

    project = find_project(Path.cwd())
    case = _case(project, case_id)
    day, wording = _day(until), Wording(project, residual)
    kept = wording(" ".join(reason.split()), case)
    data = {"case": case_id, "until": day, "owner": owner.strip(), "reason": kept}
    waiver = parse_written(Waiver, data)
    path = project.configs / "waivers.yaml"
    waivers = load_waivers(path)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    write_text_atomically(path, waivers_text(before, waivers, waiver))
    replaced = any(earlier.case == case_id for earlier in waivers)
    said = "waived anew" if replaced else "waived"
    wording.say_hidden()
    click.echo(f"{case_id} is {said} until {waiver.until} ({one_line(owner)}: {one_line(kept)})")
    click.echo(f"next: commit {project.relative(path)}, then pytest-llmreplay gate")


def _day(until: str) -> dt.date:
    try:
        day = dt.date.fromisoformat(until)
    except ValueError:
        raise UserError("is no date; write it as 2026-03-31", key="--until", value=until) from None
    if day < dt.datetime.now(dt.UTC).date():
        raise UserError("is in the past, so the waiver would never hold", key="--until", value=until)
    return day


def _case(project: Project, case_id: str) -> Case:
    from pytest_llmreplay.store.cases import find_case

    return find_case([path for path in project.golden if path.exists()], case_id)[1]
