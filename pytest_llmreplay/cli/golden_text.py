"""`golden edit`, `export` and `import`: cases as YAML that people edit, without losing anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.cli.possible_names import RESIDUAL
from pytest_llmreplay.model.errors import LlmReplayError, UserError

if TYPE_CHECKING:
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.model.case import Case


@click.command()
@click.argument("what", nargs=-1, metavar="[CASE|FILE]...")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="A folder: one file a case.")
def export(what: tuple[str, ...], out: Path | None) -> None:
    """Write cases as YAML: those named, those in golden files, or all."""
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.store.case_text import case_to_yaml

    cases = list(_named(what, find_project(Path.cwd())))
    if out is None:
        # Exactly the text, so that it can be read again; a reader that is a terminal gets `golden show`.
        click.echo("---\n".join(case_to_yaml(case) for case in cases), nl=False)
        return
    out.mkdir(parents=True, exist_ok=True)
    for case in cases:
        (out / f"{_file_name(case.case_id)}.yaml").write_text(case_to_yaml(case), encoding="utf-8")
    click.echo(f"{len(cases)} cases written to {out}")
    click.echo(f"next: edit them, then pytest-llmreplay golden import {out}/*.yaml")


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--out", type=click.Path(path_type=Path), help="The golden file for new cases; it must not exist.")
@click.option("--residual", type=RESIDUAL, help="What to do with words of changed labels that may be names.")
def import_(files: tuple[Path, ...], out: Path | None, residual: str | None) -> None:
    """Read cases from YAML: one that is known takes its own place, new ones go to --out."""
    from pytest_llmreplay.cli.golden_cases import Wording, all_cases, change_cases, check_not_opened, check_sound
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.store.cases import write_cases

    project = find_project(Path.cwd())
    read = [(file, case) for file in files for case in _cases_in(file)]
    for file, case in read:
        check_sound(case, str(file))
    ids = [case.case_id for _, case in read]
    repeated = next((one for one in ids if ids.count(one) > 1), None)
    if repeated is not None:
        raise UserError(f"the case id '{repeated}' is read twice")
    known = {case.case_id: case for _, case in all_cases(project)}
    for file, case in read:
        check_not_opened(project, known.get(case.case_id), case, str(file))
    new = [case for _, case in read if case.case_id not in known]
    if new and out is None:
        raise UserError(f"{len(new)} cases are new", fix="say with --out where they go")
    wording = Wording(project, residual)
    edited = [case for _, case in read if case.case_id in known and case != known[case.case_id]]
    changed = {case.case_id: wording.labels(case, known[case.case_id]) for case in edited}
    change_cases(project, list(changed), lambda case: changed[case.case_id])
    wording.say_hidden()
    if out is not None and new:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_cases(out, new)
    click.echo(f"{len(changed)} cases changed, {len(new)} new, {len(read) - len(changed) - len(new)} as they were")
    click.echo("next: pytest-llmreplay validate")


@click.command()
@click.argument("case_id", metavar="CASE")
@click.option("--from", "source", type=click.Path(path_type=Path, exists=True), help="Go on with this text.")
@click.option("--residual", type=RESIDUAL, help="What to do with words of changed labels that may be names.")
def edit(case_id: str, source: Path | None, residual: str | None) -> None:
    """Open a case in $EDITOR; what does not validate is refused, and the text is kept."""
    from pytest_llmreplay.cli.golden_cases import Wording, change_cases, check_not_opened, check_sound
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.store.case_text import case_from_yaml, case_to_yaml
    from pytest_llmreplay.store.cases import find_case

    project = find_project(Path.cwd())
    _, case = find_case(project.golden, case_id)
    before = case_to_yaml(case) if source is None else source.read_text(encoding="utf-8")
    text = click.edit(before, extension=".yaml", require_save=False)
    if text is None or (text == before and source is None):
        click.echo("nothing was changed")
        return
    try:
        edited = case_from_yaml(text, file=case_id)
        if edited.case_id != case_id:
            raise UserError("the id of a case is fixed", file=case_id, key="case_id", value=edited.case_id)
        check_sound(edited, case_id)
        check_not_opened(project, case, edited, case_id)
        wording = Wording(project, residual)
        edited = wording.labels(edited, case)
    except LlmReplayError as error:
        kept = _keep(project, case_id, text)
        raise UserError(f"{error}; the text is kept: pytest-llmreplay golden edit {case_id} --from {kept}") from error
    [file] = change_cases(project, [case_id], lambda _: edited)
    wording.say_hidden()
    click.echo(f"{case_id} is changed in {file}")
    click.echo(f"next: pytest {file} -k {case_id}")


def _keep(project: Project, case_id: str, text: str) -> str:
    from pytest_llmreplay.store.state import ensure_state

    path = ensure_state(project.state, "edits") / f"{_file_name(case_id)}.yaml"
    path.write_text(text, encoding="utf-8")
    return project.relative(path)


def _named(what: tuple[str, ...], project: Project) -> Iterator[Case]:
    from pytest_llmreplay.cli.golden_cases import all_cases
    from pytest_llmreplay.store.cases import find_case, read_cases

    if not what:
        yield from (case for _, case in all_cases(project))
    for name in what:
        # git hands a temporary copy to its textconv, which need not be called like a golden file.
        if Path(name).is_file():
            yield from read_cases(Path(name))
        else:
            yield find_case(project.golden, name)[1]


def _cases_in(file: Path) -> Iterator[Case]:
    from pytest_llmreplay.store.case_text import case_from_yaml

    try:
        with click.open_file(str(file), encoding="utf-8") as stream:
            text = stream.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {error}", file=str(file)) from error
    for document in re.split(r"(?m)^---\s*$", text):
        if document.strip():
            yield case_from_yaml(document, file=str(file))


def _file_name(case_id: str) -> str:
    return re.sub(r"[^\w.-]", "_", case_id).lstrip(".") or "case"
