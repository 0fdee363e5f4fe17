"""The composition root: from a variant to something that can replay a case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from pytest_llmreplay.config.references import fill_environment
from pytest_llmreplay.model.canonical import digest
from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import Conversation
from pytest_llmreplay.model.ports import Provider, Recordings, Replayer
from pytest_llmreplay.model.variant import CallableTarget, Environment, HttpTarget, ModelTarget, TracesTarget, Variant
from pytest_llmreplay.providers.budget import Budget
from pytest_llmreplay.providers.credentials import without_credentials
from pytest_llmreplay.providers.litellm_process import LitellmProcess
from pytest_llmreplay.providers.pressure import Clock, Gate, PressedProvider, Pressure
from pytest_llmreplay.providers.recorded import RecordedProvider, RecordMode
from pytest_llmreplay.replay.targets.callable import CallableTurns
from pytest_llmreplay.replay.targets.model import ModelTurns
from pytest_llmreplay.replay.targets.traces import TracesReplayer
from pytest_llmreplay.replay.turns import TurnReplayer, TurnTarget
from pytest_llmreplay.session.functions import import_function
from pytest_llmreplay.session.sources import files_digest
from pytest_llmreplay.session.ways import build_provider


@dataclass(frozen=True, slots=True)
class Workshop:
    """What all variants of a run are built from.

    `notice` is told of what could not be read of a log; `gates` are shared by the variants that use one endpoint;
    `unpriced` are the models of which it was said that their requests count 0; `litellm` starts when it is first asked.
    """

    root: Path
    environment: Environment
    recordings: Recordings
    record: RecordMode
    budget: Budget
    wait_s: float
    notice: Callable[[str], None]
    gates: dict[str, Gate] = field(default_factory=dict)
    unpriced: set[str] = field(default_factory=set)
    litellm: LitellmProcess = field(default_factory=LitellmProcess)

    def tell_unpriced(self, model: str, why: str) -> None:
        """Say once of a model that its requests count 0 towards the budget."""
        if model not in self.unpriced:
            self.unpriced.add(model)
            self.notice(f"requests to {model} count 0 USD towards the budget: {why}")

    def pressure_on(self, endpoint: str, target: ModelTarget | HttpTarget) -> Pressure:
        """The pressure on an endpoint; the first variant that uses it says how much."""
        gate = self.gates.get(endpoint)
        if gate is None:
            gate = self.gates[endpoint] = Gate(
                target.max_concurrency,
                requests_per_minute=target.requests_per_minute,
                tokens_per_minute=getattr(target, "tokens_per_minute", None),
                clock=Clock(),
            )
        return Pressure(gate, self.budget, wait_s=self.wait_s)


def build_replayers(variants: Mapping[str, Variant], workshop: Workshop) -> dict[str, Replayer]:
    """What can replay a case, by the variant's name.

    Raises:
        UserError: a target cannot be set up.
    """
    return {name: _replayer(variant, workshop) for name, variant in variants.items()}


def _replayer(variant: Variant, workshop: Workshop) -> Replayer:
    target = variant.target
    if isinstance(target, TracesTarget):
        return _traces_replayer(variant, target, workshop)
    environment = workshop.environment
    functions = {tool: import_function(name, workshop.root) for tool, name in environment.functions.items()}
    if isinstance(target, CallableTarget | HttpTarget):
        turns = _reusable(variant, _own_turns(variant, target, workshop), workshop)
        return TurnReplayer(variant, turns, environment, functions)
    provider = recorded_provider(target, workshop)
    return TurnReplayer(variant, ModelTurns(target, provider), environment, functions)


def recorded_provider(target: ModelTarget, workshop: Workshop) -> Provider:
    """The way to a model, with what presses on its endpoint and recordings in front.

    Raises:
        UserError: the model cannot be reached as it is written.
    """
    provider = build_provider(target, workshop.litellm)
    pressure = workshop.pressure_on(provider.identity, target)
    pressed = PressedProvider(provider, pressure, lambda why: workshop.tell_unpriced(target.model, why))
    return RecordedProvider(pressed, workshop.recordings, workshop.record)


def _own_turns(variant: Variant, target: CallableTarget | HttpTarget, workshop: Workshop) -> TurnTarget:
    if isinstance(target, CallableTarget):
        return CallableTurns(target, import_function(target.function, workshop.root))
    from pytest_llmreplay.replay.targets.http import HttpTurns, refuse_unless_accepted

    refuse_unless_accepted(target, variant.replay, variant.file)
    return HttpTurns(target, workshop.pressure_on(without_credentials(target.url), target), fill_environment)


def answers_can_be_reused(variant: Variant) -> bool:
    """Whether the digest of a variant stands for what it answers.

    Nobody knows what code of one's own does, so its answers are kept only under a stated version or digest. A log is
    read anew: that costs nothing, and it may hold other conversations by now.
    """
    target = variant.target
    if isinstance(target, CallableTarget | HttpTarget):
        return target.version is not None or bool(target.digest)
    return isinstance(target, ModelTarget)


def digest_of(variant: Variant) -> str:
    """The digest of a variant and of the files whose contents stand for its version."""
    files = getattr(variant.target, "digest", ())
    if not files:
        return variant.digest
    return digest([variant.digest, files_digest(files, Path(variant.file).parent)])


def _reusable(variant: Variant, turns: TurnTarget, workshop: Workshop) -> TurnTarget:
    target = variant.target
    if not isinstance(target, CallableTarget | HttpTarget) or not answers_can_be_reused(variant):
        return turns
    from pytest_llmreplay.replay.targets.recorded import RecordedTurns

    identity = digest(
        [variant.digest, files_digest(target.digest, Path(variant.file).parent), workshop.environment.digest]
    )
    return RecordedTurns(
        turns,
        workshop.recordings,
        workshop.record,
        identity,
        provider=without_credentials(target.url) if isinstance(target, HttpTarget) else target.function,
        one_session=isinstance(target, HttpTarget),
    )


def _traces_replayer(variant: Variant, target: TracesTarget, workshop: Workshop) -> Replayer:
    from pytest_llmreplay.traces import open_log

    logs = str(Path(variant.file).parent / target.logs)
    log = open_log(
        [logs],
        on=target.on,
        where=target.where,
        trial=target.trial,
        on_problem=lambda problem: workshop.notice(f"{variant.name}: {problem}"),
    )
    return TracesReplayer(target, log, _redacting(workshop.root))


def _redacting(root: Path) -> Callable[[Conversation, Case], Conversation]:
    """Redacts a looked-up conversation as its case was; a case that was stored as logged needs no redactor."""

    @lru_cache(maxsize=1)
    def redactor() -> Any:
        from pytest_llmreplay.session.redaction import build_redactor

        return build_redactor(root, root / "configs", lambda _words: ())

    def redact(conversation: Conversation, case: Case) -> Conversation:
        if not case.provenance.redactor_version:
            return conversation
        redacted: Conversation = redactor().conversation(conversation, like=case)
        return redacted

    return redact


class Closable(Protocol):
    """What holds connections or memory."""

    async def close(self) -> None:
        """Release them."""
        ...


def close_all(held: Iterable[Closable]) -> Callable[[], Any]:
    """A coroutine function that closes all of them."""

    async def close() -> None:
        for one in held:
            await one.close()

    return close
