"""`golden diff`: what changed between two golden files or two revisions, as a reviewer reads it."""

from __future__ import annotations

import difflib
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.cli.git import git
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.text import one_line, printable

if TYPE_CHECKING:
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.model.case import Case

_CONTEXT_LINES = 2


@click.command()
@click.argument("before", metavar="FILE|BASE..HEAD")
@click.argument("after", required=False, metavar="[FILE]")
@click.option("--markdown", is_flag=True, help="For a pull request.")
def diff(before: str, after: str | None, markdown: bool) -> None:
    """Show what changed between two golden files, or between two git revisions (BASE..HEAD, or BASE.. for now)."""
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.store.cases import read_cases

    if after is not None:
        old, new = ({case.case_id: case for case in read_cases(Path(name))} for name in (before, after))
    else:
        base, separator, head = before.partition("..")
        if base.startswith("-") or head.startswith("-"):
            raise UserError("is no revision", key="BASE..HEAD", value=before)
        if not separator or not base:
            raise UserError("must be two files, or BASE..HEAD", key="FILE|BASE..HEAD", value=before)
        project = find_project(Path.cwd())
        old, new = _at(project, base), _at(project, head or None)
    parts = list(changes_between(old, new))
    for title, lines in parts:
        click.echo(printable(_markdown(title, lines) if markdown else "\n".join([title, *lines, ""])))
    added, removed = len(set(new) - set(old)), len(set(old) - set(new))
    click.echo(f"{added} cases added, {removed} removed, {len(parts) - added - removed} changed")


def changes_between(old: Mapping[str, Case], new: Mapping[str, Case]) -> Iterator[tuple[str, list[str]]]:
    """A title and a unified diff for every case that is not the same on both sides."""
    from pytest_llmreplay.store.case_text import case_to_yaml

    for case_id in sorted({*old, *new}):
        before, after = old.get(case_id), new.get(case_id)
        if before == after:
            continue
        old_lines, new_lines = ([] if case is None else case_to_yaml(case).splitlines() for case in (before, after))
        lines = list(difflib.unified_diff(old_lines, new_lines, n=_CONTEXT_LINES, lineterm=""))[2:]
        shown = after or before
        title = one_line(shown.title or "") if shown else ""
        done = "added" if before is None else "removed" if after is None else "changed"
        yield f"{done} {case_id}{f': {title}' if title else ''}", lines


def _markdown(title: str, lines: list[str]) -> str:
    text = "\n".join(lines)
    # A fence is longer than any in the text, so that nothing in it can end it.
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    done, _, rest = title.partition(" ")
    summary = f"<b>{done}</b> {_escaped(rest)}"
    return f"<details><summary>{summary}</summary>\n\n{fence}diff\n{text}\n{fence}\n\n</details>\n"


def _escaped(text: str) -> str:
    import html

    return html.escape(text).replace("`", "&#96;").replace("@", "&#64;")


def _at(project: Project, revision: str | None) -> dict[str, Case]:
    """The cases at a revision; None is the working tree."""
    from pytest_llmreplay.cli.golden_cases import all_cases

    if revision is None:
        return {case.case_id: case for _, case in all_cases(project)}
    from pytest_llmreplay.store.cases import is_case_file, read_cases

    cases: dict[str, Case] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(_parquet_at(project, revision)):
            path = Path(folder) / f"{number}.parquet"
            path.write_bytes(git(project.root, "show", f"{revision}:./{name}"))
            if is_case_file(path):
                cases.update((case.case_id, case) for case in read_cases(path))
    return cases


def _parquet_at(project: Project, revision: str) -> list[str]:
    folders = [project.relative(path) for path in project.golden]
    listed = git(project.root, "ls-tree", "-r", "-z", "--name-only", revision, "--", *folders)
    return [name for name in listed.decode("utf-8", "surrogateescape").split("\0") if name.endswith(".parquet")]
