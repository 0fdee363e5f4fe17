"""A judge for commands: asked outside of a run, with the project's recordings in front."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_llmreplay.judge.judging import Judging
from pytest_llmreplay.model.judge import Judge
from pytest_llmreplay.model.variant import Environment
from pytest_llmreplay.providers.budget import Budget
from pytest_llmreplay.providers.recorded import RecordMode
from pytest_llmreplay.session.compose import Workshop
from pytest_llmreplay.session.judging import build_judging
from pytest_llmreplay.store.recordings import RecordingStore

_WAIT_S = 60.0


@contextmanager
def opened_judging(
    root: Path, judge: Judge, *, record: RecordMode, max_cost_usd: float, notice: Callable[[str], None]
) -> Iterator[Judging]:
    """The judge, ready to be asked; what it says is kept among the recordings. Whoever asks it closes it.

    Args:
        root: the project's folder.
        judge: who is asked.
        record: when it is really asked.
        max_cost_usd: US dollars to spend at most.
        notice: told of what could not be read.

    Raises:
        UserError: its model cannot be reached as it is written, or the recordings cannot be kept.
    """
    recordings = RecordingStore(
        root / ".pytest_llmreplay" / "recordings", [root / "golden" / "cassettes"], on_notice=notice
    )
    recordings.seal_abandoned()
    workshop = Workshop(
        root=root,
        environment=Environment(),
        recordings=recordings,
        record=record,
        budget=Budget(max_cost_usd=max_cost_usd),
        wait_s=_WAIT_S,
        notice=notice,
    )
    try:
        yield build_judging(judge, workshop)
    finally:
        recordings.close()
