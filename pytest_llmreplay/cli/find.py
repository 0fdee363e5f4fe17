"""`pytest-llmreplay find`: which conversations failed the same way."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.cli.candidates import Asked, Search
from pytest_llmreplay.cli.embedding import STATIC, embedder_named
from pytest_llmreplay.cli.logs import LogChoice, choosing_logs
from pytest_llmreplay.cli.mining import open_logs, project_signals
from pytest_llmreplay.cli.progress import display
from pytest_llmreplay.cli.terminal import echo, echo_json
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.text import one_line, printable

if TYPE_CHECKING:
    from pytest_llmreplay.mine.finding import Counted, Finding

_LIMIT = 50


@click.command()
@click.argument("logs", metavar="LOGS…", nargs=-1, required=True)
@click.option("--like", metavar="TEXT", help="Those whose users say something like this, however they put it.")
@click.option("--like-trace", metavar="ID", help="Those whose users say something like in this conversation.")
@click.option("--signal", "signals", multiple=True, metavar="NAME", help="Those that show this signal; repeatable.")
@click.option("--limit", type=click.IntRange(min=1), default=_LIMIT, show_default=True, help="Most conversations.")
@click.option("--confirm", "model", metavar="MODEL", help="Keep only what this model confirms; or a variant's file.")
@click.option("--embedding", default=STATIC, metavar="MODEL", help="For --like: static (default), or a model's name.")
@click.option("--max-cost", type=click.FloatRange(min=0), default=1.0, show_default=True, metavar="USD")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write them to this Parquet file too.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@choosing_logs
def find(
    logs: LogChoice,
    like: str | None,
    like_trace: str | None,
    signals: tuple[str, ...],
    limit: int,
    model: str | None,
    embedding: str,
    max_cost: float,
    out: Path | None,
    as_json: bool,
) -> None:
    """Find the conversations in LOGS (files, globs, folders, s3://…) that failed in a certain way, best first.

    With several signals, those that show most of them come first. What is given together narrows the search.
    """
    asked = Asked(like, like_trace, signals, logs.where, limit)
    _refuse(asked, model)
    logs.refuse_overwriting(out)
    found = _found(logs, asked, model, embedding, max_cost)
    if out is not None:
        _write(out, found.findings)
    if found.confirmed is not None:
        click.echo(found.confirmed, err=as_json)
    if as_json:
        echo_json(json.dumps([finding.as_row() for finding in found.findings], ensure_ascii=True, indent=2))
        return
    for finding in found.findings:
        echo(_line(finding))
    click.echo(_summary(asked, found))
    click.echo(f"next: {_next(logs, found.findings, out)}")


@dataclass(frozen=True, slots=True)
class _Found:
    """What came of a search: among how many conversations, and in words what a model confirmed of it."""

    findings: Sequence[Finding]
    counted: Counted
    searched: int
    confirmed: str | None


def _found(logs: LogChoice, asked: Asked, model: str | None, embedding: str, max_cost: float) -> _Found:
    from pytest_llmreplay.cli.confirming import Confirming
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.mine.caches import user_caches
    from pytest_llmreplay.mine.finding import Counted
    from pytest_llmreplay.providers.budget import Budget

    project = find_project(Path.cwd())
    known, caches, counted = project_signals(project), user_caches(), Counted()
    budget = Budget(max_cost_usd=max_cost)
    with display() as shown, open_logs(logs, caches, shown) as table:
        search = Search(table, known, caches, lambda: embedder_named(embedding, budget), embedding == STATIC, shown)
        findings = search.find(asked, counted)
        if model is None:
            return _Found(findings, counted, table.size(), None)
        conversations = table.conversations([finding.row for finding in findings])
        confirming = Confirming(project, model, budget, shown)
        confirmed = confirming.confirm(findings, conversations, asked.in_words(known))
        return _Found(confirmed.findings, counted, table.size(), confirmed.in_words)


def _refuse(asked: Asked, model: str | None) -> None:
    """Refuse options that say nothing, or exclude each other.

    Raises:
        UserError: they do.
    """
    if asked.like is not None and asked.like_trace is not None:
        raise UserError("--like and --like-trace exclude each other")
    if asked.like is None and asked.like_trace is None and asked.where is None and not asked.signals:
        raise UserError("say what to look for: --like, --like-trace, --signal or --where")
    if model is not None and asked.like is None and not asked.signals:
        raise UserError("there is nothing to ask the model about; say --like or --signal", key="--confirm")


def _write(out: Path, findings: Sequence[Finding]) -> None:
    """Write the matches, readable by their owner only: they hold what customers wrote."""
    from pytest_llmreplay.mine.finding import write_matches
    from pytest_llmreplay.store.atomic import write_privately

    write_privately(out, lambda path: write_matches(path, findings))


def _line(finding: Finding) -> str:
    turn = "-" if finding.turn is None else str(finding.turn)
    score = round(finding.score, 2) or 0.0  # not -0.0
    return (
        f"{score:.2f}  {one_line(finding.conversation_id, 60)}  turn {turn}  {one_line(finding.text, 100)}\n"
        f"      {one_line(finding.why, 200)}"
    )


def _summary(asked: Asked, found: _Found) -> str:
    """How many there are, and what was searched for."""
    what, matches = asked.briefly(), found.counted.matches
    if not found.findings:
        return printable(f"none of {found.searched:,} conversations matches ({what})")
    if matches is None:
        return printable(f"the nearest {len(found.findings):,} of {found.searched:,} conversations ({what})")
    more = f"; the best {asked.limit:,} were taken" if matches > asked.limit else ""
    return printable(f"{matches:,} of {found.searched:,} conversations match ({what}){more}")


def _next(logs: LogChoice, findings: Sequence[Finding], out: Path | None) -> str:
    """The command that makes sense now."""
    if not findings:
        return "pytest-llmreplay signals list"
    if out is not None:
        return f"pytest-llmreplay promote {logs.quoted} --ids {printable(shlex.quote(str(out)))}"
    return f"pytest-llmreplay promote {logs.quoted} --id {printable(shlex.quote(findings[0].conversation_id))}"
