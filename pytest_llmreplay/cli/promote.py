"""`pytest-llmreplay promote`: production conversations become golden cases."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from pytest_llmreplay.cli.choices import Choices
from pytest_llmreplay.cli.originals import Originals, said_elsewhere
from pytest_llmreplay.cli.possible_names import RESIDUAL
from pytest_llmreplay.cli.promotion import given_by, pipeline_steps, redactor_for
from pytest_llmreplay.cli.questions import Questions
from pytest_llmreplay.cli.reproducing import reproduced
from pytest_llmreplay.cli.review import review, say_duplicate, say_stopped
from pytest_llmreplay.cli.selection import selected
from pytest_llmreplay.cli.suggested import promoted, suggestions_in
from pytest_llmreplay.model.case import FailureCategory, FailureStage, Severity
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.providers.recorded import RecordMode
from pytest_llmreplay.report.text import printable

if TYPE_CHECKING:
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.model.case import Case
    from pytest_llmreplay.model.conversation import Conversation
    from pytest_llmreplay.promote import Duplicate, Stopped
    from pytest_llmreplay.traces import ReadProblem

_WORD = "WORD"
_UNMEASURED = 10


@click.command()
@click.argument("logs", nargs=-1, required=True)
@click.option("--id", "ids", multiple=True, metavar="ID", help="A conversation to promote; repeatable.")
@click.option("--ids", "ids_file", metavar="FILE", help="Ids one a line, or what find or triage gave; - is stdin.")
@click.option("--where", metavar="EXPR", help="Promote the conversations for which this expression holds.")
@click.option("--sample", type=click.IntRange(min=1), help="Of those selected only this many, always the same ones.")
@click.option("--by", metavar="COLUMN", help="With --sample: evenly over the values of this column.")
@click.option("--out", type=click.Path(path_type=Path), help="The file to write; it must not exist.")
@click.option("--suite", help="The suite's name (default: the name of --out, or of the first log).")
@click.option("--expect", type=click.Path(path_type=Path), help="A YAML file (kind: expectations) for all cases.")
@click.option("--expect-column", metavar="COLUMN", help="The log's column with each case's own expectation.")
@click.option("--like-trace", metavar="ID", help="Propose the calls of this conversation, which went well.")
@click.option("--control", is_flag=True, help="These conversations went well, and must go on going well.")
@click.option("--turn", type=click.IntRange(min=1), help="The failing turn (default: the assistant's last).")
@click.option("--id-column", metavar="COLUMN", help="The log's column that identifies a conversation.")
@click.option("--format", "format_name", metavar="NAME", help="The format of the logs, instead of finding out.")
@click.option("--residual", type=RESIDUAL, help="What to do with words that may be names.")
@click.option("--fake", is_flag=True, help="Values of the same form instead of pseudonyms.")
@click.option("--store-personal-data", metavar="REASON", help="Redact nothing; the reason is kept in each case.")
@click.option(
    "--store",
    type=click.Choice(["text", "references"]),
    default="text",
    show_default=True,
    help="references: keyed hashes in place of the text, which a resolver brings back at replay.",
)
@click.option(
    "--on-duplicate",
    type=click.Choice(["skip", "link", "add"]),
    default="skip",
    show_default=True,
    help="An exact duplicate of a case in the suite: left out, counted by raising that case's weight, or added.",
)
@click.option("--allow-passing", is_flag=True, help="Write cases too whose expectation production itself meets.")
@click.option("--reproduce", type=click.IntRange(min=1), metavar="N", help="Replay each new case N times on --variant.")
@click.option("--variant", metavar="V", help="With --reproduce: a variant's name or file.")
@click.option("--max-cost", type=click.FloatRange(min=0), metavar="USD", help="With --reproduce: the budget.")
@click.option("--record", type=click.Choice(get_args(RecordMode)), help="With --reproduce: what recordings are for.")
@click.option("--borrow", multiple=True, metavar="LOGS", help="Take missing tool results from these logs; repeatable.")
@click.option("--stub", "stubs", multiple=True, metavar="TOOL=JSON", help="The result of a tool; repeatable.")
@click.option("--category", "failure_category", type=click.Choice(get_args(FailureCategory)))
@click.option("--stage", "failure_stage", type=click.Choice(get_args(FailureStage)))
@click.option("--severity", type=click.Choice(get_args(Severity)))
@click.option("--intent", metavar=_WORD, help="What the customer wanted, in a word.")
@click.option("--title", metavar="TEXT")
@click.option("--summary", metavar="TEXT", help="What went wrong.")
@click.option("--owner", metavar="NAME", help="Who mends it.")
@click.option("--due", type=click.DateTime(["%Y-%m-%d"]), help="By when.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), help="When the case may be pruned.")
@click.option("--tag", "tags", multiple=True, metavar=_WORD, help="Repeatable.")
@click.option("--by-whom", "promoted_by", metavar="NAME", envvar="PYTEST_LLMREPLAY_USER", help="Who promotes.")
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
def promote(logs: tuple[str, ...], out: Path | None, suite: str | None, dry_run: bool, **options: Any) -> None:
    """Promote conversations in LOGS (Parquet, JSONL, folders, globs) into golden cases.

    Without --id, --ids and --where all conversations are promoted. Personal data is redacted; what may be a name is
    asked on a terminal, and elsewhere --residual decides. A case with an expectation is open at once (with --control:
    fixed); with a proposed one, or none, it is a draft and does not run.
    """
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.promote import Promotion

    choices = Choices.of(options)
    suggestions = suggestions_in(choices)
    project = find_project(Path.cwd())
    problems: list[ReadProblem] = []
    suite = suite or (out.stem if out else _suite_named_by(logs[0]))
    if out is not None and out.exists() and not dry_run:
        raise UserError("exists already, and a promotion never changes an existing file", file=str(out))
    promotion = Promotion(
        suite=suite,
        kind="control" if choices.control else "incident",
        promoted_at=_now(),
        promoted_by=choices.promoted_by,
        turn=choices.turn,
        sha256_of=lru_cache(lambda source: _sha256(project.root / source)),
    )
    redactor = redactor_for(project, choices)
    steps = pipeline_steps(project, logs, choices, redactor, problems)
    originals = Originals(redactor) if choices.store == "references" else None
    chosen = _with_relative_source(selected(logs, choices, problems), project)
    results = promoted(chosen if originals is None else originals.seen(chosen), promotion, steps, suggestions)
    sorted_out = _sorted_out(results, project, suite, choices.on_duplicate)
    for problem in problems:
        click.echo(printable(str(problem)), err=True)
    say_stopped(sorted_out.stopped)
    for case, duplicate in sorted_out.duplicates:
        say_duplicate(case, duplicate, choices.on_duplicate)
    if not dry_run and not given_by(choices).says_something and sys.stdin.isatty():
        ask = Questions(None if redactor is None else redactor.written)
        sorted_out = replace(sorted_out, cases=[ask(case) for case in sorted_out.cases])
    measured = _finish(project, out, suite, sorted_out, choices, originals, dry_run=dry_run)
    if sorted_out.stopped or any(problem.record is not None and not problem.note for problem in problems):
        click.get_current_context().exit(1)
    if not measured:
        click.get_current_context().exit(_UNMEASURED)


def _suite_named_by(log: str) -> str:
    """The log's name as the name of a folder: without its type, of `langfuse:ID` the vendor."""
    vendor, _, identifier = log.partition(":")
    name = vendor if vendor in ("langfuse", "langsmith") and identifier else Path(log).stem
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "promoted"


