"""`pytest-llmreplay golden …`: looking at golden cases and changing them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.text import printable


@click.group()
def golden() -> None:
    """Look at golden cases and change them."""


@golden.command()
@click.argument("case_id", metavar="CASE")
def show(case_id: str) -> None:
    """Print one case readably, as YAML."""
    from pytest_llmreplay.config import find_project
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

    from pytest_llmreplay.config import find_project
    from pytest_llmreplay.model.canonical import canonical_json
    from pytest_llmreplay.model.case import ANY_ARGUMENTS, Case, RecordedResult
    from pytest_llmreplay.store.cases import find_case, rewrite_cases

    tool, separator, value = result.partition("=")
    if not separator or not tool:
        raise UserError("must be TOOL=JSON", key="TOOL=JSON", value=result)
    _json(value, "the result")
    project = find_project(Path.cwd())
    path, case = find_case(project.golden, case_id)
    spelled = ANY_ARGUMENTS if arguments is None else canonical_json(_json(arguments, "--args"))
    stubbed = RecordedResult(case.turn, tool, spelled, value, source="stub")

    def change(other: Case) -> Case:
        if other.case_id != case.case_id:
            return other
        kept = tuple(r for r in other.recorded_results if (r.name, r.arguments, r.source) != (tool, spelled, "stub"))
        return replace(other, recorded_results=(*kept, stubbed))

    rewrite_cases(path, change)
    click.echo(f"{case.case_id}: a call of {tool} is now answered in {project.relative(path)}")
    click.echo(f"next: pytest {project.relative(path)} -k {case.case_id}")


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f"{what} is not JSON: {error}", value=text) from error
