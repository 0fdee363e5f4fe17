"""What mining works on: the logs as one table, converted where need be, and the signals of the project."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.cli.logs import LogChoice, Telling
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.text import printable

if TYPE_CHECKING:
    from pytest_llmreplay.cli.progress import Display
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.config.signals import OwnSignal
    from pytest_llmreplay.mine.caches import Caches
    from pytest_llmreplay.mine.signals import Signal
    from pytest_llmreplay.traces import Expression, LogTable, Portion, TableFile

_MB = 1_000_000


@contextmanager
def open_logs(choice: LogChoice, caches: Caches, shown: Display) -> Iterator[LogTable]:
    """The logs as one table: canonical Parquet in place, all else converted once and kept in the caches.

    What could not be read is told on standard error.

    Raises:
        UserError: nothing can be read, or the expression is wrong.
    """
    from pytest_llmreplay.traces import open_table, parse_expression, portions

    expression = None if choice.where is None else parse_expression(choice.where)
    tell = Telling()
    caches.prune()
    try:
        found = portions(
            choice.paths,
            format=choice.format_name,
            id_column=choice.id_column,
            on_problem=tell,
        )
        files = _files(found, expression, _Converter(caches, tell, shown))
        tell.finish()
        with open_table(files, expression) as table:
            _tell_shared_ids(table.files_sharing_ids())
            yield table
    finally:
        caches.prune()


def _tell_shared_ids(files: int) -> None:
    if files:
        told = f"the conversations of {files} files have no ids, and the same ones were made of the files' names"
        click.echo(f"{told}; promote --id takes the first of each: name its file there", err=True)


def _files(found: Sequence[Portion], expression: Expression | None, converter: _Converter) -> list[TableFile]:
    from pytest_llmreplay.traces import TableFile

    files: list[TableFile] = []
    for portion in found:
        try:
            records = None if expression is None else portion.records(expression)
            files.append(TableFile(portion.in_place or converter.converted(portion), records))
        except UserError as error:
            if len(found) == 1:
                raise
            converter.tell(str(error))
    if not files:
        raise UserError(f"none of the {len(found)} logs can be searched")
    return files


@dataclass(frozen=True, slots=True)
class _Converter:
    """Makes canonical Parquet of logs and keeps it."""

    caches: Caches
    tell: Callable[[str], None]
    shown: Display

    def converted(self, portion: Portion) -> Path:
        """The portion as canonical Parquet; problems that were met when it was converted are told every time."""
        key = portion.key()
        path, known = self.caches.find("logs", f"{key}.parquet"), self.caches.find("problems", f"{key}.json")
        if path is not None and known is not None:
            problems: list[str] = json.loads(known.read_text("utf-8"))
        else:
            problems = []
            path = self.caches.write("logs", f"{key}.parquet", lambda target: self._convert(portion, target, problems))
            self.caches.write(
                "problems", f"{key}.json", lambda target: target.write_text(json.dumps(problems), "utf-8")
            )
        for problem in problems:
            self.tell(problem)
        return path.resolve()

    def _convert(self, portion: Portion, target: Path, problems: list[str]) -> None:
        tell = self.shown.counting(f"reading {printable(portion.name)}, in MB")
        portion.convert(
            target,
            lambda problem: problems.append(str(problem)),
            lambda done, total: tell(done // _MB, -(-total // _MB)),
        )


def project_signals(project: Project) -> dict[str, Signal]:
    """Every signal by name: the built-in ones, those of installed packages, and those of `configs/signals.yaml`.

    Raises:
        UserError: one of them is wrong.
    """
    from pytest_llmreplay.config.signals import load_signals
    from pytest_llmreplay.mine.signals import builtin_signals, entry_point_signals, with_own
    from pytest_llmreplay.session.redaction import build_detector

    known = builtin_signals(build_detector(project.root, project.configs))
    for where, signals in entry_point_signals():
        known = with_own(known, signals, where)
    path = project.configs / "signals.yaml"
    for written in load_signals(path):
        known = with_own(known, [_expression_signal(written, project.relative(path))], project.relative(path))
    return known


def _expression_signal(written: OwnSignal, file: str) -> Signal:
    """An own signal, after its expression is checked as that of `--where` is.

    Raises:
        UserError: the expression is wrong, or names something that is no canonical column.
    """
    from pytest_llmreplay.mine.signals import expression_signal
    from pytest_llmreplay.traces import CANONICAL_COLUMNS, parse_expression

    try:
        expression = parse_expression(written.where)
    except UserError as error:
        raise UserError(error.problem, file=file, key=f"signals.{written.name}.where", value=written.where) from error
    for name in expression.names:
        if name.casefold() not in CANONICAL_COLUMNS:
            key = f"signals.{written.name}.where"
            raise UserError("no canonical column", file=file, key=key, value=name, allowed=CANONICAL_COLUMNS)
    return expression_signal(written.name, written.category, written.stage, written.definition, expression.text)
