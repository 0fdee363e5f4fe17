"""`pytest-llmreplay report`: the comparison as a page, a comment, a JUnit file, or a set of changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_llmreplay.model.errors import UserError

if TYPE_CHECKING:
    from pytest_llmreplay.cli.material import Material
    from pytest_llmreplay.compare import Comparison, Decision
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.model.variant import Variant

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("runs", metavar="RUN…", nargs=-1)
@click.option("--html", type=_FILE, metavar="FILE", help="One file (.pytest_llmreplay/report.html).")
@click.option("--markdown", type=_FILE, metavar="FILE", help="The comment for a pull request.")
@click.option("--junit", type=_FILE, metavar="FILE", help="A JUnit file, a test case a trial.")
@click.option(
    "--export-changes",
    "changes",
    type=_FILE,
    metavar="[FILE]",
    is_flag=False,
    flag_value="changes.md",
    help="The changes from V1 to V2 with their evidence, as Markdown (changes.md).",
)
@click.option("--policy", type=_FILE, metavar="FILE", help="Show the gate's decision too (configs/gate.yaml, if any).")
@click.option("--baseline", metavar="NAME", help="The variant to compare with; 'accepted' for the accepted one.")
@click.option("--candidate", metavar="NAME", help="The variant to show, when there are several.")
@click.option("--allow", is_flag=True, help="Compare although cases, environment, rubrics or judge differ.")
@click.option("--seed", default=0, show_default=True, help="Of the bootstrap and of Monte Carlo tests.")
def report(
    runs: tuple[str, ...],
    html: Path | None,
    markdown: Path | None,
    junit: Path | None,
    changes: Path | None,
    policy: Path | None,
    baseline: str | None,
    candidate: str | None,
    allow: bool,
    seed: int,
) -> None:
    """Show RUN… (default: the last run). Without an option the HTML page is written.

    See `compare` for what a RUN may be.
    """
    from pytest_llmreplay.cli.material import load_material
    from pytest_llmreplay.compare import compare_outcomes
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.report.commands import reproduce_commands

    project = find_project(Path.cwd())
    material = load_material(project, runs or ("last",), baseline, (candidate,) if candidate else ())
    comparison = compare_outcomes(
        material.rows, baseline=material.baseline, candidate=material.candidate, seed=seed, allow_differences=allow
    )
    chosen = policy or project.configs / "gate.yaml"
    decision = _decision(project, chosen, comparison, material) if policy or chosen.exists() else None
    commands = reproduce_commands(material.rows, comparison.candidate, material.runs)
    if html is None and markdown is None and junit is None and changes is None:
        from pytest_llmreplay.store.state import ensure_state

        html = ensure_state(project.state) / "report.html"
    if html is not None:
        _write(html, _html(project, material, comparison, decision, commands))
    if markdown is not None:
        from pytest_llmreplay.report.judged import judge_lines
        from pytest_llmreplay.report.markdown import markdown_text

        judge = list(judge_lines(material.compared))
        _write(markdown, markdown_text(comparison, decision, commands=commands, judge=judge))
    if junit is not None:
        from pytest_llmreplay.report.junit import junit_text

        _write(junit, junit_text(material.rows, baseline=material.baseline, decision=decision))
    if changes is not None:
        _write(changes, _changes(project, material, comparison, allow))
    click.echo(f"next: open {html} in a browser" if html else "next: pytest-llmreplay gate")


def _decision(project: Project, policy: Path, comparison: Comparison, material: Material) -> Decision:
    import datetime as dt

    from pytest_llmreplay.config.gate import load_gate
    from pytest_llmreplay.report.gating import calibrations_of, gate_of, judge_evidence

    today = dt.datetime.now(dt.UTC).date()
    written = load_gate(policy)
    judge = judge_evidence(calibrations_of(project.configs, material.runs), material.compared, written.judge, today)
    return gate_of(written, comparison, configs=project.configs, golden=project.golden, today=today, judge=judge)[0]


def _write(path: Path, text: str) -> None:
    from pytest_llmreplay.store.atomic import write_text_atomically

    write_text_atomically(path, text)
    click.echo(f"wrote {path} ({len(text.encode('utf-8', 'surrogatepass')) / 1e6:.1f} MB)")


def _html(
    project: Project,
    material: Material,
    comparison: Comparison,
    decision: Decision | None,
    commands: Mapping[str, str],
) -> str:
    from dataclasses import replace

    from pytest_llmreplay.cli.contexts import case_contexts
    from pytest_llmreplay.report.html import HtmlReport, html_text

    names = (comparison.baseline, comparison.candidate)
    rows = [row for row in material.rows if row.get("variant") in names]
    contexts, notes = case_contexts(project, rows)
    notes += material.notes
    if decision is not None:
        decision = replace(decision, notes=(*notes, *decision.notes))
    comparison = replace(comparison, notes=(*notes, *comparison.notes))
    return html_text(HtmlReport(comparison, rows, decision, contexts, commands, _facts(material)))


def _facts(material: Material) -> dict[str, str]:
    """What produced the figures: runs, commits, models, versions, the judge and what it took."""
    from pytest_llmreplay.report.judged import judge_lines

    facts: dict[str, str] = {}
    for info in material.runs:
        if not info.get("run_id"):
            continue
        about = [str(info[key]) for key in ("started_at", "git_commit") if info.get(key)]
        facts[f"run {info['run_id']}"] = ", ".join(about) or "–"
        for name, variant in (info.get("variants") or {}).items():
            answers = variant.get("model") or variant.get("function") or variant.get("target")
            facts[f"variant {name}"] = f"{answers} ({variant.get('file')}, digest {str(variant.get('digest'))[:12]})"
        versions: Mapping[str, Any] = info.get("versions") or {}
        facts["versions"] = ", ".join(f"{name} {version}" for name, version in versions.items())
    judged = "; ".join(line.strip() for line in judge_lines(material.compared))
    return {**facts, "judge": judged.removeprefix("judge ")} if judged else facts


def _changes(project: Project, material: Material, comparison: Comparison, allow: bool) -> str:
    from pytest_llmreplay.report.changes import changes_text

    before, after = (_variant(project, material, name, allow) for name in (comparison.baseline, comparison.candidate))
    return changes_text(before, after, comparison, runs=material.runs)


def _variant(project: Project, material: Material, name: str, allow: bool) -> Variant:
    """The variant as it was in the run.

    Raises:
        UserError: the run does not say where it is, or its file has changed since.
    """
    from pytest_llmreplay.config.variant import load_variant

    bare = name.partition("@")[0]
    known = (info["variants"][bare] for info in material.runs if bare in (info.get("variants") or {}))
    about = next((variant for variant in known if variant.get("file")), None)
    if about is None:
        raise UserError(
            f"nothing says which file the variant '{name}' is",
            fix="changes need runs of this project, not bare outcomes",
        )
    variant = load_variant(project.root / str(about["file"]), root=project.root)
    if variant.digest != about.get("digest") and not allow:
        raise UserError(
            "has changed since the run, so its changes would not be those that were measured",
            file=str(about["file"]),
            fix="replay it, check out the run's commit, or add --allow",
        )
    return variant
