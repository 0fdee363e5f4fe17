"""`pytest-llmreplay promote`: production conversations become golden cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.model.errors import UserError, did_you_mean
from pytest_llmreplay.report.text import one_line, printable

if TYPE_CHECKING:
    from pytest_llmreplay.config import Project
    from pytest_llmreplay.model.case import Case
    from pytest_llmreplay.model.conversation import Conversation
    from pytest_llmreplay.promote import Step, Stopped


@click.command()
@click.argument("logs", nargs=-1, required=True)
@click.option("--id", "ids", multiple=True, metavar="ID", help="A conversation to promote; repeatable.")
@click.option("--where", metavar="EXPR", help="Promote the conversations for which this expression holds.")
@click.option("--out", type=click.Path(path_type=Path), help="The file to write; it must not exist.")
@click.option("--suite", help="The suite's name (default: the name of --out, or of the first log).")
@click.option("--expect", type=click.Path(path_type=Path), help="A YAML file (kind: expectations) for all cases.")
@click.option("--expect-column", metavar="COLUMN", help="The log's column with each case's own expectation.")
@click.option("--control", is_flag=True, help="These conversations went well, and must go on going well.")
@click.option("--turn", type=click.IntRange(min=1), help="The failing turn (default: the assistant's last).")
@click.option("--id-column", metavar="COLUMN", help="The log's column that identifies a conversation.")
@click.option("--format", "format_name", metavar="NAME", help="The format of the logs, instead of finding out.")
def promote(
    logs: tuple[str, ...],
    ids: tuple[str, ...],
    where: str | None,
    out: Path | None,
    suite: str | None,
    expect: Path | None,
    expect_column: str | None,
    control: bool,
    turn: int | None,
    id_column: str | None,
    format_name: str | None,
) -> None:
    """Promote conversations in LOGS (Parquet, JSONL, folders, globs) into golden cases.

    Without --id and --where all conversations are promoted. A case with an expectation is open at once (with
    --control: fixed); without one it is a draft and does not run.
    """
    from pytest_llmreplay.config import find_project
    from pytest_llmreplay.promote import Promotion
    from pytest_llmreplay.promote import promote as run_pipeline
    from pytest_llmreplay.traces import read_conversations

    if expect is not None and expect_column is not None:
        raise UserError("--expect and --expect-column exclude each other")
    project = find_project(Path.cwd())
    problems: list[str] = []
    conversations = read_conversations(
        logs, format=format_name, id_column=id_column, where=where, on_problem=lambda p: problems.append(str(p))
    )
    suite = suite or (out.stem if out else Path(logs[0]).stem or "promoted")
    promotion = Promotion(
        suite=suite,
        kind="control" if control else "incident",
        promoted_at=_now(),
        turn=turn,
        sha256_of=lru_cache(lambda source: _sha256(project.root / source)),
    )
    chosen = _chosen(conversations, ids)
    results = run_pipeline(_with_relative_source(chosen, project), promotion, _steps(project, expect, expect_column))
    cases, stopped = _sorted_out(results, project)
    for problem in problems:
        click.echo(printable(problem), err=True)
    _report_stopped(stopped)
    if not cases:
        if not stopped:
            raise UserError("no conversation was selected, so nothing is written")
        click.get_current_context().exit(1)
    path = out if out is not None else _default_path(project, suite, cases)
    _write(project, path, cases)
    if stopped or problems:
        click.get_current_context().exit(1)


def _steps(project: Project, expect: Path | None, expect_column: str | None) -> list[Step]:
    from pytest_llmreplay.promote import expect_from_column, expect_from_file, with_status

    if expect is not None:
        from pytest_llmreplay.config import load_expectations

        return [expect_from_file(load_expectations(expect, root=project.root)), with_status]
    if expect_column is not None:
        return [expect_from_column(expect_column), with_status]
    return [with_status]


def _chosen(conversations: Iterable[Conversation], ids: tuple[str, ...]) -> Iterator[Conversation]:
    """The conversations with these ids, in the order of the log; all of them when no id is given."""
    if not ids:
        yield from conversations
        return
    missing = set(ids)
    seen: list[str] = []
    for conversation in conversations:
        seen.append(conversation.conversation_id)
        if conversation.conversation_id in ids:
            missing.discard(conversation.conversation_id)
            yield conversation
    if missing:
        first = min(missing)
        nearest = did_you_mean(first, seen)
        hint = f"did you mean '{nearest}'?" if nearest else None
        raise UserError(f"no conversation has the id '{first}' ({len(seen)} were read)", fix=hint)


def _with_relative_source(conversations: Iterable[Conversation], project: Project) -> Iterator[Conversation]:
    from dataclasses import replace

    for conversation in conversations:
        source = conversation.source_file
        yield conversation if source is None else replace(conversation, source_file=project.relative(Path(source)))


def _sorted_out(results: Iterable[Case | Stopped], project: Project) -> tuple[list[Case], list[Stopped]]:
    """The new cases, and what was stopped: also a case whose id is already taken."""
    from pytest_llmreplay.promote import Stopped

    taken = dict(_known_ids(project))
    cases: list[Case] = []
    stopped: list[Stopped] = []
    for result in results:
        if isinstance(result, Stopped):
            stopped.append(result)
        elif result.case_id in taken:
            source = result.provenance.trace_id or result.case_id
            stopped.append(Stopped(source, f"it is already a case: {result.case_id} in {taken[result.case_id]}"))
        else:
            taken[result.case_id] = "this promotion"
            cases.append(result)
    return cases, stopped


def _known_ids(project: Project) -> Iterator[tuple[str, str]]:
    from pytest_llmreplay.store.cases import golden_files, read_index

    for path in golden_files([path for path in project.golden if path.exists()]):
        for entry in read_index(path):
            if entry.case_id is not None:
                yield entry.case_id, project.relative(path)


def _default_path(project: Project, suite: str, cases: list[Case]) -> Path:
    from datetime import UTC, datetime

    from pytest_llmreplay.model.canonical import digest

    name = f"{datetime.now(UTC):%Y-%m-%d}-{digest([case.case_id for case in cases])[:8]}.parquet"
    return project.golden[0] / suite / name


def _write(project: Project, path: Path, cases: list[Case]) -> None:
    from pytest_llmreplay.store.cases import write_cases

    path.parent.mkdir(parents=True, exist_ok=True)
    write_cases(path, cases)
    shown = project.relative(path)
    counts = Counter(f"{case.status} {case.kind}" for case in cases)
    summary = ", ".join(f"{count} {what}{'s' if count > 1 else ''}" for what, count in sorted(counts.items()))
    click.echo("Text is stored as logged: nothing is redacted.", err=True)
    click.echo(f"{len(cases)} case{'s' if len(cases) > 1 else ''} written to {shown}: {summary}")
    drafts = [case for case in cases if case.status == "draft"]
    if drafts:
        click.echo("Drafts do not run: they have no expectation; give one with --expect or --expect-column.")
    click.echo(
        f"next: pytest {shown}"
        if len(drafts) < len(cases)
        else f"next: pytest-llmreplay golden show {drafts[0].case_id}"
    )


def _report_stopped(stopped: list[Stopped]) -> None:
    for entry in stopped:
        click.echo(f"not promoted: {one_line(entry.conversation_id)}: {printable(entry.why)}", err=True)


def _sha256(path: Path) -> str | None:
    """The digest of a log; None for standard input and object stores."""
    import hashlib

    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds")
