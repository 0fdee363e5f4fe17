"""The one expression language of `--where`: a DuckDB boolean expression over a log's columns, on a locked database.

Plain Parquet and JSONL are asked by their own columns, every other format by the canonical ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.traces.json_columns import json_columns, json_tables
from pytest_llmreplay.traces.locked import locked_database
from pytest_llmreplay.traces.plain import open_parquet
from pytest_llmreplay.traces.reading import UnreadableError
from pytest_llmreplay.traces.sources import Source, expand

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_BATCH_ROWS = 4096
_PARTS = frozenset(
    {
        *("COLUMN_REF", "CONSTANT", "COMPARISON", "CONJUNCTION", "FUNCTION", "OPERATOR", "CASE", "CAST", "BETWEEN"),
        *("LAMBDA", "COLLATE", "TYPE"),
    }
)
_REFUSED_FUNCTIONS = ("read_", "write_", "glob", "getenv", "getvariable", "nextval", "currval", "sleep", "query")
_OTHER_CLAUSES = ("group_expressions", "having", "qualify", "sample")


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked boolean expression and the names that it uses as columns, in its own spelling."""

    text: str
    names: tuple[str, ...]


def parse_expression(text: str) -> Expression:
    """Check that the text is one boolean expression and nothing else.

    Raises:
        UserError: it is not, or it would read something other than the log.
    """
    if not text.strip():
        raise UserError("the expression is empty", key="where")
    tree = _parsed(text)
    if tree["error"]:
        reason = str(tree["error_message"])
        raise _mistake(text, "only one expression is allowed" if "Only SELECT" in reason else reason)
    nodes = [statement["node"] for statement in tree["statements"]]
    if len(nodes) != 1 or not _is_filter(nodes[0]):
        raise _mistake(text, "only one expression is allowed, no statements and no further clauses")
    names: dict[str, None] = {}
    _inspect(nodes[0]["where_clause"], text, names, frozenset())
    return Expression(text, tuple(names))


def _parsed(text: str) -> dict[str, Any]:
    import duckdb

    statement = f"SELECT 1 FROM log WHERE\n{text}\n"  # noqa: S608 - it is parsed, never run
    with locked_database() as connection:
        try:
            row = connection.execute("SELECT json_serialize_sql(?)", [statement]).fetchone()
            tree: dict[str, Any] = (
                json.loads(row[0]) if row else {"error": True, "error_message": "it cannot be parsed"}
            )
        except (duckdb.Error, ValueError, RecursionError) as error:
            raise _mistake(text, _duckdb_reason(error)) from error
    return tree


def select_records(path: str, where: str) -> frozenset[int]:
    """Numbers (from 1) of the records of one plain Parquet or JSONL file for which the expression is true.

    Raises:
        UserError: the expression is wrong, a column is unknown, or the file cannot be read.
    """
    sources = expand(path)
    if len(sources) != 1:
        raise UserError(f"names {len(sources)} files where one is needed", file=path)
    expression = parse_expression(where)
    try:
        return select(sources[0], expression)
    except UnreadableError as error:
        raise UserError(str(error), file=path) from error


def select(source: Source, expression: Expression) -> frozenset[int]:
    """As `select_records`, for an opened source and a checked expression.

    Raises:
        UserError: a column is unknown, or a value does not fit the expression.
        UnreadableError: the file cannot be read.
    """
    if not source.is_parquet():
        return _select_json(source, expression)
    file = open_parquet(source)
    if source.is_local and not set(source.path) & set("*?["):
        return _select_parquet(source, expression, file.schema_arrow.names)
    columns = _spelled_as_in(expression.names, file.schema_arrow.names)
    batches = file.iter_batches(_BATCH_ROWS, columns=columns) if columns else file.iter_batches(_BATCH_ROWS)
    return frozenset(_select_batches(_numbered(batches), expression, file.schema_arrow.names))


def matching(table: pa.Table, expression: Expression) -> list[int]:
    """Indexes (from 0) of the rows of a table for which the expression is true.

    Raises:
        UserError: a column is unknown, or a value does not fit the expression.
    """
    return [number - 1 for number in _select_batches([(1, table)], expression, table.column_names)]


def _select_parquet(source: Source, expression: Expression, columns: Sequence[str]) -> frozenset[int]:
    path = str(Path(source.path).resolve())
    sql = f"SELECT file_row_number + 1 FROM read_parquet(?, file_row_number=true, hive_partitioning=false) AS log WHERE (\n{expression.text}\n)"  # noqa: S608, E501 - parsed as one expression before, on a locked connection
    with locked_database([path]) as connection:
        return frozenset(number for (number,) in run_expression(connection, sql, expression, columns, [path]))


