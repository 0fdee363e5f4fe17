"""Reading conversations from whatever is named, in whichever format it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_llmreplay.model.conversation import Conversation
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.traces import plain
from pytest_llmreplay.traces.formats.all import BY_NAME
from pytest_llmreplay.traces.query import parse_expression
from pytest_llmreplay.traces.reader import Reading
from pytest_llmreplay.traces.reading import OnProblem

FORMATS = (plain.NAME, *BY_NAME)


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
    return Reading(paths, format, id_column, expression, on_problem).conversations()


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
