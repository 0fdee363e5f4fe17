"""`judge label` and `judge agree`: labels of people, collected blind, and how well two people agree."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.text import printable

if TYPE_CHECKING:
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.judge.labelling import Unlabelled
    from pytest_llmreplay.model.case import Case
    from pytest_llmreplay.model.rubric import Rubric

_FILE = click.Path(path_type=Path, dir_okay=False)
_KEYS = {"p": "pass", "f": "fail"}
_SKIP, _QUIT = "s", "q"


@click.command()
@click.argument("run", default="last")
@click.option("--out", type=_FILE, default=Path("labels.jsonl"), show_default=True, help="The labels file, added to.")
@click.option("--rubric", type=_FILE, metavar="FILE", help="What to label by (default: the one in configs/rubrics/).")
def label(run: str, out: Path, rubric: Path | None) -> None:
    """Label the answers of RUN (default: the last one) by a rubric, one after the other.

    You see what the judge will see, and neither the variant nor any verdict. Each label is written at once to the
    labels file, which `judge calibrate` takes; call it again to go on.
    """
    from pytest_llmreplay.cli.judge_asking import only_rubric
    from pytest_llmreplay.config.judge import load_rubric
    from pytest_llmreplay.config.project import find_project

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError("labels come from a person, and there is no terminal to ask on")
    project = find_project(Path.cwd())
    applied = load_rubric(rubric or only_rubric(project))
    rows = _rows(out)
    done = {row["item_id"] for row in rows}
    items = _items(project, run)
    left = [item for item in items if item.item_id not in done]
    click.echo(f"{len(items)} answers, {len(items) - len(left)} of them labelled in {out}")
    _ask(left, applied, rows, out)
    click.echo(f"{len(rows)} labels in {out}")
    click.echo(f"next: pytest-llmreplay judge calibrate {out} --judge configs/judge.yaml")


@click.command()
@click.argument("first", type=_FILE, metavar="A")
@click.argument("second", type=_FILE, metavar="B")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Every disagreement.")
def agree(first: Path, second: Path, as_json: bool, verbose: bool) -> None:
    """Say how well two people agree, from a labels file of each.

    The figures are those of `judge calibrate`, with the labels of A in the place of the truth and those of B in the
    place of verdicts: no judge can be expected to agree with people better than they do with each other.
    """
    from pytest_llmreplay.cli.judge_figures import Shown, floor_of
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.judge.labels import Given, join, labels_of
    from pytest_llmreplay.judge.measured import measure
    from pytest_llmreplay.store.label_files import read_columns

    known, other = (labels_of(read_columns(path), str(path)) for path in (first, second))
    given = [Given(item.item_id, item.label, item.group, item.order) for item in other.items.values()]
    shown = Shown(floor_of(find_project(Path.cwd()), None), as_json, verbose)
    shown.say(measure(join(known, given)))
    if not as_json:
        click.echo("\nnext: talk about what you disagree on, sharpen the rubric there, and label those items again")


def _ask(items: Sequence[Unlabelled], rubric: Rubric, rows: list[dict[str, Any]], out: Path) -> None:
    from pytest_llmreplay.judge.labelling import labelled_row
    from pytest_llmreplay.store.atomic import write_text_atomically

    for number, item in enumerate(items, start=1):
        click.echo(printable("\n".join([f"\n--- {number} of {len(items)}", *_shown(item, rubric)])))
        key = click.prompt(
            "(p)ass, (f)ail, (s)kip, (q)uit", type=click.Choice([*_KEYS, _SKIP, _QUIT]), show_choices=False
        )
        if key == _QUIT:
            return
        if key in _KEYS:
            rows.append(labelled_row(item, _KEYS[key]))
            write_text_atomically(out, "".join(json.dumps(row) + "\n" for row in rows))


def _shown(item: Unlabelled, rubric: Rubric) -> list[str]:
    """What the judge would see, and the criteria."""
    shown = item.material.shown(rubric)
    lines = [f"{message['role']}: {_said(message)}" for message in shown.pop("conversation", [])]
    answer = shown.pop("answer", None)
    for name, part in shown.items():
        parts = part if isinstance(part, list) else [part]
        lines += [f"{name.replace('_', ' ')}: {one if isinstance(one, str) else _plain(one)}" for one in parts]
    lines += ["", f"ANSWER: {answer}", ""] if answer is not None else [""]
    return [*lines, *(f"  {criterion.id}: {' '.join(criterion.question.split())}" for criterion in rubric.criteria)]


def _said(message: Mapping[str, Any]) -> str:
    calls = [f"{call['tool']}({call['arguments']})" for call in message.get("tool_calls", ())]
    return " ".join([message["text"], *calls]).strip()


def _plain(value: Mapping[str, Any]) -> str:
    return json.dumps({name: cell for name, cell in value.items() if cell not in (None, [])}, ensure_ascii=False)


def _rows(out: Path) -> list[dict[str, Any]]:
    from pytest_llmreplay.store.label_files import read_json_rows

    if out.suffix not in (".jsonl", ".ndjson"):
        raise UserError("labels are added to a JSONL file", key="--out", value=str(out), allowed=[".jsonl", ".ndjson"])
    if not out.exists():
        return []
    rows = read_json_rows(out)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row.get("item_id"), str):
            raise UserError("is no file of labels: item_id is missing", file=f"{out}:{number}")
    return rows


def _items(project: Project, run: str) -> list[Unlabelled]:
    from pytest_llmreplay.judge.labelling import items_of
    from pytest_llmreplay.model.expectation import parse_expectation
    from pytest_llmreplay.store.runs import RunStore

    _, outcomes = RunStore(project.state).load(run)
    cases = _cases(project)
    references: dict[str, str | None] = {}
    for case_id in {outcome.case_id for outcome in outcomes} & set(cases):
        expect = cases[case_id].expect
        rubric = parse_expectation(expect).rubric if expect else None
        references[case_id] = rubric.reference if rubric else None
    items = items_of(outcomes, cases, references)
    if not items:
        raise UserError(f"no outcome of the run '{run}' has an answer to a case as it is now")
    return items


def _cases(project: Project) -> dict[str, Case]:
    from pytest_llmreplay.cli.golden_cases import all_cases

    return {case.case_id: case for _, case in all_cases(project)}
