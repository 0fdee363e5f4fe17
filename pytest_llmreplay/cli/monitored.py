"""What `monitor` found, for people and as JSON: ids, names of tools and figures, and no text of the log."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from pytest_llmreplay.cli.terminal import echo
from pytest_llmreplay.compare.wording import p_value, percent, plural
from pytest_llmreplay.report.text import one_line, printable

if TYPE_CHECKING:
    from pytest_llmreplay.cli.measuring import Asked, Measured
    from pytest_llmreplay.cli.watching import Watch
    from pytest_llmreplay.mine.accepted_rates import AcceptedRate
    from pytest_llmreplay.mine.monitoring import Judged, Rate

_IDS_SHOWN = 3
_IDS_TOLD = 20
_ORDER = ("alert", "unmeasured", "changed", "new", "steady")
_WHY = {
    "new": "nothing is accepted for it yet",
    "changed": "what was accepted counted another signal, similarity or embedding",
    "unmeasured": "too few conversations to tell",
}


@dataclass(frozen=True, slots=True)
class Monitored:
    """What was asked, what was measured and what came of it; both mappings are by case id.

    `compared` says that there is a file of accepted rates and that this run was to compare with it; `written` is how
    many rates were accepted in this run, None when none were to be.
    """

    asked: Asked
    measured: Measured
    judged: Mapping[str, Judged]
    accepted: Mapping[str, AcceptedRate]
    baseline: str
    compared: bool
    exit_code: int
    written: int | None = None

    @property
    def ordered(self) -> list[Watch]:
        """The watches, what needs attention first."""
        return sorted(
            self.measured.watches,
            key=lambda watch: (
                _ORDER.index(self.judged[watch.case_id].status),
                -_share(self.measured.readings[watch.case_id].rate),
            ),
        )


def print_monitored(done: Monitored, *, verbose: bool) -> None:
    """Print a line a watch, the days of those that have risen (with `verbose` of all), and what to do next."""
    for watch in done.ordered:
        for line in _lines(done, watch, verbose=verbose):
            echo(line)
    for case_id, why in sorted(done.measured.unwatched.items()):
        echo(f"not watched  {one_line(case_id)}: {one_line(why, 300)}")
    echo(_summary(done))
    click.echo(f"next: {_next(done)}")


def _lines(done: Monitored, watch: Watch, *, verbose: bool) -> Iterator[str]:
    reading, judged = done.measured.readings[watch.case_id], done.judged[watch.case_id]
    sign = one_line(watch.signal.in_words)
    yield f"{_label(done, watch):<11}{one_line(watch.case_id)}  {rate_text(reading.rate)}: {sign}"
    accepted = done.accepted.get(watch.case_id)
    if done.compared and judged.p_holm is not None and accepted is not None:
        yield f"           accepted {rate_text(accepted.rate)}; {p_value(judged.p_holm)}, Holm over {_compared(done)}"
    if done.compared and judged.status in _WHY:
        yield f"           {_WHY[judged.status]}"
    if judged.status == "alert" or verbose:
        for day, rate in reading.days:
            yield f"           {day}  {rate_text(rate)}"
    if judged.status == "alert":
        more = len(reading.failing) - _IDS_SHOWN
        ids = ", ".join(one_line(name, 60) for name in reading.failing[:_IDS_SHOWN])
        yield f"           {ids}" + (f" and {more} more" if more > 0 else "")


def _label(done: Monitored, watch: Watch) -> str:
    if done.written is not None:
        return "accepted" if watch.case_id in done.accepted else "unmeasured"
    status = done.judged[watch.case_id].status
    return status.upper() if status == "alert" else status


def rate_text(rate: Rate) -> str:
    """A rate with its interval, in words."""
    if rate.share is None:
        return "no similar conversation"
    low, high = rate.interval
    return f"{rate.shown} of {rate.similar} ({percent(rate.share)}, {percent(low)} to {percent(high)})"


def _summary(done: Monitored) -> str:
    counts = {status: sum(one.status == status for one in done.judged.values()) for status in _ORDER}
    seen = done.measured.seen
    told = f"{plural(len(done.measured.watches), 'case')} watched in {seen.conversations:,} conversations"
    if seen.undated:
        told += f", {seen.undated:,} of which do not say when they began and are not counted"
    if done.written is not None:
        return f"{told}; {plural(done.written, 'rate')} accepted in {printable(done.baseline)}"
    if not done.compared:
        return f"{told}; nothing is accepted yet ({printable(done.baseline)})"
    return f"{told}: " + ", ".join(f"{count} {status}" for status, count in counts.items() if count)


def _next(done: Monitored) -> str:
    logs = done.asked.logs.quoted
    if done.written:
        return f"commit {printable(done.baseline)}"
    alert = next((watch for watch in done.ordered if done.judged[watch.case_id].status == "alert"), None)
    if alert is not None:
        newest = done.measured.readings[alert.case_id].failing[0]
        return f"pytest-llmreplay promote {logs} --id {printable(shlex.quote(newest))}"
    if not done.measured.watches and done.measured.unwatched:
        first = min(done.measured.unwatched)
        return f"pytest-llmreplay golden edit {first}, to say its failure_category and failure_stage"
    if not done.measured.watches:
        return f"pytest-llmreplay triage {logs}"
    if done.exit_code:
        return _measurable(done)
    accept = f"pytest-llmreplay monitor {logs} --accept"
    if done.asked.with_options:
        accept = "the same command with --accept"
    return "the same on later logs" if done.compared else accept


def _measurable(done: Monitored) -> str:
    """What would be enough to measure something."""
    latest = done.measured.seen.latest
    until = max((rate.until for rate in done.accepted.values()), default=None) if done.compared else None
    if until is not None and latest is not None and latest <= until:
        return f"give logs of after {until:%Y-%m-%d %H:%M}: what began before was accepted, and does not count again"
    return "give logs of more days, or say what is --similar"


def json_text(done: Monitored) -> str:
    """What was found, as `docs/monitor.md` describes it."""
    from pytest_llmreplay.mine.monitoring import LEVEL

    since, seen = done.asked.since, done.measured.seen
    data = {
        "level": LEVEL,
        "baseline": done.baseline if done.compared or done.written is not None else None,
        "since": None if since is None else since.isoformat(),
        "latest": None if seen.latest is None else seen.latest.isoformat(),
        "conversations": seen.conversations,
        "undated": seen.undated,
        "watches": [_watch_data(done, watch) for watch in done.ordered],
        "not_watched": [{"case_id": case_id, "why": why} for case_id, why in sorted(done.measured.unwatched.items())],
        "exit_code": done.exit_code,
    }
    return json.dumps(data, indent=2, ensure_ascii=True)


def _watch_data(done: Monitored, watch: Watch) -> dict[str, Any]:
    reading, judged = done.measured.readings[watch.case_id], done.judged[watch.case_id]
    accepted = done.accepted.get(watch.case_id) if done.compared else None
    return {
        "case_id": watch.case_id,
        "status": judged.status,
        "signal": watch.signal.in_words,
        "derived_from": watch.signal.source,
        "similar_from": done.measured.similar_from[watch.case_id],
        **_rate_data(reading.rate),
        "accepted": None if accepted is None else {**_rate_data(accepted.rate), "until": accepted.until.isoformat()},
        "p_value": judged.p_value,
        "p_holm": judged.p_holm,
        "days": [{"day": day.isoformat(), **_rate_data(rate)} for day, rate in reading.days],
        "conversations": list(reading.failing[:_IDS_TOLD]),
    }


def _rate_data(rate: Rate) -> dict[str, Any]:
    return {"shown": rate.shown, "similar": rate.similar, "rate": rate.share, "interval": list(rate.interval)}


def _compared(done: Monitored) -> int:
    return sum(one.p_value is not None for one in done.judged.values())


def _share(rate: Rate) -> float:
    return -1.0 if rate.share is None else rate.share
