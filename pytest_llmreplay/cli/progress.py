"""Progress of long work on standard error: how far, how fast, how long still; nothing when it is no terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

    from pytest_llmreplay.traces import LogTable

_EVERY_S = 0.2


class Display:
    """Lines of progress, one for each piece of work; made by `display`."""

    def __init__(self, lines: Progress | None) -> None:
        self._lines = lines

    def counting(self, what: str) -> Callable[[int, int], None]:
        """A function to be told how much of how much is done."""
        lines = self._lines
        if lines is None:
            return lambda _done, _total: None
        task = lines.add_task(what, total=None, rate="")

        def tell(done: int, total: int) -> None:
            speed = lines.tasks[lines.task_ids.index(task)].speed
            lines.update(task, completed=done, total=total, rate=_rate(speed))

        return tell

    def scanning(self, what: str, table: LogTable) -> AbstractContextManager[None]:
        """While the block runs, shows how much of a log DuckDB has read."""
        return self.polling(what, table.size(), lambda: table.connection.query_progress() / 100)

    def reading_turns(self, total: int, share: Callable[[], float]) -> AbstractContextManager[None]:
        """While the block runs, shows how many of the conversations of a log were searched for what users said."""
        return self.polling("reading what users said", total, share)

    @contextmanager
    def polling(self, what: str, total: int, share: Callable[[], float]) -> Iterator[None]:
        """While the block runs, ask now and then for the share, from 0 to 1, of the total that is done."""
        if self._lines is None:
            yield
            return
        tell = self.counting(what)
        ended = threading.Event()

        def poll() -> None:
            while not ended.wait(_EVERY_S):
                tell(int(max(0.0, share()) * total), total)

        thread = threading.Thread(target=poll, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
        tell(total, total)


@contextmanager
def display() -> Iterator[Display]:
    """Shows progress until the block ends, and leaves nothing behind."""
    if not sys.stderr.isatty():
        yield Display(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as lines:
        yield Display(lines)


def _rate(speed: float | None) -> str:
    """So many a second."""
    return "" if speed is None else f"{speed:,.1f}/s" if speed < 10 else f"{speed:,.0f}/s"
