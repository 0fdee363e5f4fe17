"""One fake a port."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_llmreplay.model.conversation import Conversation, Message, ToolCall
from pytest_llmreplay.model.ports import ModelReply, ModelRequest


class FakeProvider:
    """Answers with what `answer` makes of the request; counts how often it was asked."""

    def __init__(self, answer: Callable[[ModelRequest], Message] | Sequence[Message], identity: str = "fake") -> None:
        self._answer = answer if callable(answer) else _one_after_the_other(answer)
        self.identity = identity
        self.requests: list[ModelRequest] = []
        self.closed = False

    async def complete(self, request: ModelRequest, *, trial: int) -> ModelReply:
        self.requests.append(request)
        message = self._answer(request)
        return ModelReply(message, input_tokens=10, output_tokens=5, cost_usd=0.01, latency_s=0.5)

    async def close(self) -> None:
        self.closed = True


class FakeRecordings:
    """Recordings in a dictionary."""

    def __init__(self, had_any: bool = False) -> None:
        self.records: dict[str, Mapping[str, Any]] = {}
        self.requests: list[Mapping[str, Any]] = []
        self.had_any = had_any

    def find(self, key: str) -> Mapping[str, Any] | None:
        return self.records.get(key)

    def add(
        self, key: str, *, request: Mapping[str, Any], response: Mapping[str, Any], provider: str, trial: int
    ) -> None:
        self.records[key] = response
        self.requests.append(request)

    def nearest(self, request: Mapping[str, Any]) -> str | None:
        return "the nearest recording differs in messages" if self.requests else None


class FakeLog:
    """A log of conversations by key and trial."""

    def __init__(self, conversations: Mapping[tuple[str, int], Conversation]) -> None:
        self._conversations = conversations

    def lookup(self, key: str, trial: int) -> Conversation | None:
        return self._conversations.get((key, trial))


def says(text: str) -> Message:
    return Message("assistant", text)


def calls(*named: tuple[str, str]) -> Message:
    return Message("assistant", tool_calls=tuple(ToolCall(f"c{i}", name, args) for i, (name, args) in enumerate(named)))


def _one_after_the_other(messages: Sequence[Message]) -> Callable[[ModelRequest], Message]:
    iterator = iter(messages)
    return lambda _request: next(iterator)


class FakeEmbedder:
    """The vector of a text is made of the counts of its letters; remembers what it was asked.

    `stop_at` is a text at which it is interrupted, as by Ctrl-C.
    """

    def __init__(self, identity: str = "fake", *, stop_at: str | None = None) -> None:
        self.identity = identity
        self.asked: list[str] = []
        self._stop_at = stop_at

    def embed(self, texts: Sequence[str]) -> Any:
        import numpy as np

        from pytest_llmreplay.providers.embeddings import unit

        if self._stop_at in texts:
            raise KeyboardInterrupt
        self.asked.extend(texts)
        letters = [[text.count(chr(97 + index)) for index in range(26)] for text in texts]
        return unit(np.array(letters, np.float32).reshape(len(texts), 26))
