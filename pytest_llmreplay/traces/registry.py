"""Reading conversations from whatever is named: which reader reads which file, and what happens to the rest."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_llmreplay.model.conversation import Conversation
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.traces import plain
from pytest_llmreplay.traces.assemble import conversations_of, identity
from pytest_llmreplay.traces.canonical import canonical_table
from pytest_llmreplay.traces.foreign import foreign_records
from pytest_llmreplay.traces.formats.all import BY_NAME, NOT_ALONE, reader_of, whole_list
from pytest_llmreplay.traces.gather import Gathering
from pytest_llmreplay.traces.plain import open_parquet
from pytest_llmreplay.traces.query import Expression, matching, parse_expression, select
from pytest_llmreplay.traces.reading import OnProblem, ReadProblem, UnreadableError
from pytest_llmreplay.traces.records import Record, read_records
from pytest_llmreplay.traces.sources import Source, expand, unique
from pytest_llmreplay.traces.spans import DAMAGE, Damaged, Format, Found, Place, Score, Span, reason_of

FORMATS = (plain.NAME, *BY_NAME)
_PLAIN_NAMES = (plain.NAME, "openai_finetune", "conversation_parquet")
_SNIFFED_RECORDS = 20
_FILTERED_AT_ONCE = 256


def read_conversations(
    paths: Sequence[str],
    *,
    format: str | None = None,  # noqa: A002 - the option's own name
    id_column: str | None = None,
    where: str | None = None,
    on_problem: OnProblem,
) -> Iterator[Conversation]:
    """The conversations in files, globs, folders, object stores and standard input (`-`), one at a time.

    All that is named is one source: a span counts once, and calls of one conversation belong together across files.
    `format` names the reader instead of looking at the content. `id_column` names the column with the conversation's id
    in plain logs. `where` is an expression over the log's own columns in plain logs and canonical Parquet, over the
    canonical columns elsewhere. A record or file that cannot be read is reported and the rest is read.

    Raises:
        UserError: the format is unknown, the expression is wrong, or nothing that was named can be read.
    """
    check_format(format)
    expression = None if where is None else parse_expression(where)
    return _Reading(paths, format, id_column, expression, on_problem).conversations()


def check_format(name: str | None) -> None:
    """Refuse the name of a reader that does not exist.

    Raises:
        UserError: it names the readers that there are.
    """
    if name is not None and name not in FORMATS:
        raise UserError("unknown format", key="format", value=name, allowed=FORMATS)


def format_gaps() -> dict[str, str]:
    """Every format by name, with what it does not hold."""
    own = "what the log has no column for; the names of columns stand in the documentation"
    return {plain.NAME: own, **{name: reader.gaps for name, reader in sorted(BY_NAME.items())}}


def log_sources(paths: Sequence[str], on_problem: OnProblem) -> list[Source]:
    """The files that the paths name, each once; a path of several at which there is nothing is reported.

    Raises:
        UserError: there is nothing at all.
    """
    found: list[Source] = []
    for path in paths:
        try:
            found.extend(expand(path))
        except UserError as error:
            if len(paths) == 1:
                raise
            on_problem(ReadProblem(path, None, error.problem))
    if not found:
        raise UserError("no log files there", file=", ".join(paths) or None)
    return unique(found)


def is_plain_file(source: Source, format_name: str | None) -> bool:
    """Whether each row of the file is a conversation of its own, with the log's own columns.

    Raises:
        UnreadableError: no reader knows the file, or it is damaged.
    """
    first = _first_known(source, format_name)
    if format_name is not None:
        return format_name in _PLAIN_NAMES and plain.is_plain(first)
    return reader_of(first) is None


def _first_known(source: Source, format_name: str | None) -> Any:
    """The first record that the file's reader knows.

    Raises:
        UnreadableError: there is none.
    """
    if source.is_parquet() and _is_own_parquet(source):
        return {"messages": []}
    first: Any = None
    for record in itertools.islice(_records(source), _SNIFFED_RECORDS):
        if record.error is None:
            first = record.value if first is None else first
            if format_name is not None or _is_known(record.value):
                return record.value
    if first is None and _is_empty(source):
        return {"messages": []}
    if first is None:
        raise UnreadableError("no reader knows this file: it holds no records")
    item = first[0] if isinstance(first, list) and first else first
    keys = f" with the keys {', '.join(map(str, list(item)[:12]))}" if isinstance(item, dict) else ""
    raise UnreadableError(f"no reader knows this file: records{keys}")


def _is_empty(source: Source) -> bool:
    with source.open() as stream:
        return not stream.read(1)


def _is_own_parquet(source: Source) -> bool:
    """Canonical Parquet, or a plain one without rows."""
    file = open_parquet(source)
    return plain.is_canonical(file.schema_arrow) or (
        file.metadata.num_rows == 0 and "messages" in file.schema_arrow.names
    )


def _is_known(record: Any) -> bool:
    return plain.is_plain(record) or reader_of(record) is not None


def _records(source: Source) -> Iterator[Record]:
    return foreign_records(source) if source.is_parquet() else read_records(source, whole_list=whole_list)


@dataclass(slots=True)
class _Reading:
    """One reading of all that was named."""

    paths: Sequence[str]
    format_name: str | None
    id_column: str | None
    expression: Expression | None
    on_problem: OnProblem
    gathering: Gathering = field(default_factory=Gathering)
    said: set[tuple[str, str]] = field(default_factory=set)
    gathered_from: dict[str, bool] = field(default_factory=dict)

    def conversations(self) -> Iterator[Conversation]:
        """Conversations that stand alone as they are met, then those that were put together."""
        try:
            yield from self._from_files()
            yield from self._filtered(self._gathered())
        finally:
            self.gathering.close()

    def _from_files(self) -> Iterator[Conversation]:
        sources = log_sources(self.paths, self.on_problem)
        read = 0
        for source in sources:
            try:
                read += yield from self._from_file(source)
            except (UnreadableError, UserError) as error:
                if len(sources) == 1:
                    raise error if isinstance(error, UserError) else UserError(str(error), file=source.name) from error
                self.on_problem(ReadProblem(source.name, None, str(error)))
        if not read:
            raise UserError(f"none of the {len(sources)} files can be read", file=", ".join(self.paths))

    def _from_file(self, source: Source) -> Generator[Conversation, None, bool]:
        """The conversations that stand alone in a file; whether it was more than content that others refer to."""
        if is_plain_file(source, self.format_name):
            yield from self._plain(source)
            return True
        if self.id_column is not None:
            raise UserError("a column for the id can be named in plain logs only", file=source.name)
        yield from self._filtered(self._foreign(source))
        return self.format_name is not None or reader_of(_first_known(source, None)) is not NOT_ALONE

    def _plain(self, source: Source) -> Iterator[Conversation]:
        """The conversations in a plain or canonical file.

        Raises:
            UserError: the expression or the id column does not fit the file.
        """
        first = _first_known(source, self.format_name)
        parquet = source.is_parquet()
        names = open_parquet(source).schema_arrow.names if parquet else tuple(first)
        if self.id_column is not None and self.id_column not in names:
            raise UserError("no such column for the id", file=source.name, value=self.id_column, allowed=names)
        wanted: Collection[int] | None = None if self.expression is None else select(source, self.expression)
        if parquet:
            yield from plain.read_parquet(source, wanted=wanted, id_column=self.id_column, on_problem=self.on_problem)
            return
        records = (r for r in read_records(source) if wanted is None or r.number in wanted or r.error)
        yield from plain.read_json(source, records, id_column=self.id_column, on_problem=self.on_problem)

    def _foreign(self, source: Source) -> Iterator[Conversation]:
        """What stands alone in a file of another format; the rest is gathered."""
        forced = None if self.format_name is None else BY_NAME.get(self.format_name)
        reader: Format | None = forced
        unknown: list[int] = []
        for record in _records(source):
            if record.error is not None:
                self.on_problem(ReadProblem(source.name, record.number, record.error))
                continue
            if forced is None and (reader is None or not reader.accepts(record.value)):
                reader = reader_of(record.value)
            if reader is None:
                unknown.append(record.number)
                continue
            yield from self._read(reader, record, source)
        if unknown:
            more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
            self.on_problem(ReadProblem(source.name, unknown[0], f"no reader knows this record{more}"))

    def _read(self, reader: Format, record: Record, source: Source) -> Iterator[Conversation]:
        place = Place(source.name, source.stem, record.number)
        found: list[Found] = []
        try:
            found.extend(reader.read(record.value, place))
        except DAMAGE as error:
            found.append(Damaged(reason_of(error)))
        if not reader.accepts(record.value) and all(isinstance(item, Span) and item.is_empty for item in found):
            found = [Damaged("it holds nothing of this format")]
        for item in found:
            if isinstance(item, Damaged):
                message = f"not readable as {reader.name}: {item.reason}"
                self.on_problem(ReadProblem(source.name, record.number, message))
            elif isinstance(item, Conversation):
                yield item
            else:
                self.gathering.add(item)
                scored = isinstance(item, Score) or self.gathered_from.get(source.name, False)
                self.gathered_from[source.name] = scored

    def _gathered(self) -> Iterator[Conversation]:
        """The stitched conversations; one without an id that was already read from another record is not repeated."""
        if self.gathering.empty:
            return
        seen: dict[str, set[str | None]] = {}
        made = False
        for group in self.gathering.groups():
            for conversation in conversations_of(group, self._say):
                if _was_read(conversation, seen) and not group.joined:
                    continue
                yield conversation
                made = True
        self._say_what_led_nowhere(made=made)

    def _say_what_led_nowhere(self, *, made: bool) -> None:
        """Report scores that judge nothing that was read, and spans without any call of a model."""
        scores = self.gathering.unattached_scores()
        for name, scored in self.gathered_from.items():
            if scores and scored:
                self.on_problem(ReadProblem(name, None, f"{scores} scores judge nothing that was read", note=True))
            elif not made:
                self.on_problem(ReadProblem(name, None, "it holds no call of a model", note=True))

    def _say(self, span: Span, note: str) -> None:
        """Report what a log does not hold, once a file."""
        if (span.place.file, note) not in self.said:
            self.said.add((span.place.file, note))
            self.on_problem(ReadProblem(span.place.file, span.place.record, note, note=True))

    def _filtered(self, conversations: Iterable[Conversation]) -> Iterator[Conversation]:
        """Those for which the expression is true of their canonical columns."""
        if self.expression is None:
            yield from conversations
            return
        iterator = iter(conversations)
        while batch := list(itertools.islice(iterator, _FILTERED_AT_ONCE)):
            for index in matching(canonical_table(batch), self.expression):
                yield batch[index]


def _was_read(conversation: Conversation, seen: dict[str, set[str | None]]) -> bool:
    """Whether a conversation with the same calls and words was met before, of the same user or of nobody known."""
    mark = identity(conversation)
    if mark is None:
        return False
    users = seen.setdefault(mark, set())
    met = conversation.user_id in users or (bool(users) and (conversation.user_id is None or None in users))
    users.add(conversation.user_id)
    return met
