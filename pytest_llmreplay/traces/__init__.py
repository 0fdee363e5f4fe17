"""Production logs become conversations: readers, the expression language, lookups, and canonical Parquet."""

from pytest_llmreplay.traces.canonical import conversation_row
from pytest_llmreplay.traces.detect import is_log
from pytest_llmreplay.traces.log import open_log
from pytest_llmreplay.traces.plain import is_numbered
from pytest_llmreplay.traces.portion import Portion, portions
from pytest_llmreplay.traces.query import Expression, parse_expression, select_records
from pytest_llmreplay.traces.reading import ReadProblem
from pytest_llmreplay.traces.registry import format_gaps, read_conversations
from pytest_llmreplay.traces.rows import CANONICAL_COLUMNS, canonical_conversation, plain_conversation
from pytest_llmreplay.traces.table import LogTable, TableFile, open_table
from pytest_llmreplay.traces.write import write_conversations

__all__ = [
    "CANONICAL_COLUMNS",
    "Expression",
    "LogTable",
    "Portion",
    "ReadProblem",
    "TableFile",
    "canonical_conversation",
    "conversation_row",
    "format_gaps",
    "is_log",
    "is_numbered",
    "open_log",
    "open_table",
    "parse_expression",
    "plain_conversation",
    "portions",
    "read_conversations",
    "select_records",
    "write_conversations",
]
