"""`pytest-llmreplay judge …`: measure a judge against people."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from pytest_llmreplay.cli.judge_asking import Request, ask, keep, read_request, usage_data, usage_line
from pytest_llmreplay.cli.judge_figures import Shown, floor_of
from pytest_llmreplay.cli.judge_label import agree, label
from pytest_llmreplay.cli.judge_pairwise import pairwise
from pytest_llmreplay.model.errors import InfrastructureError, NotRun, UserError
from pytest_llmreplay.providers.recorded import RecordMode
from pytest_llmreplay.report.text import one_line, printable

if TYPE_CHECKING:
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.judge.labels import Labels
    from pytest_llmreplay.judge.measured import Measured

_FILE = click.Path(path_type=Path, dir_okay=False)
_VERDICT_COLUMNS = ("item_id", "verdict", "group", "order", "repeat", "score")
_JUDGE = "configs/judge.yaml"
_BELOW_FLOOR, _UNMEASURABLE = 1, 10


@click.group()
def judge() -> None:
    """Measure a judge against people, and collect the labels that it takes."""


for _command in (agree, label, pairwise):
    judge.add_command(_command)


@judge.command()
@click.argument("labels", type=_FILE)
@click.option("--judge", "judge_file", type=_FILE, metavar="FILE", help="Ask this judge (kind: judge).")
@click.option("--rubric", type=_FILE, metavar="FILE", help="What it applies (default: the one in configs/rubrics/).")
@click.option("--verdicts", type=_FILE, metavar="FILE", help="Measure verdicts already given; no judge is asked.")
@click.option("--repeats", type=click.IntRange(min=1), default=2, show_default=True, help="Askings of each question.")
@click.option("--slice", "slices", metavar="COLUMN", multiple=True, help="Also by this column of LABELS; repeatable.")
@click.option("--min-kappa", type=click.FloatRange(-1, 1), metavar="X", help="Exit with 1 when kappa is below it.")
@click.option("--max-cost", type=click.FloatRange(min=0), default=1.0, show_default=True, help="US dollars to spend.")
@click.option("--record", type=click.Choice(get_args(RecordMode)), default="new_episodes", help="As in pytest.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Every disagreement.")
def calibrate(
    labels: Path,
    judge_file: Path | None,
    rubric: Path | None,
    verdicts: Path | None,
    repeats: int,
    slices: tuple[str, ...],
    min_kappa: float | None,
    max_cost: float,
    record: RecordMode,
    as_json: bool,
    verbose: bool,
) -> None:
    """Say how well a judge agrees with the labels of people.

    LABELS holds item_id and label (pass or fail, or the preferred side 1 or 2), verdicts hold item_id and verdict;
    both are Parquet, CSV or JSONL and may have order and group. A judge is asked about what else LABELS holds: input
    or messages, and answer, or answer_1 and answer_2. What it has shown is then kept beside its file. See
    docs/judge.md.

    Exit code 0: measured; 1: below --min-kappa; 2: a mistake; 10: the judge could not be asked.
    """
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.judge.labels import labels_of
    from pytest_llmreplay.store.label_files import read_columns

    if verdicts is None and judge_file is None:
        raise UserError("say what to measure: --judge FILE or --verdicts FILE")
    project = find_project(Path.cwd())
    known = labels_of(read_columns(labels), str(labels), slices)
    shown = Shown(floor_of(project, min_kappa), as_json, verbose)
    if verdicts is not None:
        measured = _measure_given(known, verdicts)
        shown.say(measured)
        following = shlex.join(["pytest-llmreplay", "judge", "calibrate", str(labels), "--judge", _JUDGE])
    else:
        request = read_request(
            project, judge_file or Path(_JUDGE), rubric, repeats=repeats, record=record, max_cost_usd=max_cost
        )
        measured, holds = _measure_judge(project, request, known, shown)
        following = (
            "pytest golden/" if holds else "read the disagreements, sharpen the rubric there, and calibrate again"
        )
    if not as_json:
        click.echo(f"\nnext: {following}")
    _exit(measured, min_kappa)


def _measure_given(known: Labels, verdicts: Path) -> Measured:
    from pytest_llmreplay.judge.labels import join, verdicts_of
    from pytest_llmreplay.judge.measured import measure
    from pytest_llmreplay.store.label_files import read_columns

    return measure(join(known, verdicts_of(read_columns(verdicts, _VERDICT_COLUMNS), str(verdicts))))


def _measure_judge(project: Project, request: Request, known: Labels, shown: Shown) -> tuple[Measured, bool]:
    """The figures of the judge, and whether its verdicts count with them."""
    from pytest_llmreplay.judge.calibration import kappa_problem
    from pytest_llmreplay.judge.labelled import mode_of
    from pytest_llmreplay.judge.labels import join
    from pytest_llmreplay.judge.measured import measure

    mode = mode_of(known)
    shown_budget = f"the budget of {request.max_cost_usd:g} USD"
    try:
        answers = ask(project, request, known, mode)
    except (InfrastructureError, NotRun) as error:
        why = (
            f"{shown_budget} is used up; raise it with --max-cost" if error.code == "budget" else printable(str(error))
        )
        click.echo(f"the judge could not be asked, and nothing is kept: {why}", err=True)
        click.get_current_context().exit(_UNMEASURABLE)
    measured = measure(join(known, answers.given))
    path, calibration = keep(project, request, known, mode, measured)
    problem = kappa_problem(calibration.figures, shown.floor)
    data = {"calibration": project.relative(path), "problem": problem, "usage": usage_data(answers)}
    lines = [_standing(problem), f"Kept in {project.relative(path)}. {usage_line(answers)}"]
    evidence = {item: [quote.text for quote in quotes] for item, quotes in answers.evidence.items()}
    shown.say(measured, data, lines, evidence)
    return measured, problem is None


def _standing(problem: str | None) -> str:
    if problem is None:
        return "The judge holds: its verdicts count, until it or its rubric changes or the calibration is too old."
    return f"The judge fails: {problem}. Its verdicts are advisory: they are shown and never turn an item red."


def _exit(measured: Measured, min_kappa: float | None) -> None:
    from pytest_llmreplay.judge.calibration import kappa_problem

    if min_kappa is None:
        return
    problems = {name: kappa_problem(figures, min_kappa) for name, figures in measured.groups.items()}
    for name, problem in problems.items():
        if problem:
            click.echo(f"{one_line(name)}: {problem}", err=True)
    if any(problems.values()):
        click.get_current_context().exit(_BELOW_FLOOR)
