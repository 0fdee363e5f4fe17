"""Logs as commands are told of them: which, how they are read, and what could not be read."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.text import printable

_PROBLEMS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class LogChoice:
    """Which logs, how they are read, and which of their conversations count."""

    paths: tuple[str, ...]
    format_name: str | None = None
    id_column: str | None = None
    where: str | None = None

    @property
    def quoted(self) -> str:
        """The logs as a command names them that is printed."""
        return " ".join(printable(shlex.quote(path)) for path in self.paths)

    def refuse_overwriting(self, *outputs: Path | None) -> None:
        """Refuse to write over a log: a file that was named, or one in a folder that was.

        Raises:
            UserError: one of the outputs is one.
        """
        from pytest_llmreplay.traces import is_log

        for output in outputs:
            # What is written is what the path resolves to, even where a folder of `new/../log` is not there yet.
            if output is not None and output.resolve().is_file() and is_log(output, self.paths, self.format_name):
                raise UserError("is one of the logs; name another file to write", file=str(output))


def choosing_logs(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command that has an argument `logs` the options that go with it; it is called with a `LogChoice`."""

    @click.option("--where", metavar="EXPR", help="Only conversations for which this expression is true.")
    @click.option("--format", "format_name", metavar="NAME", help="The format of the logs, instead of finding out.")
    @click.option("--id-column", metavar="NAME", help="The column with the conversation's id, in plain logs.")
    @wraps(command)
    def with_choice(
        logs: str | tuple[str, ...],
        format_name: str | None,
        id_column: str | None,
        where: str | None,
        **options: Any,
    ) -> None:
        paths = (logs,) if isinstance(logs, str) else logs
        command(logs=LogChoice(paths, format_name, id_column, where), **options)

    return with_choice


class Telling:
    """Tells the first problems on standard error and counts the rest."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, problem: object) -> None:
        """Tell a problem, as long as few were told before."""
        self._count += 1
        if self._count <= _PROBLEMS_SHOWN:
            click.echo(printable(str(problem)), err=True)

    def finish(self) -> None:
        """Say how many were not told."""
        if self._count > _PROBLEMS_SHOWN:
            click.echo(f"… and {self._count - _PROBLEMS_SHOWN} more problems", err=True)
