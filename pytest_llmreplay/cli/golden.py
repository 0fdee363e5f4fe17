"""`pytest-llmreplay golden …`: looking at golden cases and changing them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import click

from pytest_llmreplay.cli.golden_diff import diff
from pytest_llmreplay.cli.golden_status import approve, compact, prune, retire
from pytest_llmreplay.cli.golden_text import edit, export, import_
from pytest_llmreplay.cli.golden_tools import migrate, migrate_tools
from pytest_llmreplay.model.case import CaseStatus
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.text import one_line, printable


@click.group()
def golden() -> None:
    """Look at golden cases and change them."""


for _command in (approve, compact, diff, edit, export, import_, migrate, migrate_tools, prune, retire):
    golden.add_command(_command)


@golden.command("list")
@click.option("--status", type=click.Choice(get_args(CaseStatus)), help="Only these.")
@click.option("--suite", metavar="NAME", help="Only this suite.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON line a case.")
def list_(status: str | None, suite: str | None, as_json: bool) -> None:
    """List the cases, one a line."""
    from tabulate import tabulate

    from pytest_llmreplay.cli.golden_cases import all_cases
    from pytest_llmreplay.config.project import find_project

    project = find_project(Path.cwd())
    rows = [
        {
            "case_id": case.case_id,
            "suite": case.suite,
            "kind": case.kind,
            "status": case.status,
            "severity": case.severity,
            "weight": case.weight,
            "owner": case.owner,
            "due": case.due,
            "title": case.title,
            "file": project.relative(path),
        }
        for path, case in all_cases(project)
        if status in (None, case.status) and suite in (None, case.suite)
    ]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    shown = ("case_id", "kind", "status", "severity", "weight", "owner", "due", "title")
    table = [[one_line(str(row[name] if row[name] is not None else ""), 50) for name in shown] for row in rows]
    if table:
        click.echo(printable(tabulate(table, headers=shown, disable_numparse=True)))
    click.echo(f"{len(rows)} cases")
    click.echo(
        f"next: pytest-llmreplay golden show {rows[0]['case_id']}" if rows else "next: pytest-llmreplay promote LOGS"
    )


@golden.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def stats(as_json: bool) -> None:
    """Count the cases by suite, status, kind and label."""
    from pytest_llmreplay.cli.golden_cases import all_cases
    from pytest_llmreplay.config.project import find_project

    cases = [case for _, case in all_cases(find_project(Path.cwd()))]
    names = ("suite", "status", "kind", "severity", "failure_category", "failure_stage", "intent", "owner")
    counts: dict[str, dict[str, int]] = {}
    for name in names:
        counted = Counter(str(getattr(case, name) or "not said") for case in cases)
        counts[name] = dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))
    weight = sum(case.weight for case in cases)
    if as_json:
        click.echo(json.dumps({"cases": len(cases), "weight": weight, **counts}))
        return
    click.echo(f"{len(cases)} cases, standing for {weight:g} production conversations")
    for name, counted_names in counts.items():
        shown = ", ".join(f"{count} {one_line(value)}" for value, count in counted_names.items())
        click.echo(f"{name.replace('_', ' ')}: {shown or 'none'}")
    click.echo("next: pytest-llmreplay golden list")


@golden.command()
@click.argument("case_id", metavar="CASE")
def show(case_id: str) -> None:
    """Print one case readably, as YAML."""
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.store.case_text import case_to_yaml
    from pytest_llmreplay.store.cases import find_case

    project = find_project(Path.cwd())
    path, case = find_case(project.golden, case_id)
    click.echo(f"# {project.relative(path)}")
    click.echo(printable(case_to_yaml(case)), nl=False)


@golden.command()
@click.argument("case_id", metavar="CASE")
@click.argument("result", metavar="TOOL=JSON")
@click.option("--args", "arguments", metavar="JSON", help="Only for a call with these arguments (default: any).")
def stub(case_id: str, result: str, arguments: str | None) -> None:
    """Give a case the result of a tool that production never called, so that its replay can go on."""
    from dataclasses import replace

    from pytest_llmreplay.cli.golden_cases import change_cases
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.model.canonical import canonical_json
    from pytest_llmreplay.model.case import ANY_ARGUMENTS, Case, RecordedResult
    from pytest_llmreplay.promote import parse_stub

    tool, value = parse_stub(result)
    spelled = ANY_ARGUMENTS if arguments is None else canonical_json(_json(arguments, "--args"))

    def change(case: Case) -> Case:
        stubbed = RecordedResult(case.turn, tool, spelled, value, source="stub")
        kept = tuple(r for r in case.recorded_results if (r.name, r.arguments, r.source) != (tool, spelled, "stub"))
        return replace(case, recorded_results=(*kept, stubbed))

    [file] = change_cases(find_project(Path.cwd()), [case_id], change)
    click.echo(f"{case_id}: a call of {tool} is now answered in {file}")
    click.echo(f"next: pytest {file} -k {case_id}")


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f"{what} is not JSON: {error}", value=text) from error
