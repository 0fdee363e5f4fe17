"""One reading of all that was named: what stands alone is passed on, calls are gathered and put together."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pytest_llmreplay.model.conversation import Conversation
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.traces import plain
from pytest_llmreplay.traces.assemble import conversations_of, identity
from pytest_llmreplay.traces.canonical import canonical_table
from pytest_llmreplay.traces.detect import first_known, is_plain_file, log_sources, records_of
from pytest_llmreplay.traces.formats.all import BY_NAME, NOT_ALONE, reader_of
from pytest_llmreplay.traces.gather import Gathering
from pytest_llmreplay.traces.plain import open_parquet
from pytest_llmreplay.traces.query import Expression, matching, select
from pytest_llmreplay.traces.reading import OnProblem, ReadProblem, UnreadableError
from pytest_llmreplay.traces.records import Record, read_records
from pytest_llmreplay.traces.sources import Source
from pytest_llmreplay.traces.spans import DAMAGE, Damaged, Format, Found, Place, Score, Span, reason_of

_FILTERED_AT_ONCE = 256


@dataclass(slots=True)
class Reading:
    """One reading of all that was named; `sources` are its files where they were already looked up."""

    paths: Sequence[str]
    format_name: str | None
    id_column: str | None
    expression: Expression | None
    on_problem: OnProblem
    gathering: Gathering = field(default_factory=Gathering)
    said: set[tuple[str, str]] = field(default_factory=set)
    gathered_from: dict[str, bool] = field(default_factory=dict)
    alone: set[str] = field(default_factory=set)
    sources: Sequence[Source] | None = None

    def conversations(self) -> Iterator[Conversation]:
        """Conversations that stand alone as they are met, then those that were put together."""
        try:
            yield from self._from_files()
            yield from self._filtered(self._gathered())
        finally:
            self.gathering.close()

    def _from_files(self) -> Iterator[Conversation]:
        sources = log_sources(self.paths, self.on_problem) if self.sources is None else self.sources
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
        return self.format_name is not None or reader_of(first_known(source, None)) is not NOT_ALONE

    def _plain(self, source: Source) -> Iterator[Conversation]:
        """The conversations in a plain or canonical file.

        Raises:
            UserError: the expression or the id column does not fit the file.
        """
        first = first_known(source, self.format_name)
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
        self.gathered_from[source.name] = False
        unknown: list[int] = []
        for record in records_of(source):
            if record.error is not None:
                self.on_problem(ReadProblem(source.name, record.number, record.error))
                continue
            if forced is None and (reader is None or not reader.knows(record.value)):
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
        if not reader.knows(record.value) and all(isinstance(item, Span) and item.is_empty for item in found):
            found = [Damaged("it holds nothing of this format")]
        for item in found:
            if isinstance(item, Damaged):
                message = f"not readable as {reader.name}: {item.reason}"
                self.on_problem(ReadProblem(source.name, record.number, message))
            elif isinstance(item, Conversation):
                self.alone.add(source.name)
                yield item
            else:
                self.gathering.add(item)
                self.gathered_from[source.name] |= isinstance(item, Score)

    def _gathered(self) -> Iterator[Conversation]:
        """The stitched conversations; one without an id that was already read from another record is not repeated."""
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
            elif not made and name not in self.alone:
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
