"""`promote --reproduce N --variant V`: replay the new cases before they are written, and keep what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import click

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.text import one_line

if TYPE_CHECKING:
    from pytest_llmreplay.cli.choices import Choices
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.model.case import Case
    from pytest_llmreplay.session.reproduction import Bench, Reproduction

REPRODUCED = "reproduced"
"""The key of a case's proof that says what came of replaying it."""
_SHOWN_TROUBLE = 2


def reproduced(project: Project, cases: Sequence[Case], choices: Choices) -> tuple[list[Case], bool]:
    """The cases with what came of replaying them, and whether each that can be replayed was measured at all.

    A case without an expectation cannot pass or fail, so it is not replayed.
    """
    from pytest_llmreplay.session.reproduction import find_variant, reproduce

    variant = find_variant(choices.variant or "", project.configs, project.root)
    replayed = [case for case in cases if case.expect]
    without = len(cases) - len(replayed)
    if without:
        click.echo(f"not replayed: {without} cases without an expectation", err=True)
    results = reproduce(replayed, variant, choices.reproduce or 1, _bench(project, choices)) if replayed else []
    noted = {case.case_id: _noted(case, result) for case, result in zip(replayed, results, strict=True)}
    for line in _trouble(replayed, results):
        click.echo(line, err=True)
    return [noted.get(case.case_id, case) for case in cases], all(result.measured for result in results)


def reproduction_text(note: Any, kind: str) -> str:
    """What came of replaying a case, as a reviewer reads it."""
    measured = note["failed"] + note["passed"]
    where = f"on {note['variant']}"
    left = "; ".join(f"{note[name]} {said}" for name, said in _OTHERS.items() if note.get(name))
    if not measured:
        return f"not measured {where}: {left}"
    if kind == "control":
        text = f"passes {note['passed']} of {measured} times {where}"
    elif note["failed"]:
        text = f"reproduced {where}: fails {note['failed']} of {measured} times"
    else:
        text = f"not reproducible here: passes {measured} of {measured} times {where}"
    return f"{text} ({left})" if left else text


_OTHERS = {"error": "errors", "unmeasured": "unmeasured", "not_run": "not run"}


def _noted(case: Case, result: Reproduction) -> Case:
    proof = {**case.metadata.get("proof", {}), REPRODUCED: result.note()}
    return replace(case, metadata={**case.metadata, "proof": proof})


def _trouble(cases: Sequence[Case], results: Sequence[Reproduction]) -> Iterator[str]:
    for case, result in zip(cases, results, strict=True):
        for why in result.trouble[:_SHOWN_TROUBLE]:
            yield f"{case.case_id} on {result.variant}: {one_line(why, 200)}"
    if any(result.counts["not_run"] for result in results):
        yield "--max-cost USD raises the budget"


def _bench(project: Project, choices: Choices) -> Bench:
    from pytest_llmreplay.providers.recorded import RecordMode
    from pytest_llmreplay.session.reproduction import Bench

    cassettes = project.ini_lines("llmreplay_cassettes") or ["golden/cassettes"]
    environment = project.ini_lines("llmreplay_environment") or ["configs/environment.yaml"]
    written = project.ini_lines("llmreplay_max_cost") or ["1"]
    record: Any = choices.record or next(iter(project.ini_lines("llmreplay_record")), "new_episodes")
    if record not in get_args(RecordMode):
        raise UserError("unknown value", key="llmreplay_record", value=record, allowed=get_args(RecordMode))
    return Bench(
        root=project.root,
        state=project.state,
        environment=project.root / environment[0],
        cassettes=[project.root / path for path in cassettes],
        record=record,
        max_cost_usd=_dollars(written[0]) if choices.max_cost is None else choices.max_cost,
        notice=lambda notice: click.echo(one_line(notice, 300), err=True),
    )


def _dollars(written: str) -> float:
    try:
        return float(written)
    except ValueError:
        raise UserError("is no number of US dollars", key="llmreplay_max_cost", value=written) from None
