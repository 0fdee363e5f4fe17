"""`pytest-llmreplay find`: which conversations failed the same way."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.cli.mining import LogChoice, open_logs, project_signals
from pytest_llmreplay.cli.terminal import echo
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.text import one_line, printable

if TYPE_CHECKING:
    from pytest_llmreplay.mine.finding import Counted, Finding
    from pytest_llmreplay.mine.signals import Signal
    from pytest_llmreplay.traces import LogTable

_LIMIT = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for."""

    signals: tuple[str, ...]
    where: str | None
    limit: int


@click.command()
@click.argument("logs", metavar="LOGS…", nargs=-1, required=True)
@click.option("--where", metavar="EXPR", help="Only conversations for which this expression is true.")
@click.option("--signal", "signals", multiple=True, metavar="NAME", help="Those that show this signal; repeatable.")
@click.option("--limit", type=click.IntRange(min=1), default=_LIMIT, show_default=True, help="Most conversations.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write them to this Parquet file too.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.option("--format", "format_name", metavar="NAME", help="The format of the logs, instead of finding out.")
@click.option("--id-column", metavar="NAME", help="The column with the conversation's id, in plain logs.")
def find(
    logs: tuple[str, ...],
    where: str | None,
    signals: tuple[str, ...],
    limit: int,
    out: Path | None,
    as_json: bool,
    format_name: str | None,
    id_column: str | None,
) -> None:
    """Find the conversations in LOGS (files, globs, folders, s3://…) that failed in a certain way, best first.

    With several signals, those that show most of them come first. What is given beside a signal narrows the search.
    """
    from pytest_llmreplay.config import find_project
    from pytest_llmreplay.mine.caches import user_caches
    from pytest_llmreplay.mine.finding import Counted

    if where is None and not signals:
        raise UserError("say what to look for: --signal NAME or --where EXPR", fix="pytest-llmreplay signals list")
    known = project_signals(find_project(Path.cwd()))
    asked = Asked(signals, where, limit)
    counted = Counted()
    with open_logs(LogChoice(logs, format_name, id_column, where), user_caches()) as table:
        findings = _findings(table, known, asked, counted)
        searched = table.size()
    if out is not None:
        _write(out, findings)
    if as_json:
        echo(json.dumps([finding.as_row() for finding in findings], ensure_ascii=True, indent=2))
        return
    for finding in findings:
        echo(_line(finding))
    click.echo(_summary(asked, counted, searched))
    click.echo(f"next: {_next(logs, findings, out)}")


def _findings(table: LogTable, known: dict[str, Signal], asked: Asked, counted: Counted) -> list[Finding]:
    from pytest_llmreplay.mine.finding import best_shown, by_expression, by_signals, first_rows
    from pytest_llmreplay.mine.signals import chosen, evidence, scan
    from pytest_llmreplay.traces import CANONICAL_COLUMNS, canonical_conversation

    scores: dict[int, float] = {}
    if asked.signals:
        wanted = chosen(known, asked.signals)
        met = scan(table.connection, wanted, canonical_conversation, CANONICAL_COLUMNS)
        scores = {shown.row: score for score, shown in best_shown(met, len(wanted), asked.limit, counted)}
    else:
        scores = dict.fromkeys(first_rows(table.connection, asked.limit, counted), 1.0)
    rows = list(scores)
    conversations = table.conversations(rows)
    with table.narrowed(rows) as narrow:
        met = scan(narrow.connection, tuple(known.values()), canonical_conversation, CANONICAL_COLUMNS)
        told = {shown.row: evidence(shown, conversations[shown.row], known) for shown in met}
    if asked.signals:
        return [by_signals(scores[row], row, conversations[row], told.get(row, ()), asked.signals) for row in rows]
    return [by_expression(row, conversations[row], told.get(row, ()), asked.where or "") for row in rows]


def _write(out: Path, findings: Sequence[Finding]) -> None:
    """Write the matches, readable by their owner only: they hold what customers wrote."""
    from pytest_llmreplay.mine.finding import write_matches
    from pytest_llmreplay.store.atomic import write_atomically

    def write(path: Path) -> None:
        path.touch(mode=0o600)
        write_matches(path, findings)

    write_atomically(out, write)


def _line(finding: Finding) -> str:
    turn = "-" if finding.turn is None else str(finding.turn)
    return (
        f"{finding.score:.2f}  {one_line(finding.conversation_id, 60)}  turn {turn}  {one_line(finding.text, 100)}\n"
        f"      {one_line(finding.why, 200)}"
    )


def _summary(asked: Asked, counted: Counted, searched: int) -> str:
    """How many there are, and what was searched for."""
    what = [f"signal {name}" for name in asked.signals]
    what += [f"where {' '.join(asked.where.split())}"] if asked.where is not None else []
    shown = f"; the best {asked.limit} are shown" if counted.matches > asked.limit else ""
    found = f"{counted.matches:,} of {searched:,}" if counted.matches else f"none of {searched:,}"
    return printable(f"{found} conversations match ({', '.join(what)}){shown}")


def _next(logs: Sequence[str], findings: Sequence[Finding], out: Path | None) -> str:
    """The command that makes sense now."""
    named = " ".join(printable(shlex.quote(log)) for log in logs)
    if not findings:
        return "pytest-llmreplay signals list"
    if out is not None:
        return f"pytest-llmreplay promote {named} --ids {printable(shlex.quote(str(out)))}"
    return f"pytest-llmreplay promote {named} --id {printable(shlex.quote(findings[0].conversation_id))}"
