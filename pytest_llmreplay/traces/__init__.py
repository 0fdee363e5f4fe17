"""Production logs become conversations: readers, the expression language, lookups, and canonical Parquet."""

from pytest_llmreplay.traces.canonical import conversation_row
from pytest_llmreplay.traces.log import open_log
from pytest_llmreplay.traces.query import select_records
from pytest_llmreplay.traces.reading import ReadProblem
from pytest_llmreplay.traces.registry import format_gaps, read_conversations
from pytest_llmreplay.traces.rows import plain_conversation
from pytest_llmreplay.traces.write import write_conversations

__all__ = [
    "ReadProblem",
    "conversation_row",
    "format_gaps",
    "open_log",
    "plain_conversation",
    "read_conversations",
    "select_records",
    "write_conversations",
]
