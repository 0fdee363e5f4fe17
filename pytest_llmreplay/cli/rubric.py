"""`pytest-llmreplay rubric …`: what a judge goes by."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from pytest_llmreplay.model.errors import UserError

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = Path("configs") / "rubrics"


@click.group()
def rubric() -> None:
    """Draft what a judge goes by."""


@rubric.command()
@click.argument("cases", metavar="CASE…", nargs=-1, required=True)
@click.option("--out", type=_FILE, metavar="FILE", help="Write a new file, such as configs/rubrics/support.yaml.")
def suggest(cases: tuple[str, ...], out: Path | None) -> None:
    """Draft a rubric from promoted failures, for a person to edit: a criterion for every way of failing.

    The failures stand above each criterion as comments. No model is asked and nothing is sent.
    """
    from pytest_llmreplay.cli.terminal import echo
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.judge.draft import draft_text, drafted
    from pytest_llmreplay.store.atomic import write_text_atomically
    from pytest_llmreplay.store.cases import find_case

    project = find_project(Path.cwd())
    found = [find_case(project.golden, case_id)[1] for case_id in dict.fromkeys(cases)]
    passed = [case.case_id for case in found if case.kind == "control"]
    if passed:
        raise UserError("is a control: production passed it, so there is no failure to ask about", value=passed[0])
    folder = (out or project.root / _FOLDER / "new.yaml").resolve().parent
    schema = Path(os.path.relpath(project.configs / "schemas" / "rubric.json", folder)).as_posix()
    text = draft_text(drafted(found), schema)
    if out is None:
        echo(text.rstrip())
        command = ["pytest-llmreplay", "rubric", "suggest", *cases, "--out", (_FOLDER / "NAME.yaml").as_posix()]
        click.echo(f"next: {shlex.join(command)}", err=True)
        return
    if out.exists():
        raise UserError("is there already, and a draft never takes the place of what people wrote", file=str(out))
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(out, text)
    click.echo(f"wrote {out}")
    click.echo(
        f"next: edit {out}, then name it in the cases under `rubric: {{file: …}}` and run pytest-llmreplay validate"
    )
