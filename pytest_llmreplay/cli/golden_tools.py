"""`golden migrate` and `golden migrate-tools`: cases that follow the program and the application."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.cli.terminal import confirmed
from pytest_llmreplay.model.conversation import calls_of
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.text import printable

if TYPE_CHECKING:
    from pytest_llmreplay.model.case import Case
    from pytest_llmreplay.promote import ToolMigration


@click.command()
def migrate() -> None:
    """Bring golden files of an older program to today's schema."""
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.model.case import SCHEMA_VERSION
    from pytest_llmreplay.store.cases import golden_files, rewrite_cases

    project = find_project(Path.cwd())
    files = golden_files([path for path in project.golden if path.exists()])
    changed = 0
    for path in files:
        count = rewrite_cases(path, lambda case: replace(case, schema_version=SCHEMA_VERSION))
        changed += count
        if count:
            click.echo(f"{project.relative(path)}: {count} cases brought to schema {SCHEMA_VERSION}")
    click.echo(f"{len(files)} files, {changed} cases changed")
    click.echo("next: pytest-llmreplay validate")


@click.command("migrate-tools")
@click.argument("mapping", metavar="MAP.yaml", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show the changes, and write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
def migrate_tools(mapping: Path, dry_run: bool, yes: bool) -> None:
    """Rename tools and map arguments and results in every case; the ids of the cases stay."""
    from pytest_llmreplay.cli.golden_cases import all_cases, change_cases, check_sound
    from pytest_llmreplay.cli.golden_diff import changes_between
    from pytest_llmreplay.config.migration import load_migration
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.promote import ToolMigration
    from pytest_llmreplay.promote import migrate_tools as migrated

    project = find_project(Path.cwd())
    written = load_migration(mapping)
    changes = {
        old: ToolMigration(change.name or old, change.arguments, change.results)
        for old, change in written.tools.items()
    }
    old: dict[str, Case] = {case.case_id: case for _, case in all_cases(project)}
    _check_text_is_here(old.values(), changes, mapping)
    new = {case_id: migrated(case, changes) for case_id, case in old.items()}
    for case_id, case in new.items():
        if case != old[case_id]:
            check_sound(case, case_id)
    parts = list(changes_between(old, new))
    for title, lines in parts:
        click.echo(printable("\n".join([title, *lines, ""])))
    used = Counter(result.name for case in old.values() for result in case.recorded_results)
    if not parts:
        known = sorted({tool.name for case in old.values() for tool in case.tools or ()} | set(used))
        raise UserError(
            "no case knows these tools", file=str(mapping), key="tools", value=next(iter(changes)), allowed=known
        )
    click.echo(f"{len(parts)} of {len(old)} cases change")
    if dry_run:
        click.echo("next: the same command without --dry-run")
        return
    confirmed("Write them?", yes)
    change_cases(project, [i for i in new if new[i] != old[i]], lambda case: new[case.case_id])
    click.echo("next: pytest-llmreplay validate")


def _check_text_is_here(cases: Iterable[Case], changes: Mapping[str, ToolMigration], mapping: Path) -> None:
    """Refuse to map what is inside a text that is not stored; a new name is all that such a case can take.

    Raises:
        UserError: a case that holds references calls a tool whose arguments or results are mapped.
    """
    inside = {name for name, change in changes.items() if change.arguments or change.results}
    for case in cases:
        called = {call.name for call in calls_of(case.messages)} & inside if case.holds_references else set()
        if called:
            raise UserError(
                f"{case.case_id} holds references in place of the arguments and results of '{min(called)}', which "
                "cannot be mapped",
                file=str(mapping), key="tools", fix="promote it again from a log of the changed tools",
            )  # fmt: skip