def _finish(
    project: Project,
    out: Path | None,
    suite: str,
    sorted_out: _SortedOut,
    choices: Choices,
    originals: Originals | None,
    *,
    dry_run: bool,
) -> bool:
    """Write what is new; whether all that was to be reproduced could be measured."""
    cases = sorted_out.cases
    linked = Counter(duplicate.case_id for _, duplicate in sorted_out.left_out)
    if not cases and not sorted_out.stopped and not linked:
        raise UserError("no conversation was selected, so nothing is written")
    if linked and choices.on_duplicate == "link" and not dry_run:
        _raise_weights(project, linked)
    if not cases:
        return True
    measured = True
    if choices.reproduce is not None and not dry_run:
        cases, measured = reproduced(project, cases, choices)
    if originals is not None:
        stopped: list[Stopped] = []
        cases = originals.hidden(cases, stopped)
        say_stopped(stopped)
        sorted_out.stopped.extend(stopped)
        if not cases:
            return measured
    path = out if out is not None else _default_path(project, suite, cases)
    if not dry_run:
        _write(path, cases)
    review(cases, project.relative(path), dry_run=dry_run)
    return measured


@dataclass(frozen=True, slots=True)
class _SortedOut:
    """The new cases, what was stopped, and duplicates with whether they are left out."""

    cases: list[Case]
    stopped: list[Stopped]
    duplicates: list[tuple[Case, Duplicate]]
    left_out: list[tuple[Case, Duplicate]]


