"""How each conversation failed: of the signals that it shows, the one that tells most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_llmreplay.mine.signals import Evidence, Signal, scan
from pytest_llmreplay.mine.signals.scan import ReadRow

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    from numpy.typing import NDArray

COMPLAINTS = ("frustration", "user_repeats")
"""The signals by which a user says of the turn before that it failed."""


def ways_of_failing(
    connection: duckdb.DuckDBPyConnection,
    signals: Sequence[Signal],
    rows: NDArray[np.int64],
    read_row: ReadRow,
    columns: Sequence[str],
) -> NDArray[np.int16]:
    """For each of some ascending rows of the relation `log` the number of the signal that it failed by, or -1.

    Of several signals it is the one that fewest of the rows show, since that tells most; among equals the first.

    Raises:
        UserError: a signal does not fit the columns.
    """
    import numpy as np

    shows = np.zeros((len(signals), len(rows)), np.bool_)
    number = {signal.name: place for place, signal in enumerate(signals)}
    for shown in scan(connection, signals, read_row, columns):
        place = int(np.searchsorted(rows, shown.row))
        if place < len(rows) and rows[place] == shown.row:
            shows[[number[name] for name in shown.signals], place] = True
    ways = np.full(len(rows), -1, np.int16)
    commonest_first = np.lexsort((-np.arange(len(signals)), -shows.sum(axis=1)))
    for signal_number in commonest_first:  # the rarer one comes later and stays
        ways[shows[signal_number]] = signal_number
    return ways


def failing_turn(told: Evidence) -> int | None:
    """The turn that failed, by what shows it: where a user complains, it is the turn before."""
    if told.turn is None or told.signal not in COMPLAINTS:
        return told.turn
    return max(told.turn - 1, 1)
