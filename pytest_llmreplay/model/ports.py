"""The ports: what one room needs from another reaches it as one of these, handed over by `session` or `cli`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import Conversation, Message, Tool
from pytest_llmreplay.model.trajectory import Trajectory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request to a model: exactly what may change its answer."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Token:
    """A token that a model wrote, and the log-probabilities of those that it might have written in its place."""

    text: str
    alternatives: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ModelReply:
    """A model's answer and what it took; None means not known. `latency_s` is that of the live request.

    `tokens` are there where the request asked for log-probabilities and the endpoint gives them.
    """

    message: Message
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_s: float | None = None
    live: bool = True
    tokens: tuple[Token, ...] | None = None


class Provider(Protocol):
    """A way to reach a model.

    `identity` names the provider and the endpoint, without credentials; it is part of a recording's key.
    """

    @property
    def identity(self) -> str:
        """What tells this way to the model from any other."""
        ...

    async def complete(self, request: ModelRequest, *, trial: int) -> ModelReply:
        """Ask the model once.

        Raises:
            InfrastructureError: no usable answer came back.
        """
        ...

    async def close(self) -> None:
        """Release connections and memory; it is not used afterwards."""
        ...


class Recordings(Protocol):
    """Stored requests and responses, by key."""

    @property
    def had_any(self) -> bool:
        """Whether anything was recorded before this session."""
        ...

    def nearest(self, request: Mapping[str, Any]) -> str | None:
        """In a few words: the recording most like this request, and what differs; None when there is none."""
        ...

    def find(self, key: str) -> Mapping[str, Any] | None:
        """The response recorded under this key, or None."""
        ...

    def add(
        self, key: str, *, request: Mapping[str, Any], response: Mapping[str, Any], provider: str, trial: int
    ) -> None:
        """Store a response; it counts once this returns."""
        ...


class Replayer(Protocol):
    """Something that can replay a case: a target with all that it needs."""

    async def replay(self, case: Case, trial: int) -> Trajectory:
        """One trial.

        Raises:
            InfrastructureError: the outcome is `error`.
            Unmeasurable: the outcome is `unmeasured`.
        """
        ...

    async def close(self) -> None:
        """Release what the target holds."""
        ...


class ConversationLog(Protocol):
    """A log in which conversations are looked up."""

    def lookup(self, key: str, trial: int) -> Conversation | None:
        """The conversation whose join column equals `key`, at this trial (from 1), or None.

        Raises:
            UserError: more than one row fits.
        """
        ...


class Embedder(Protocol):
    """A way to turn texts into vectors whose cosine says how alike they are in meaning.

    `identity` names the model and the endpoint, without credentials; vectors are kept under it.
    """

    @property
    def identity(self) -> str:
        """What tells its vectors from those of any other."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row a text, of length 1; a text without any word is a row of zeros.

        Raises:
            InfrastructureError: no usable answer came back.
            NotRun: the budget is used up.
        """
        ...
