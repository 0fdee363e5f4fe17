"""`pytest-llmreplay triage`: what fails, since when, and is it isolated or systemic."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.cli.embedding import STATIC, embedder_named
from pytest_llmreplay.cli.logs import LogChoice, choosing_logs
from pytest_llmreplay.cli.mining import open_logs, project_signals
from pytest_llmreplay.cli.naming import Naming
from pytest_llmreplay.cli.possible_names import RESIDUAL
from pytest_llmreplay.cli.progress import display
from pytest_llmreplay.cli.since import since_time
from pytest_llmreplay.cli.terminal import echo, echo_json
from pytest_llmreplay.cli.triage_outputs import Wanted, suggestions_text
from pytest_llmreplay.cli.triaging import INTENT, TriageAsked, Triaging, refuse_unknown
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.text import printable

if TYPE_CHECKING:
    from pytest_llmreplay.mine.triage import Triage
    from pytest_llmreplay.mine.triage.suggestions import Suggestion
    from pytest_llmreplay.report.triage_links import Example

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("logs", metavar="LOGS…", nargs=-1, required=True)
@click.option("--by", multiple=True, metavar="NAME", help="Group by this: intent, tool, model, …; repeatable.")
@click.option("--failed", metavar="EXPR", help="A conversation failed when this expression is true of it.")
@click.option("--signal", "signals", multiple=True, metavar="NAME", help="It failed when it shows this; repeatable.")
@click.option("--since", metavar="TIME", help="Only what began since: 2026-01-31, or 7d or 24h before now.")
@click.option("--intents", type=click.Path(dir_okay=False, path_type=Path), help="Keep intents in this file.")
@click.option("--name-with", "namer", metavar="MODEL", help="Have this model name the intents; or a variant's file.")
@click.option("--embedding", default=STATIC, metavar="MODEL", help="For intents: static (default), or a model's name.")
@click.option("--max-cost", type=click.FloatRange(min=0), default=1.0, show_default=True, metavar="USD")
@click.option("--suggest", type=click.IntRange(min=1), metavar="N", help="Propose N failures to promote, and controls.")
@click.option("--out", type=_FILE, metavar="FILE", help="With --suggest: write them, for promote --ids.")
@click.option("--promote", "to_promote", is_flag=True, help="With --suggest: promote them as drafts.")
@click.option("--suite", metavar="NAME", help="With --promote: the suite's name.")
@click.option("--residual", type=RESIDUAL, help="With --promote: words that may be names.")
@click.option("--html", type=_FILE, metavar="FILE", help="Write a page to look at; it holds what customers wrote.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@choosing_logs
def triage(
    logs: LogChoice,
    by: tuple[str, ...],
    failed: str | None,
    signals: tuple[str, ...],
    since: str | None,
    intents: Path | None,
    namer: str | None,
    embedding: str,
    max_cost: float,
    suggest: int | None,
    out: Path | None,
    to_promote: bool,
    suite: str | None,
    residual: str | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Say what fails in LOGS (files, globs, folders, s3://…), since when, and whether it is isolated or systemic.

    The first line is what the evidence is strongest for, or that nothing stands out.
    """
    wanted = Wanted(suggest, out, to_promote, suite, residual, html)
    wanted.refuse(as_json=as_json)
    logs.refuse_overwriting(out, html, intents)
    start = None if since is None else since_time(since, datetime.now(UTC))
    asked = TriageAsked(by, failed, signals, start, intents)
    refuse_unknown(by)
    if namer is not None and INTENT not in asked.dimensions:
        raise UserError("there are no intents to name; say --by intent too", key="--name-with", value=namer)
    done = _triaged(logs, asked, wanted, namer, embedding, max_cost)
    wanted.write(done.found, done.examples, logs.paths)
    suggestions = [one.suggestion for one in done.examples]
    if as_json:
        _print_json(done.found, suggestions if suggest is not None else None)
        return
    _print(done.found, asked)
    if suggest is None:
        click.echo(f"next: {_after(done, logs)}")
        return
    for line in suggestions_text(suggestions, done.found.failing.count):
        echo(line)
    if suggestions and to_promote:
        click.get_current_context().exit(wanted.promote(logs, suggestions))
    click.echo(f"next: {_after_suggesting(logs, suggestions, out)}")


@dataclass(frozen=True, slots=True)
class _Triaged:
    """What came of a triage, the conversations that are suggested or shown, and the names of all signals."""

    found: Triage
    examples: Sequence[Example]
    signals: frozenset[str]


def _triaged(
    logs: LogChoice, asked: TriageAsked, wanted: Wanted, namer: str | None, embedding: str, max_cost: float
) -> _Triaged:
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.mine.caches import user_caches
    from pytest_llmreplay.providers.budget import Budget

    project = find_project(Path.cwd())
    known, caches, budget = project_signals(project), user_caches(), Budget(max_cost_usd=max_cost)
    with display() as shown, open_logs(logs, caches, shown) as table:
        naming = None if namer is None else Naming(project, namer, budget, shown)
        embedder = partial(embedder_named, embedding, budget)
        triaging = Triaging(table, known, caches, shown, embedder, naming)
        found = triaging.triage(asked)
        return _Triaged(found, wanted.examples(triaging, asked, found), frozenset(known))


def _print_json(found: Triage, suggestions: Sequence[Suggestion] | None) -> None:
    from pytest_llmreplay.mine.triage.plain import triage_json

    data = triage_json(found)
    if suggestions is not None:
        data["suggestions"] = [one.as_row() for one in suggestions]
    echo_json(json.dumps(data, ensure_ascii=True, indent=2))


def _print(found: Triage, asked: TriageAsked) -> None:
    from pytest_llmreplay.cli.triage_text import triage_text

    by = asked.by or (INTENT if INTENT in found.groups else "tool",)
    for line in triage_text(found, by):
        echo(line)


def _after_suggesting(logs: LogChoice, suggestions: Sequence[Suggestion], out: Path | None) -> str:
    if not suggestions:
        return "pytest-llmreplay signals list"
    if out is not None:
        return f"pytest-llmreplay promote {logs.quoted} --ids {printable(shlex.quote(str(out)))}"
    return "the same command with --promote, or with --out FILE for pytest-llmreplay promote --ids FILE"


def _after(done: _Triaged, logs: LogChoice) -> str:
    """What shows most of the failures: `find`, where a signal stands for them, else suggestions."""
    if not done.found.failing.count:
        return "pytest-llmreplay signals list"
    reasons = done.found.reasons
    most = max(reasons, key=lambda name: reasons[name])
    if most in done.signals:
        return f"pytest-llmreplay find {logs.quoted} --signal {most}"
    return "the same command with --suggest 6 --out suggestions.parquet"
