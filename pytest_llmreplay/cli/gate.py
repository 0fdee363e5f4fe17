"""`pytest-llmreplay gate`: may the candidate be shipped?"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pytest_llmreplay.cli.material import Material
    from pytest_llmreplay.compare import Comparison, Decision, GatePolicy
    from pytest_llmreplay.compare.policy import Waiver

_FILE = click.Path(path_type=Path, dir_okay=False)
_VERSIONS = ("pytest-llmreplay", "pytest", "scipy", "numpy", "pyarrow")


@click.command()
@click.argument("runs", metavar="RUN…", nargs=-1)
@click.option("--policy", type=_FILE, metavar="FILE", help="The policy (configs/gate.yaml).")
@click.option("--baseline", metavar="NAME", help="The variant to compare with; 'accepted' for the accepted one.")
@click.option("--candidate", metavar="NAME", help="The variant to decide on, when there are several.")
@click.option("--allow", is_flag=True, help="Decide although cases, environment, rubrics or judge differ.")
@click.option("--seed", default=0, show_default=True, help="Of the bootstrap and of Monte Carlo tests.")
@click.option("--json", "as_json", is_flag=True, help="Print the decision as JSON.")
@click.option("--evidence", type=_FILE, metavar="FILE.json", help="Write what the decision rests on, for an auditor.")
@click.option("--markdown", type=_FILE, metavar="FILE", help="Write the comment for a pull request.")
@click.option("-q", "--quiet", is_flag=True, help="The decision only.")
@click.option("-v", "--verbose", is_flag=True, help="Every red case.")
def gate(
    runs: tuple[str, ...],
    policy: Path | None,
    baseline: str | None,
    candidate: str | None,
    allow: bool,
    seed: int,
    as_json: bool,
    evidence: Path | None,
    markdown: Path | None,
    quiet: bool,
    verbose: bool,
) -> None:
    """Decide whether the candidate in RUN… (default: the last run) may be shipped.

    Exit code 0: pass; 1: regression; 10: it cannot be told; 2: a mistake. In GitHub Actions the step summary and
    annotations are written too. See `compare` for what a RUN may be.
    """
    from pytest_llmreplay.cli.material import load_material
    from pytest_llmreplay.compare import compare_outcomes
    from pytest_llmreplay.config.gate import load_gate
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.report.commands import reproduce_commands
    from pytest_llmreplay.report.gating import calibrations_of, gate_of, judge_evidence
    from pytest_llmreplay.report.judged import judge_lines

    project = find_project(Path.cwd())
    written = load_gate(policy or project.configs / "gate.yaml")
    material = load_material(project, runs or ("last",), baseline, (candidate,) if candidate else ())
    comparison = compare_outcomes(
        material.rows, baseline=material.baseline, candidate=material.candidate, seed=seed, allow_differences=allow
    )
    today = dt.datetime.now(dt.UTC).date()
    decision, waivers = gate_of(
        written,
        comparison,
        configs=project.configs,
        golden=project.golden,
        today=today,
        judge=judge_evidence(calibrations_of(project.configs, material.runs), material.compared, written.judge, today),
    )
    commands = reproduce_commands(material.rows, comparison.candidate, material.runs)
    if evidence is not None:
        _write_evidence(evidence, decision, comparison, written, waivers, material)
    _write_markdown(markdown, comparison, decision, commands, list(judge_lines(material.compared)))
    _print(decision, commands, material, as_json=as_json, quiet=quiet, verbose=verbose)
    click.get_current_context().exit(decision.exit_code)


def _write_evidence(
    path: Path,
    decision: Decision,
    comparison: Comparison,
    policy: GatePolicy,
    waivers: Iterable[Waiver],
    material: Material,
) -> None:
    from pytest_llmreplay.report.evidence import evidence_data
    from pytest_llmreplay.store.atomic import write_text_atomically

    data = evidence_data(
        decision,
        comparison,
        policy=policy,
        waivers=waivers,
        rows=material.rows,
        runs=material.runs,
        decided_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        versions=_versions(),
    )
    write_text_atomically(path, json.dumps(data, indent=2, default=str) + "\n")


def _write_markdown(
    path: Path | None, comparison: Comparison, decision: Decision, commands: Mapping[str, str], judge: list[str]
) -> None:
    from pytest_llmreplay.report.fence import on_github
    from pytest_llmreplay.report.markdown import markdown_text
    from pytest_llmreplay.store.atomic import write_text_atomically, writing

    summary = os.environ.get("GITHUB_STEP_SUMMARY") if on_github() else None
    if path is None and not summary:
        return
    text = markdown_text(comparison, decision, commands=commands, judge=judge)
    if path is not None:
        write_text_atomically(path, text)
    if summary:
        with writing(Path(summary)), Path(summary).open("a", encoding="utf-8") as file:
            file.write(text)


def _print(
    decision: Decision,
    commands: Mapping[str, str],
    material: Material,
    *,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    from pytest_llmreplay.cli.terminal import echo, screen_of
    from pytest_llmreplay.report.decision import decision_text
    from pytest_llmreplay.report.fence import on_github
    from pytest_llmreplay.report.github import annotation_lines

    if as_json:
        data: dict[str, Any] = {**decision.to_dict(), "reproduce": dict(commands), "remarks": list(material.notes)}
        click.echo(json.dumps(data, indent=2, default=str))
        return
    echo(decision_text(decision, commands, screen_of(quiet, verbose)))
    for note in material.notes:
        echo(f"note: {note}")
    if on_github():
        files = {str(row["case_id"]): str(row["case_file"]) for row in material.rows if row.get("case_file")}
        for line in annotation_lines(decision, files):
            click.echo(line)
    if not quiet:
        named = [str(info["run_id"]) for info in material.runs if info.get("run_id")]
        echo("\n".join(["", *(f"run {run_id}" for run_id in named), f"next: {_next(decision)}"]))


def _next(decision: Decision) -> str:
    if decision.decision == "pass":
        return "pytest-llmreplay baseline accept"
    return "pytest-llmreplay report" if not decision.red else "run a command above, or open pytest-llmreplay report"


def _versions() -> dict[str, str]:
    import importlib.metadata
    import platform

    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in _VERSIONS}}
