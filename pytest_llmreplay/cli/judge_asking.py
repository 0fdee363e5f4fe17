"""Asking the judge about labelled items, and keeping what it has shown."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.paint import plural

if TYPE_CHECKING:
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.judge.asking import Answers
    from pytest_llmreplay.judge.calibration import Calibration, Mode
    from pytest_llmreplay.judge.judging import Judging
    from pytest_llmreplay.judge.labels import Labels
    from pytest_llmreplay.judge.measured import Measured
    from pytest_llmreplay.model.judge import Judge
    from pytest_llmreplay.model.rubric import Rubric
    from pytest_llmreplay.providers.recorded import RecordMode


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be calibrated: the judge and the rubric with their files, and how the judge is asked."""

    judge: Judge
    judge_file: Path
    rubric: Rubric
    rubric_file: Path
    repeats: int
    record: RecordMode
    max_cost_usd: float


def read_request(
    project: Project, judge: Path, rubric: Path | None, *, repeats: int, record: RecordMode, max_cost_usd: float
) -> Request:
    """Load the judge and the rubric; without one named, the only one in `configs/rubrics/`.

    Raises:
        UserError: there is a mistake in one of them, or no telling which rubric is meant.
    """
    from pytest_llmreplay.config.judge import load_judge, load_rubric

    file = rubric or only_rubric(project)
    return Request(load_judge(judge), judge, load_rubric(file), file, repeats, record, max_cost_usd)


def ask(project: Project, request: Request, labels: Labels, mode: Mode) -> Answers:
    """Ask the judge about every item.

    Raises:
        InfrastructureError: the judge could not be asked; what it said so far is kept among the recordings.
        NotRun: the budget is used up.
        UserError: an item holds something that cannot be shown.
    """
    from pytest_llmreplay.session.asking import opened_judging

    with opened_judging(
        project,
        request.judge,
        record=request.record,
        max_cost_usd=request.max_cost_usd,
        notice=lambda notice: click.echo(notice, err=True),
    ) as judging:
        return asyncio.run(_asked(judging, request, labels, mode))


def keep(
    project: Project, request: Request, labels: Labels, mode: Mode, measured: Measured
) -> tuple[Path, Calibration]:
    """Write the calibration beside the judge's file; gives its path and what it says."""
    from pytest_llmreplay.judge.calibration import Calibration, calibration_path, calibration_text, updated
    from pytest_llmreplay.store.atomic import write_text_atomically

    found = [threshold for threshold in measured.thresholds.values() if threshold is not None]
    calibration = Calibration(
        judge_digest=request.judge.digest,
        rubric_digest=request.rubric.digest,
        label_digest=labels.digest,
        date=dt.datetime.now(dt.UTC).date(),
        mode=mode,
        model=request.judge.target.model,
        rubric=project.relative(request.rubric_file),
        labels=project.relative(Path(labels.file)),
        repeats=request.repeats,
        figures=measured.overall,
        threshold=found[0].score if len(measured.groups) == 1 and found else None,
        slices=measured.slices,
    )
    path = calibration_path(request.judge_file)
    write_text_atomically(path, calibration_text(updated(_known(path), calibration)))
    return path, calibration


def usage_data(answers: Answers) -> dict[str, Any]:
    """What asking the judge took, as plain data."""
    return dataclasses.asdict(answers.usage)


def usage_line(answers: Answers) -> str:
    """What asking the judge took, as a sentence."""
    usage = answers.usage
    tokens = (usage.input_tokens or 0) + (usage.output_tokens or 0)
    cost = "an unknown cost" if usage.cost_usd is None else f"{usage.cost_usd:.4f} USD"
    asked = f"The judge was asked {plural(usage.calls, 'time')}, {usage.live_calls} of them live"
    return f"{asked}: {tokens:,} tokens, {cost}."


def _known(path: Path) -> tuple[Calibration, ...]:
    from pytest_llmreplay.judge.calibration import read_calibrations

    try:
        return read_calibrations(path)
    except UserError as error:
        click.echo(f"{error}; it is replaced", err=True)
        return ()


async def _asked(judging: Judging, request: Request, labels: Labels, mode: Mode) -> Answers:
    from pytest_llmreplay.judge.asking import ask_about

    try:
        with _progress(len(labels.items) * request.repeats) as on_answer:
            return await ask_about(judging, request.rubric, labels, mode, request.repeats, on_answer)
    finally:
        await judging.close()


@contextmanager
def _progress(length: int) -> Iterator[Callable[[], None]]:
    """Counts answers on a terminal; says nothing where there is none."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    with click.progressbar(length=length, file=sys.stderr) as bar:
        yield lambda: bar.update(1)


def only_rubric(project: Project) -> Path:
    """The rubric in `configs/rubrics/`.

    Raises:
        UserError: there is none, or more than one.
    """
    folder = project.configs / "rubrics"
    found = sorted(folder.glob("*.yaml"))
    if not found:
        raise UserError("there is no rubric to apply", key="--rubric", fix="see docs/judge.md for one that works")
    if len(found) > 1:
        raise UserError("say which rubric to apply", key="--rubric", allowed=[project.relative(path) for path in found])
    return found[0]
