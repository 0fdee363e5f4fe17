"""`pytest-llmreplay signals …`: the signals of failure that this project knows."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pytest_llmreplay.report.text import printable


@click.group()
def signals() -> None:
    """Deterministic signals of failure."""


@signals.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_signals(as_json: bool) -> None:
    """List every signal with its category, stage and definition: the built-in ones and your own."""
    from tabulate import tabulate

    from pytest_llmreplay.cli.mining import project_signals
    from pytest_llmreplay.config.project import find_project

    known = project_signals(find_project(Path.cwd()))
    rows = [
        {
            "name": signal.name,
            "category": signal.category,
            "stage": signal.stage,
            "evaluated_in": "SQL" if signal.find is None else "Python",
            "definition": signal.definition,
        }
        for signal in known.values()
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=True))
        return
    shown = [(row["name"], row["category"], row["stage"], row["definition"]) for row in rows]
    headers = ("signal", "category", "stage", "shows where")
    click.echo(printable(tabulate(shown, headers=headers, maxcolwidths=(None, None, None, 80))))
    click.echo("next: pytest-llmreplay find LOGS --signal NAME")