def _select_batches(
    batches: Iterable[tuple[int, Any]], expression: Expression, columns: Sequence[str]
) -> Iterator[int]:
    """Row numbers by the number of each batch's first row; each batch is all that is in memory."""
    import pyarrow as pa

    sql = f"SELECT llmreplay_row FROM log WHERE (\n{expression.text}\n)"  # noqa: S608 - as above
    with locked_database() as connection:
        for first, batch in batches:
            table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
            numbered = table.append_column("llmreplay_row", pa.array(range(first, first + table.num_rows), pa.int64()))
            connection.register("log", numbered)
            yield from (number for (number,) in run_expression(connection, sql, expression, columns, []))
            connection.unregister("log")


def _numbered(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, pa.RecordBatch]]:
    first = 1
    for batch in batches:
        yield first, batch
        first += batch.num_rows


def _select_json(source: Source, expression: Expression) -> frozenset[int]:
    """The expression on a batch at a time, with the columns as what they are over the whole file."""
    known = json_columns(source)
    names = _spelled_as_in(expression.names, tuple(known)) or list(known)[:1]
    chosen: set[int] = set()
    for numbers, table in json_tables(source, {name: known[name] for name in names}):
        chosen.update(numbers[n - 1] for n in _select_batches([(1, table)], expression, tuple(known)))
    return frozenset(chosen)


def _spelled_as_in(names: Iterable[str], columns: Sequence[str]) -> list[str]:
    """The columns that the names mean; DuckDB does not distinguish case."""
    wanted = {name.casefold() for name in names}
    return [column for column in columns if column.casefold() in wanted]


def run_expression(
    connection: duckdb.DuckDBPyConnection, sql: str, expression: Expression, columns: Sequence[str], values: list[Any]
) -> list[tuple[Any, ...]]:
    """Run a statement that holds the expression; what is wrong with it is said in the user's own words.

    Raises:
        UserError: the expression does not fit the columns.
        UnreadableError: the file whose name is the first value cannot be read.
    """
    import duckdb

    try:
        return connection.execute(sql, values).fetchall()
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        known = {column.casefold() for column in columns}
        unknown = [name for name in expression.names if name.casefold() not in known]
        if unknown and ("column" in str(error).lower() or "table" in str(error).lower()):
            key = f"where '{expression.text}'"
            raise UserError("unknown column", key=key, value=unknown[0], allowed=columns) from error
        raise _mistake(expression.text, _duckdb_reason(error)) from error
    except duckdb.Error as error:
        if values and str(values[0]) in str(error):
            raise UnreadableError(f"not readable as Parquet: {_duckdb_reason(error)}") from error
        raise _mistake(expression.text, _duckdb_reason(error)) from error


def _is_filter(node: Mapping[str, Any]) -> bool:
    return (
        node.get("type") == "SELECT_NODE"
        and node.get("where_clause") is not None
        and not node.get("modifiers")
        and not any(node.get(clause) for clause in _OTHER_CLAUSES)
        and len(node.get("select_list", ())) == 1
        and node.get("from_table", {}).get("table_name") == "log"
    )


def _inspect(node: Any, text: str, names: dict[str, None], bound: frozenset[str]) -> None:
    """Walk the parsed expression: collect the columns, refuse what reaches beyond the row."""
    if isinstance(node, list):
        for item in node:
            _inspect(item, text, names, bound)
        return
    if not isinstance(node, dict):
        return
    kind = node.get("class")
    if kind is not None and kind not in _PARTS:
        raise _mistake(text, f"{str(kind).lower().replace('_', ' ')} is not allowed")
    if kind == "FUNCTION" and str(node.get("function_name", "")).lower().startswith(_REFUSED_FUNCTIONS):
        raise _mistake(text, f"the function {node['function_name']} is not allowed")
    if kind == "COLUMN_REF":
        path = [name for name in node.get("column_names", ()) if isinstance(name, str)]
        name = path[1] if len(path) > 1 and path[0].lower() == "log" else path[0]
        if name not in bound:
            names[name] = None
        return
    if kind == "LAMBDA":
        parameters: dict[str, None] = {}
        _inspect(node.get("lhs"), text, parameters, frozenset())
        _inspect(node.get("expr"), text, names, bound | frozenset(parameters))
        return
    for value in node.values():
        _inspect(value, text, names, bound)


def _duckdb_reason(error: Exception) -> str:
    first = str(error).strip().split("\n", 1)[0]
    return first.split(" Error: ", 1)[-1]


def _mistake(text: str, reason: str) -> UserError:
    return UserError(reason.rstrip("."), key=f"where '{text}'")
