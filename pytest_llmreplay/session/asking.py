"""Asking a model outside of a run: with recordings in front, under pressure and within a budget."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_llmreplay.config.project import Project
from pytest_llmreplay.config.variant import load_variant
from pytest_llmreplay.judge.judging import Judging
from pytest_llmreplay.model.errors import InfrastructureError, NotRun, UserError
from pytest_llmreplay.model.judge import Judge
from pytest_llmreplay.model.ports import ModelReply, ModelRequest, Provider
from pytest_llmreplay.model.variant import Environment, ModelTarget
from pytest_llmreplay.providers.budget import Budget
from pytest_llmreplay.providers.recorded import RecordMode
from pytest_llmreplay.session.compose import Workshop, recorded_provider
from pytest_llmreplay.session.judging import build_judging
from pytest_llmreplay.store.recordings import RecordingStore

_WAIT_S = 60.0

Reply = ModelReply | InfrastructureError | NotRun
"""What came of a request: an answer, trouble on the way, or a budget that was used up before."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A model that can be asked; what was asked before is answered from recordings."""

    provider: Provider

    def all(self, requests: Sequence[ModelRequest], on_reply: Callable[[], None] = lambda: None) -> list[Reply]:
        """Send the requests, as many at once as the endpoint takes; the replies in the same order."""
        return asyncio.run(self._all(requests, on_reply))

    async def _all(self, requests: Sequence[ModelRequest], on_reply: Callable[[], None]) -> list[Reply]:
        async def one(request: ModelRequest) -> Reply:
            try:
                return await self.provider.complete(request, trial=1)
            except (InfrastructureError, NotRun) as trouble:
                return trouble
            finally:
                on_reply()

        try:
            return await asyncio.gather(*(one(request) for request in requests))
        finally:
            await self.provider.close()


def model_target(model: str) -> ModelTarget:
    """The target that a name stands for: the YAML file of a variant, else a model as litellm writes it.

    Raises:
        UserError: the file is wrong, or its target is no model.
    """
    if not model.endswith((".yaml", ".yml")):
        return ModelTarget(type="model", model=model)
    target = load_variant(Path(model)).target
    if not isinstance(target, ModelTarget):
        raise UserError("the target of the variant is no model", file=model, key="target.type", value=target.type)
    return target


@contextmanager
def asking(project: Project, target: ModelTarget, budget: Budget, notice: Callable[[str], None]) -> Iterator[Asking]:
    """A model of this project; what it answers is recorded in the project's state.

    Raises:
        UserError: it cannot be reached as it is written.
    """
    with _opened(project, "new_episodes", budget, notice) as workshop:
        yield Asking(recorded_provider(target, workshop))


@contextmanager
def opened_judging(
    project: Project, judge: Judge, *, record: RecordMode, max_cost_usd: float, notice: Callable[[str], None]
) -> Iterator[Judging]:
    """The judge, ready to be asked; what it says is recorded in the project's state. Whoever asks it closes it.

    Args:
        project: where recordings are kept, and cassettes are read.
        judge: who is asked.
        record: when it is really asked.
        max_cost_usd: US dollars to spend at most.
        notice: told of what could not be read.

    Raises:
        UserError: its model cannot be reached as it is written, or the recordings cannot be kept.
    """
    with _opened(
        project, record, Budget(max_cost_usd=max_cost_usd), notice, [project.root / "golden" / "cassettes"]
    ) as workshop:
        yield build_judging(judge, workshop)


@contextmanager
def _opened(
    project: Project,
    record: RecordMode,
    budget: Budget,
    notice: Callable[[str], None],
    cassettes: Sequence[Path] = (),
) -> Iterator[Workshop]:
    recordings = RecordingStore(project.state / "recordings", cassettes, on_notice=notice)
    recordings.seal_abandoned()
    try:
        yield Workshop(project.root, Environment(), recordings, record, budget, _WAIT_S, notice)
    finally:
        recordings.close()
