"""The one way in which DuckDB is opened: in memory, for named files only, and no expression can change that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def locked_database(paths: Sequence[str] = (), *, memory_mb: int | None = None) -> duckdb.DuckDBPyConnection:
    """A database in memory that may read these files, writes none, and can no longer be told otherwise.

    Args:
        paths: absolute names of files.
        memory_mb: most memory that it takes, in MB; what needs more fails instead of being written to the disk.
    """
    import duckdb

    connection = duckdb.connect(
        ":memory:", config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    )
    if memory_mb is not None:
        connection.execute(f"SET memory_limit = '{memory_mb}MB'")
    connection.execute("SET temp_directory = ''")
    # A time that names no zone is UTC, on every machine.
    connection.execute("SET TimeZone = 'UTC'")
    # After two seconds DuckDB would draw on standard output, in the middle of what is piped.
    connection.execute("SET enable_progress_bar_print = false")
    connection.execute("SET enable_progress_bar = true")
    if paths:
        connection.execute(f"SET allowed_paths = [{', '.join(map(quoted, paths))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def quoted(text: str) -> str:
    """A text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
