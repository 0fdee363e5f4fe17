"""`pytest-llmreplay monitor`: do the failures that golden cases stand for rise in production?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.cli.embedding import STATIC
from pytest_llmreplay.cli.logs import LogChoice, choosing_logs
from pytest_llmreplay.cli.measuring import Asked, Measured, measure
from pytest_llmreplay.cli.since import since_time
from pytest_llmreplay.model.errors import UserError

if TYPE_CHECKING:
    from pytest_llmreplay.cli.monitored import Monitored
    from pytest_llmreplay.mine.accepted_rates import AcceptedRate, AcceptedRates
    from pytest_llmreplay.mine.monitoring import Rate

_FILE = "monitor.json"


@click.command()
@click.argument("logs", metavar="LOGS…", nargs=-1, required=True)
@click.option("--suite", metavar="SUITE", help="A suite, file or folder of cases; default: all golden cases.")
@click.option("--baseline", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="The accepted rates.")
@click.option("--accept", is_flag=True, help="Accept the rates of these logs: write them to the baseline.")
@click.option("--since", metavar="TIME", help="Only what began since: 2026-01-31, or 7d or 24h before now.")
@click.option(
    "--similar", type=click.FloatRange(-1, 1), metavar="COSINE", help="From where on a turn is similar; default: 0.3."
)
@click.option("--embedding", default=STATIC, metavar="MODEL", help="static (default), or a model's name.")
@click.option("--max-cost", type=click.FloatRange(min=0), default=1.0, show_default=True, metavar="USD")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Every day of every case.")
@choosing_logs
def monitor(
    logs: LogChoice,
    suite: str | None,
    baseline: Path | None,
    accept: bool,
    since: str | None,
    similar: float | None,
    embedding: str,
    max_cost: float,
    as_json: bool,
    verbose: bool,
) -> None:
    """Watch in LOGS (files, globs, folders, s3://…) for the failures of the open and fixed incidents.

    Exit code 0: no rate has risen above what was accepted; 1: one has; 10: nothing could be measured; 2: a mistake.
    """
    from pytest_llmreplay.cli.monitored import json_text, print_monitored
    from pytest_llmreplay.cli.terminal import echo_json

    now = dt.datetime.now(dt.UTC)
    asked = Asked(logs, suite, None if since is None else since_time(since, now), similar, embedding, max_cost)
    done = _accepting(asked, baseline, now) if accept else _comparing(asked, baseline)
    if as_json:
        echo_json(json_text(done))
    else:
        print_monitored(done, verbose=verbose)
    click.get_current_context().exit(done.exit_code)


def _comparing(asked: Asked, baseline: Path | None) -> Monitored:
    from pytest_llmreplay.cli.monitored import Monitored
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.mine.monitoring import exit_code, judge

    project = find_project(Path.cwd())
    path = baseline or project.golden[0] / _FILE
    if baseline is not None and not path.exists():
        raise UserError("does not exist", file=str(path), fix="--accept writes it")
    before = _read(path)
    known = {} if before is None else dict(before.cases)
    measured = measure(project, asked, known, {case: rate.until for case, rate in known.items()})
    rates = {case: reading.rate for case, reading in measured.readings.items()}
    judged = judge(rates, {} if before is None else _comparable(measured, before))
    return Monitored(
        asked=asked,
        measured=measured,
        judged=judged,
        accepted=known,
        baseline=project.relative(path),
        compared=before is not None,
        exit_code=exit_code(list(judged.values()), list(rates.values()), compared=before is not None),
    )


def _accepting(asked: Asked, baseline: Path | None, now: dt.datetime) -> Monitored:
    """Measure all of the logs, also what was accepted before, and write the rates of the cases that have one."""
    from pytest_llmreplay.cli.monitored import Monitored
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.mine.accepted_rates import AcceptedRates
    from pytest_llmreplay.mine.monitoring import exit_code, judge
    from pytest_llmreplay.store.atomic import write_text_atomically

    project = find_project(Path.cwd())
    path = baseline or project.golden[0] / _FILE
    before = _read(path)
    measured = measure(project, asked, {} if before is None else before.cases, {})
    accepted = _accepted(measured, now)
    rates = {case: reading.rate for case, reading in measured.readings.items()}
    code = exit_code([], list(rates.values()), compared=False)
    if accepted:
        others = _others(path, measured, before, asked)
        written = AcceptedRates(embedding=measured.embedding, cases={**others, **accepted})
        write_text_atomically(path, written.to_text())
    return Monitored(
        asked=asked,
        measured=measured,
        judged=judge(rates, {}),
        accepted=accepted,
        baseline=project.relative(path),
        compared=False,
        exit_code=code,
        written=len(accepted),
    )


def _read(path: Path) -> AcceptedRates | None:
    from pytest_llmreplay.mine.accepted_rates import read_accepted

    return read_accepted(path) if path.exists() else None


def _comparable(measured: Measured, before: AcceptedRates) -> dict[str, Rate | None]:
    """The accepted rate of each watch that has one; None where something else was counted."""
    from pytest_llmreplay.mine.accepted_rates import AcceptedSignal

    found: dict[str, Rate | None] = {}
    for watch in measured.watches:
        accepted = before.cases.get(watch.case_id)
        if accepted is not None:
            same = (
                accepted.signal == AcceptedSignal.of(watch.signal)
                and accepted.similar_from == measured.similar_from[watch.case_id]
                and before.embedding == measured.embedding
            )
            found[watch.case_id] = accepted.rate if same else None
    return found


def _accepted(measured: Measured, now: dt.datetime) -> dict[str, AcceptedRate]:
    """What is accepted of each watch that measured anything."""
    from pytest_llmreplay.mine.accepted_rates import AcceptedRate, AcceptedSignal

    found: dict[str, AcceptedRate] = {}
    for watch in measured.watches:
        rate, until = measured.readings[watch.case_id].rate, measured.seen.latest
        if rate.similar and until is not None:
            found[watch.case_id] = AcceptedRate(
                signal=AcceptedSignal.of(watch.signal),
                similar_from=measured.similar_from[watch.case_id],
                shown=rate.shown,
                similar=rate.similar,
                interval=rate.interval,
                until=until,
                accepted_at=now.replace(microsecond=0),
            )
    return found


def _others(path: Path, measured: Measured, before: AcceptedRates | None, asked: Asked) -> Mapping[str, AcceptedRate]:
    """What stays accepted: of cases outside the suite, and of watches that measured nothing this time.

    Raises:
        UserError: it was measured with another embedding, and one file has one.
    """
    if before is None:
        return {}
    watched = {watch.case_id for watch in measured.watches}
    outside = {} if asked.suite is None else {c: r for c, r in before.cases.items() if c not in measured.suite}
    others = {**outside, **{case: rate for case, rate in before.cases.items() if case in watched}}
    replaced = {case for case in watched if measured.readings[case].rate.similar}
    if before.embedding != measured.embedding and others.keys() - replaced:
        raise UserError(
            "holds rates of another embedding that would stay",
            file=str(path),
            value=before.embedding,
            fix="name another --baseline",
        )
    return others
