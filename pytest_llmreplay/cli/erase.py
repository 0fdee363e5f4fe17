"""`pytest-llmreplay erase`: one customer's data, out of everything that the project keeps."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.cli.customer_data import (
    Needles,
    cache_files,
    other_files,
    parquet_files,
    references_of,
    remove_rows,
    row_text,
    rows_with,
    texts_of,
)
from pytest_llmreplay.cli.terminal import confirmed
from pytest_llmreplay.model.errors import UserError

if TYPE_CHECKING:
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.model.case import Case

_JOURNAL = ".journal"
# A fake has the form of its value, so that of a short one may be anybody's.
_TELLING_FAKE = 6
_FAKED_ALIKE = ("email", "user_id", "session_id")


@click.command()
@click.option("--user", metavar="ID", help="A user, by the id, mail address or other value that the logs have.")
@click.option("--trace", metavar="ID", help="A conversation, by its id in the logs.")
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
@click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
def erase(user: str | None, trace: str | None, dry_run: bool, yes: bool) -> None:
    """Remove a user or a conversation from cases, cassettes, recordings, runs, baseline and caches; write a receipt.

    The caches of mining are emptied, whoever is in them: they can be made again. The history of the repository is not
    rewritten; the commits that still hold it are listed.
    """
    from pytest_llmreplay.config.project import find_project

    wanted = user if user is not None else trace
    if wanted is None or not wanted.strip() or (user is not None and trace is not None):
        raise UserError("say whom to erase: --user ID or --trace ID")
    project = find_project(Path.cwd())
    _seal(project)
    needles = _needles(project, wanted)
    found = {path: rows for path in parquet_files(project) if (rows := rows_with(path, needles))}
    files = [path for path in other_files(project) if needles.are_in(_text(path))]
    commits = list(_commits(project, needles))
    cached = cache_files()
    for path, rows in found.items():
        click.echo(f"  {project.relative(path)}: {len(rows)} rows")
    for path in files:
        click.echo(f"  {project.relative(path)}: the file")
    for commit in commits:
        click.echo(f"  still in the history: {commit}")
    if cached:
        click.echo(f"  the caches of mining: all {len(cached)} files, whoever is in them")
    if not found and not files and not cached:
        click.echo("nothing is kept here of it")
    if dry_run:
        click.echo("next: the same command without --dry-run")
        return
    if found or files or cached:
        _remove(found, [*files, *cached], yes)
    removed = (found, [*files, *cached], commits)
    receipt = _receipt(project, "user" if user is not None else "trace", wanted, removed)
    click.echo(f"receipt: {receipt}")
    click.echo("next: rewrite the history of these commits (git filter-repo)" if commits else "next: commit golden/")


def _seal(project: Project) -> None:
    """Turn journals that a killed run left into files; one that is being written must end first."""
    from pytest_llmreplay.store.recordings import RecordingStore
    from pytest_llmreplay.store.runs import RunStore

    if not project.state.is_dir():
        return
    RunStore(project.state).seal_abandoned()
    RecordingStore(project.state / "recordings").seal_abandoned()
    live = next((path for path in other_files(project) if path.name.endswith(_JOURNAL)), None)
    if live is not None:
        raise UserError("a run is still writing", file=project.relative(live), fix="erase when it has ended")


def _needles(project: Project, wanted: str) -> Needles:
    """The id and its pseudonyms, the cases that have one, and what was said in those cases."""
    from pytest_llmreplay.promote import Hashes
    from pytest_llmreplay.promote.redact import redaction_key

    words = {wanted, *_pseudonyms(project, wanted)}
    cases = [case for case in _cases(project) if _speaks_of(case, Needles(words))]
    texts = {text for case in cases for text in texts_of(case)}
    # Without the key nobody can tell which text a reference stands for.
    references = {reference for case in cases for reference in references_of(case)} if _has_key() else ()
    return Needles(words, {case.case_id for case in cases}, texts, references, Hashes(redaction_key).of)


def _speaks_of(case: Case, needles: Needles) -> bool:
    from pytest_llmreplay.store.case_text import case_to_yaml

    return needles.are_in(case_to_yaml(case))


def _cases(project: Project) -> Iterator[Case]:
    from pytest_llmreplay.store.cases import BadCase, CaseFile, golden_files

    for path in golden_files([path for path in project.golden if path.exists()]):
        file = CaseFile(path)
        for row in range(len(file)):
            try:
                yield file.load(row)
            except BadCase:
                continue  # its row is searched all the same, like every other row


def _pseudonyms(project: Project, wanted: str) -> set[str]:
    """What stands for the value in redacted cases, whatever its kind; nothing where there is no key to tell."""
    from pytest_llmreplay.config.redaction import load_redaction
    from pytest_llmreplay.promote.redact import KINDS, Pseudonyms, canonical, redaction_key

    if not _has_key():
        click.echo("no redaction key is here, so only what holds the id itself is found", err=True)
        return set()
    key = redaction_key()
    regions = load_redaction(project.configs / "redaction.yaml").regions
    kinds = [(kind, canonical(kind, wanted, regions)) for kind in KINDS]
    words = {Pseudonyms(lambda: key).of(kind, spelling, wanted) for kind, spelling in kinds if spelling}
    if len(wanted) >= _TELLING_FAKE:
        fakes = Pseudonyms(lambda: key, fake=True)
        words |= {fakes.of(kind, spelling, wanted) for kind, spelling in kinds if kind in _FAKED_ALIKE}
    return words


def _has_key() -> bool:
    """Whether the redaction key is here; asking for it would make one."""
    from pytest_llmreplay.promote.redact import KEY_VARIABLE, key_path

    return KEY_VARIABLE in os.environ or key_path(os.environ).exists()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", file=str(path)) from error


def _remove(found: Mapping[Path, list[int]], files: list[Path], yes: bool) -> None:
    confirmed("Remove all this?", yes)
    for path, rows in found.items():
        remove_rows(path, rows)
    for path in files:
        path.unlink()
    click.echo(f"removed {sum(map(len, found.values()))} rows and {len(files)} files")


def _commits(project: Project, needles: Needles) -> Iterator[str]:
    """The commits that brought a Parquet file which holds the customer."""
    import tempfile

    from pytest_llmreplay.cli.git import git, is_repository

    if not is_repository(project.root):
        return
    folders = [project.relative(path) for path in project.golden]
    listed = git(project.root, "rev-list", "--all", "--objects", "--", *folders).decode("utf-8", "replace")
    blobs = dict(line.split(" ", 1) for line in listed.splitlines() if line.endswith(".parquet"))
    commits: dict[str, None] = {}
    with tempfile.TemporaryDirectory() as folder:
        for blob in blobs:
            path = Path(folder) / "blob.parquet"
            path.write_bytes(git(project.root, "cat-file", "blob", blob))
            if _holds(path, needles):
                log = git(project.root, "log", "--all", "--format=%H", f"--find-object={blob}", "--", *folders)
                commits.update(dict.fromkeys(log.decode("ascii").split()))
    yield from commits


def _holds(path: Path, needles: Needles) -> bool:
    try:
        return bool(rows_with(path, needles))
    except UserError:
        return needles.are_in(row_text(path.read_bytes().decode("utf-8", "replace")))


def _receipt(
    project: Project, what: str, wanted: str, done: tuple[Mapping[Path, list[int]], list[Path], list[str]]
) -> str:
    """Write down what was removed, without saying whom."""
    from datetime import UTC, datetime

    from pytest_llmreplay.model.canonical import text_digest
    from pytest_llmreplay.store.atomic import write_text_atomically
    from pytest_llmreplay.store.state import ensure_state

    found, files, commits = done
    now = datetime.now(UTC)
    receipt = {
        "erased_at": now.isoformat(timespec="seconds"),
        "what": what,
        "id_sha256": text_digest(wanted),
        "rows": {project.relative(path): len(rows) for path, rows in found.items()},
        "files": [project.relative(path) for path in files],
        "commits_that_still_hold_it": commits,
    }
    path = ensure_state(project.state, "erasures") / f"{now:%Y%m%dT%H%M%S.%fZ}.json"
    write_text_atomically(path, json.dumps(receipt, indent=2) + "\n")
    return project.relative(path)