def _sorted_out(results: Iterable[Case | Stopped], project: Project, suite: str, on_duplicate: str) -> _SortedOut:
    """The new cases, and what was stopped: also a case whose id is already taken."""
    from pytest_llmreplay.promote import Stopped, SuiteIndex

    taken = dict(_known_ids(project))
    index = SuiteIndex.of(_cases_of(project, suite), said_elsewhere)
    found = _SortedOut([], [], [], [])
    for result in results:
        if isinstance(result, Stopped):
            found.stopped.append(result)
            continue
        if result.case_id in taken:
            source = result.provenance.trace_id or result.case_id
            why = f"it is already a case: {result.case_id} in {taken[result.case_id]}"
            found.stopped.append(Stopped(source, why))
            continue
        duplicate = index.duplicate_of(result)
        if duplicate is not None:
            found.duplicates.append((result, duplicate))
            if duplicate.kind == "exact" and on_duplicate != "add":
                found.left_out.append((result, duplicate))
                continue
        taken[result.case_id] = _place(result)
        found.cases.append(result)
    return found


def _place(case: Case) -> str:
    """Where a case of this promotion came from: several logs may use one id for different conversations."""
    source, row = case.provenance.source_file, case.provenance.row
    where = [source or "", f"record {row}" if row is not None else ""]
    return ", ".join(("this promotion", *filter(None, where)))


def _with_relative_source(conversations: Iterable[Conversation], project: Project) -> Iterator[Conversation]:
    for conversation in conversations:
        source = conversation.source_file
        yield conversation if source is None else replace(conversation, source_file=project.relative(Path(source)))


def _known_ids(project: Project) -> Iterator[tuple[str, str]]:
    from pytest_llmreplay.store.cases import golden_files, read_index

    for path in golden_files([path for path in project.golden if path.exists()]):
        for entry in read_index(path):
            if entry.case_id is not None:
                yield entry.case_id, project.relative(path)


def _cases_of(project: Project, suite: str) -> Iterator[Case]:
    """The usable cases of a suite; a row that is not is for `validate` to report."""
    from pytest_llmreplay.store.cases import BadCase, CaseEntry, CaseFile, golden_files, read_index

    for path in golden_files([path for path in project.golden if path.exists()]):
        rows = [e.row for e in read_index(path) if isinstance(e, CaseEntry) and e.labels.suite == suite]
        file = CaseFile(path)
        for row in rows:
            try:
                yield file.load(row)
            except BadCase:
                continue


def _raise_weights(project: Project, linked: Counter[str]) -> None:
    from pytest_llmreplay.store.cases import find_case, rewrite_cases

    for case_id, count in sorted(linked.items()):
        path, _ = find_case(project.golden, case_id)

        def heavier(case: Case, case_id: str = case_id, count: int = count) -> Case:
            return replace(case, weight=case.weight + count) if case.case_id == case_id else case

        rewrite_cases(path, heavier)
        click.echo(f"{case_id} now stands for {count} more conversation{'s' if count > 1 else ''}")


def _default_path(project: Project, suite: str, cases: list[Case]) -> Path:
    from datetime import UTC, datetime

    from pytest_llmreplay.model.canonical import digest

    # Who and when are in it, so that two branches that promote the same conversation still merge; `validate` sees it.
    written = [(case.case_id, case.provenance.promoted_at, case.provenance.promoted_by) for case in cases]
    name = f"{datetime.now(UTC):%Y-%m-%d}-{digest(written)[:8]}.parquet"
    return project.golden[0] / suite / name


def _write(path: Path, cases: list[Case]) -> None:
    from pytest_llmreplay.store.cases import write_cases

    path.parent.mkdir(parents=True, exist_ok=True)
    write_cases(path, cases)


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
