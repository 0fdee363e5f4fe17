"""Where a project keeps what customers wrote, and which rows of those files speak of one of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.model.errors import UserError

if TYPE_CHECKING:
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.model.case import Case

_TELLING_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class Needles:
    """What gives a customer away: ids and pseudonyms as words of their own, case ids, and whole texts.

    `references` stand for texts that cases do not store; `reference_of` makes the one of a text.
    """

    words: Collection[str]
    case_ids: Collection[str] = ()
    texts: Collection[str] = ()
    references: Collection[str] = ()
    reference_of: Callable[[str], str] = str

    def are_in(self, text: str) -> bool:
        """Whether a text speaks of the customer."""
        folded = text.casefold()
        bounded = (w for w in (*self.words, *self.case_ids) if w.casefold() in folded)
        if any(re.search(_alone(word), folded) for word in bounded):
            return True
        return any(told in text for told in self.texts)

    def refer_to(self, row: Any) -> bool:
        """Whether a row holds a text for which one of the references stands."""
        return bool(self.references) and any(self.reference_of(text) in self.references for text in _leaves(row))


def _leaves(value: Any) -> Iterator[str]:
    """The texts in a row that are long enough to tell customers apart, also inside of JSON."""
    for text in _texts(value):
        if text[:1] in ("{", "["):
            try:
                yield from _leaves(json.loads(text))
            except (ValueError, RecursionError):
                continue
        elif len(text) >= _TELLING_CHARACTERS:
            yield text


def references_of(case: Case) -> set[str]:
    """The references that stand for what the user wrote in a case."""
    return (
        {message.content or "" for message in case.messages if message.role == "user"}
        if case.holds_references
        else set()
    )


def _alone(word: str) -> str:
    """The word where it is not a part of a longer id or address; a full stop may follow it."""
    return rf"(?<![\w@.-]){re.escape(word.casefold())}(?![\w@-]|\.\w)"


def texts_of(case: Case) -> set[str]:
    """What the user wrote in a case, as it stands in JSON, where it is long enough to tell customers apart.

    A request to a judge holds it as JSON inside of JSON.
    """
    from pytest_llmreplay.judge.prompt import as_data

    said = [message.content or "" for message in case.messages if message.role == "user"]
    told = [text for text in said if len(text) >= _TELLING_CHARACTERS]
    return {json.dumps(form, ensure_ascii=False)[1:-1] for text in told for form in (text, as_data(text)[1:-1])}


def parquet_files(project: Project) -> list[Path]:
    """Every Parquet file of the suites and of the state folder."""
    files: set[Path] = set()
    for place in [*project.golden, project.state]:
        files.update(place.rglob("*.parquet") if place.is_dir() else [place] if place.is_file() else [])
    return sorted(files)


def other_files(project: Project) -> list[Path]:
    """Every other file of the state folder, but receipts."""
    files = project.state.rglob("*") if project.state.is_dir() else ()
    return sorted(
        path
        for path in files
        if path.is_file() and path.suffix != ".parquet" and path.name != ".gitignore" and "erasures" not in path.parts
    )


def cache_files() -> list[Path]:
    """Every file that mining keeps for a time in the user's cache folder, for all projects alike.

    They are copies of logs, texts without their users and vectors, of which nobody can tell whose they are.
    """
    from pytest_llmreplay.mine.caches import user_caches

    return [entry.path for entry in user_caches().entries()]


def rows_with(path: Path, needles: Needles) -> list[int]:
    """The rows of a Parquet file that speak of the customer.

    Raises:
        UserError: the file cannot be read.
    """
    return [number for number, row in enumerate(_rows(path)) if needles.are_in(row_text(row)) or needles.refer_to(row)]


def row_text(value: Any) -> str:
    """All that a row holds; text that is JSON stands there as the data it is."""
    return "\n".join(_texts(value))


def remove_rows(path: Path, rows: Collection[int]) -> None:
    """Take rows out of a Parquet file, atomically; a file without any row left is removed.

    Raises:
        UserError: the file cannot be read or written.
    """
    from pytest_llmreplay.store.case_schema import ROW_GROUP_ROWS
    from pytest_llmreplay.store.parquet import open_parquet, reading, write_tables

    with reading(path):
        table = open_parquet(path).read(use_threads=False)
    kept = [number for number in range(table.num_rows) if number not in set(rows)]
    if kept:
        write_tables(path, [table.take(kept)], table.schema, group_rows=ROW_GROUP_ROWS)
    else:
        path.unlink()


def data_places(project: Project) -> Iterator[tuple[str, str]]:
    """Every place that holds customer text, with what it holds."""
    from pytest_llmreplay.store.parquet import footer

    for path in parquet_files(project):
        try:
            read = footer(path)
        except UserError as error:
            yield project.relative(path), str(error)
            continue
        kind = (read.metadata or {}).get(b"llmreplay.kind", b"no file of this program").decode("ascii", "replace")
        yield project.relative(path), f"{read.num_rows} {kind}{_unredacted(path) if kind == 'cases' else ''}"
    for path in other_files(project):
        yield project.relative(path), f"{path.stat().st_size} bytes"
    yield from _logs(project)
    yield from _caches()


def _unredacted(path: Path) -> str:
    from pytest_llmreplay.store.cases import BadCase, CaseFile

    file = CaseFile(path)
    plain = 0
    for row in range(len(file)):
        try:
            plain += file.load(row).provenance.redactor_version is None
        except BadCase:
            plain += 1
    return f", {plain} of them not redacted" if plain else ", all redacted"


def _logs(project: Project) -> Iterator[tuple[str, str]]:
    from pytest_llmreplay.config.check import check_configs

    for variant in check_configs(project.configs, project.root)[0]:
        if variant.target.type == "traces":
            yield variant.target.logs, f"read by variant {variant.name}; not kept here"


def _caches() -> Iterator[tuple[str, str]]:
    """What mining keeps for a time, outside of the project."""
    from datetime import UTC, datetime

    from pytest_llmreplay.mine.caches import user_caches

    for entry in user_caches().entries():
        until = datetime.fromtimestamp(entry.expires_at, UTC).isoformat(timespec="minutes")
        yield str(entry.path), f"cache of {entry.kind}, {entry.size} bytes, counts until {until}"


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    from pytest_llmreplay.store.parquet import open_parquet, plain_rows, reading

    with reading(path):
        file = open_parquet(path)
        for group in range(file.metadata.num_row_groups):
            yield from plain_rows(file.read_row_group(group, use_threads=False))


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield str(value)
