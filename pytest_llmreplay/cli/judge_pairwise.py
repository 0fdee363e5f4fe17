"""`pytest-llmreplay judge pairwise`: which of two variants the judge prefers, case by case."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from pytest_llmreplay.model.errors import InfrastructureError, NotRun, UserError
from pytest_llmreplay.providers.recorded import RecordMode

if TYPE_CHECKING:
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.judge.judging import Judging
    from pytest_llmreplay.judge.pairs import Pair
    from pytest_llmreplay.model.case import Case
    from pytest_llmreplay.model.judge import Judge
    from pytest_llmreplay.model.outcome import Outcome
    from pytest_llmreplay.model.rubric import Rubric
    from pytest_llmreplay.model.verdict import Preference

_FILE = click.Path(path_type=Path, dir_okay=False)
_UNMEASURABLE = 10


@click.command()
@click.argument("run", default="last")
@click.option("--baseline", required=True, metavar="NAME", help="The variant to compare with.")
@click.option("--candidate", required=True, metavar="NAME", help="The variant to decide on.")
@click.option("--judge", "judge_file", type=_FILE, metavar="FILE", help="Who judges (configs/judge.yaml).")
@click.option("--rubric", type=_FILE, metavar="FILE", help="By this rubric, instead of each case's own.")
@click.option("--max-cost", type=click.FloatRange(min=0), default=1.0, show_default=True, help="US dollars to spend.")
@click.option("--record", type=click.Choice(get_args(RecordMode)), default="new_episodes", help="As in pytest.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Every case, with the quotes.")
def pairwise(
    run: str,
    baseline: str,
    candidate: str,
    judge_file: Path | None,
    rubric: Path | None,
    max_cost: float,
    record: RecordMode,
    as_json: bool,
    verbose: bool,
) -> None:
    """Show the judge what two variants did with each case of RUN (default: the last run), side by side.

    Each pair is asked in both orders and without names; a preference that changes with the order is a tie. Nothing is
    gated on it. Exit code 10: no pair could be measured.
    """
    from pytest_llmreplay.cli.terminal import echo, screen_of
    from pytest_llmreplay.config.judge import load_judge, load_rubric
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.report.preferences import preferences_data, preferences_text
    from pytest_llmreplay.session.asking import opened_judging

    project = find_project(Path.cwd())
    file = judge_file or project.configs / "judge.yaml"
    judge = load_judge(file)
    pairs, left_out = _pairs(project, run, baseline, candidate, None if rubric is None else load_rubric(rubric))
    with opened_judging(
        project, judge, record=record, max_cost_usd=max_cost, notice=lambda said: click.echo(said, err=True)
    ) as judging:
        found = asyncio.run(_asked(judging, pairs))
    judged = [replace(pair, preference=preference) for pair, preference in zip(pairs, found, strict=True)]
    advisory = _advisory(project, file, judge, judged)
    if as_json:
        data = preferences_data(judged, baseline, candidate, left_out, advisory)
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        echo(preferences_text(judged, baseline, candidate, left_out, advisory, screen_of(quiet=False, verbose=verbose)))
        command = ["pytest-llmreplay", "compare", run, "--baseline", baseline, "--candidate", candidate]
        click.echo(f"\nnext: {shlex.join(command)}")
    if all(preference.preferred is None for preference in found):
        click.get_current_context().exit(_UNMEASURABLE)


def _pairs(
    project: Project, run: str, baseline: str, candidate: str, rubric: Rubric | None
) -> tuple[list[Pair], list[str]]:
    """What is shown side by side, and a sentence for every reason for which trials are left out."""
    from pytest_llmreplay.judge.pairs import pairs_of
    from pytest_llmreplay.store.runs import RunStore

    _, outcomes = RunStore(project.state).load(run)
    variants = list(dict.fromkeys(outcome.variant for outcome in outcomes))
    for name, option in ((baseline, "--baseline"), (candidate, "--candidate")):
        if name not in variants:
            raise UserError("no outcome belongs to this variant", key=option, value=name, allowed=variants)
    if baseline == candidate:
        raise UserError("baseline and candidate are the same variant", key="--candidate", value=candidate)
    cases = {case.case_id: case for case in _cases(project, outcomes)}
    rubrics = {case_id: rubric or _own_rubric(project, case) for case_id, case in cases.items()}
    pairs, left_out = pairs_of(outcomes, cases, rubrics, baseline, candidate)
    if not pairs:
        why = "; ".join(left_out) or "they have no case in common"
        raise UserError(
            f"there is nothing to judge side by side: {why}", fix="give the cases a rubric, or add --rubric"
        )
    return pairs, left_out


def _cases(project: Project, outcomes: list[Outcome]) -> Iterator[Case]:
    from pytest_llmreplay.cli.contexts import cases_in

    files: dict[str, set[str]] = {}
    for outcome in outcomes:
        files.setdefault(outcome.case_file, set()).add(outcome.case_id)
    for file, wanted in files.items():
        yield from cases_in(project, file, wanted)


def _own_rubric(project: Project, case: Case) -> Rubric | None:
    from pytest_llmreplay.config.judge import rubric_of
    from pytest_llmreplay.model.expectation import parse_expectation

    expected = parse_expectation(case.expect, file=case.case_id).rubric
    return None if expected is None else rubric_of(expected, project.root)


async def _asked(judging: Judging, pairs: list[Pair]) -> list[Preference]:
    try:
        return list(await asyncio.gather(*(_preference(judging, pair) for pair in pairs)))
    finally:
        await judging.close()


async def _preference(judging: Judging, pair: Pair) -> Preference:
    """The preference; trouble with one pair takes no other with it."""
    from pytest_llmreplay.judge.pairwise import preference
    from pytest_llmreplay.model.verdict import Preference

    try:
        return await preference(judging, pair.rubric, pair.baseline, pair.candidate)
    except (InfrastructureError, NotRun) as error:
        digests = (pair.rubric.digest, judging.digest, judging.judge.target.model)
        return Preference(None, (None, None), *digests, problem=f"the judge could not be asked: {error}")


def _advisory(project: Project, file: Path, judge: Judge, pairs: list[Pair]) -> str | None:
    """Why the preferences say nothing reliable; None when the judge was calibrated on pairs under every rubric."""
    from pytest_llmreplay.config.gate import judge_rule
    from pytest_llmreplay.judge.calibration import (
        calibration_for,
        calibration_path,
        calibration_problem,
        read_calibrations,
    )

    rule, known = judge_rule(project.configs / "gate.yaml"), read_calibrations(calibration_path(file))
    for rubric in dict.fromkeys(pair.rubric.digest for pair in pairs):
        problem = calibration_problem(
            calibration_for(known, rubric_digest=rubric, mode="pairwise"),
            rubric_digest=rubric,
            judge_digest=judge.digest,
            today=dt.datetime.now(dt.UTC).date(),
            min_kappa=rule.min_kappa,
            max_age_days=rule.max_age_days,
            mode="pairwise",
        )
        if problem is not None:
            return problem
    return None
