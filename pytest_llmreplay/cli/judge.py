"""`pytest-llmreplay judge …`: measure a judge against people."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.text import one_line

if TYPE_CHECKING:
    from pytest_llmreplay.judge.measured import Measured

_FILE = click.Path(path_type=Path, dir_okay=False)
_VERDICT_COLUMNS = ("item_id", "verdict", "group", "order", "repeat", "score")
_JUDGE = "configs/judge.yaml"
_BELOW_FLOOR = 1


@click.group()
def judge() -> None:
    """Measure a judge against people, and collect the labels that it takes."""


@judge.command()
@click.argument("labels", type=_FILE)
@click.option("--verdicts", type=_FILE, metavar="FILE", help="Measure these verdicts; no judge is asked.")
@click.option("--slice", "slices", metavar="COLUMN", multiple=True, help="Also by this column of LABELS; repeatable.")
@click.option("--min-kappa", type=click.FloatRange(-1, 1), metavar="X", help="Exit with 1 when kappa is below it.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Every disagreement.")
def calibrate(
    labels: Path,
    verdicts: Path | None,
    slices: tuple[str, ...],
    min_kappa: float | None,
    as_json: bool,
    verbose: bool,
) -> None:
    """Say how well a judge agrees with the labels of people.

    LABELS holds item_id and label (pass or fail, or the preferred side 1 or 2), verdicts hold item_id and verdict;
    both are Parquet, CSV or JSONL and may have order and group. See docs/judge.md for every column.
    """
    from pytest_llmreplay.judge.labels import join, labels_of, verdicts_of
    from pytest_llmreplay.judge.measured import measure
    from pytest_llmreplay.store.label_files import read_columns

    if verdicts is None:
        raise UserError("say what to measure: --verdicts FILE")
    known = labels_of(read_columns(labels), str(labels), slices)
    given = verdicts_of(read_columns(verdicts, _VERDICT_COLUMNS), str(verdicts))
    measured = measure(join(known, given))
    _print(measured, _floor(min_kappa), as_json=as_json, verbose=verbose)
    if not as_json:
        click.echo(f"\nnext: {shlex.join(['pytest-llmreplay', 'judge', 'calibrate', str(labels), '--judge', _JUDGE])}")
    _exit(measured, min_kappa)


def _print(measured: Measured, floor: float, *, as_json: bool, verbose: bool) -> None:
    from pytest_llmreplay.cli.terminal import echo, screen_of
    from pytest_llmreplay.report.calibration import measured_data, measured_text

    if as_json:
        click.echo(json.dumps(measured_data(measured, floor), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        echo(measured_text(measured, screen_of(quiet=False, verbose=verbose), floor))


def _floor(min_kappa: float | None) -> float:
    """The floor that was asked for, else that of the project's gate."""
    from pytest_llmreplay.compare.policy import JudgeRule
    from pytest_llmreplay.config import find_project
    from pytest_llmreplay.config.gate import load_gate

    if min_kappa is not None:
        return min_kappa
    gate = find_project(Path.cwd()).configs / "gate.yaml"
    return (load_gate(gate).judge if gate.is_file() else JudgeRule()).min_kappa


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
