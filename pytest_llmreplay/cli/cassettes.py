"""`pytest-llmreplay cassettes …`: recordings that a team commits."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.text import one_line

if TYPE_CHECKING:
    from pytest_llmreplay.store.recordings import RecordingStore


@click.group()
def cassettes() -> None:
    """Look at recordings and publish them as cassettes."""


@cassettes.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("golden/cassettes/recorded.parquet"))
@click.option("--replace", is_flag=True, help="Replace the file if it exists.")
def commit(out: Path, replace: bool) -> None:
    """Publish the project's recordings as a cassette, for CI that must not send anything."""
    from pytest_llmreplay.store.recording_upkeep import commit as publish

    store = _store()
    if not len(store):
        raise UserError("nothing is recorded", fix="run pytest golden/ first")
    count = publish(store, out, replace=replace)
    click.echo(f"{count} recordings written to {out}")
    click.echo("next: commit it, and run pytest golden/ --llmreplay-record none")


@cassettes.command()
def compact() -> None:
    """Merge the project's own recordings into one file; of two under one key the later one stays."""
    from pytest_llmreplay.store.recording_upkeep import compact as merge

    count = merge(_store().folder)
    click.echo(f"{count} files merged into one" if count > 1 else "there is nothing to merge")
    click.echo("next: pytest-llmreplay cassettes show")


@cassettes.command()
@click.option("--older-than", "days", type=click.IntRange(min=0), required=True, metavar="DAYS")
def prune(days: int) -> None:
    """Remove the project's own recordings that are older than DAYS days."""
    from pytest_llmreplay.store.recording_upkeep import prune as remove

    oldest = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="milliseconds")
    count = remove(_store().folder, lambda entry: (entry.recorded_at or "") >= oldest)
    click.echo(f"{count} recordings removed")
    click.echo("next: pytest-llmreplay cassettes compact")


@cassettes.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line, with request and response.")
def show(as_json: bool) -> None:
    """List the recordings, own ones and cassettes."""
    store = _store()
    if as_json:
        for record in store.records():
            click.echo(json.dumps(record, ensure_ascii=True))
        return
    from tabulate import tabulate

    rows = [
        [e.key[:12], one_line(e.model or "", 40), e.trial, e.recorded_at, one_line(e.provider or "", 60)]
        for e in store.entries()
    ]
    if not rows:
        raise UserError("nothing is recorded", fix="run pytest golden/ first")
    click.echo(tabulate(rows, headers=["key", "model", "trial", "recorded", "provider"], disable_numparse=True))
    click.echo("next: pytest-llmreplay cassettes commit")


def _store() -> RecordingStore:
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.store.recordings import RecordingStore

    project = find_project(Path.cwd())
    store = RecordingStore(project.state / "recordings", [project.root / "golden" / "cassettes"])
    store.seal_abandoned()
    return store
