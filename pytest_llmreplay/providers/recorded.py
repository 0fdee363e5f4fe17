"""Recordings in front of a provider: what was answered once is not paid for twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from pytest_llmreplay.model.canonical import digest, text_digest
from pytest_llmreplay.model.conversation import Message, tools_json
from pytest_llmreplay.model.errors import InfrastructureError, RecordingMissing
from pytest_llmreplay.model.ports import ModelReply, ModelRequest, Provider, Recordings, Token

RecordMode = Literal["none", "once", "new_episodes", "all"]


class RecordedProvider:
    """Answers from recordings, asks the provider for the rest and records what it says.

    Args:
        provider: the way to the model.
        recordings: where responses are kept.
        mode: `none` never asks; `new_episodes` asks for what is not recorded; `once` does so only while nothing was
            recorded before this session; `all` asks always.
    """

    def __init__(self, provider: Provider, recordings: Recordings, mode: RecordMode) -> None:
        self._provider = provider
        self._recordings = recordings
        self._mode = mode
        self._under_way: dict[str, asyncio.Future[ModelReply]] = {}

    @property
    def identity(self) -> str:
        """The identity of the provider behind."""
        return self._provider.identity

    async def complete(self, request: ModelRequest, *, trial: int) -> ModelReply:
        """Answer from the recording with this request's key, else ask.

        Raises:
            RecordingMissing: the mode allows no request and nothing is recorded.
            InfrastructureError: the provider gave no usable answer.
        """
        key = recording_key(request, provider=self.identity, trial=trial)
        if self._mode == "all":
            return await self._ask(key, request, trial)
        while (answering := self._under_way.get(key)) is not None:
            await asyncio.wait((answering,))
            if not answering.cancelled():
                return replace(answering.result(), live=False)
        recorded = self._recordings.find(key)
        if recorded is not None:
            return reply_from_record(recorded)
        if self._mode == "none" or (self._mode == "once" and self._recordings.had_any):
            plain = plain_request(request)
            what = f"this request to {plain['model']}"
            raise RecordingMissing(missing_sentence(self._mode, what, plain, self._recordings))
        return await self._ask_for_all(key, request, trial)

    async def _ask_for_all(self, key: str, request: ModelRequest, trial: int) -> ModelReply:
        """Ask once for everybody who has the same question meanwhile; they share the answer, or the trouble."""
        answering: asyncio.Future[ModelReply] = asyncio.get_running_loop().create_future()
        self._under_way[key] = answering
        try:
            answering.set_result(await self._ask(key, request, trial))
            return answering.result()
        except InfrastructureError as trouble:
            answering.set_exception(trouble)
            answering.exception()  # whether or not anybody else wants to know
            raise
        finally:
            # Who was stopped, by the budget or from outside, leaves the question to the others.
            answering.cancel()
            del self._under_way[key]

    async def _ask(self, key: str, request: ModelRequest, trial: int) -> ModelReply:
        reply = await self._provider.complete(request, trial=trial)
        response = reply_to_record(reply)
        self._recordings.add(
            key, request=plain_request(request), response=response, provider=self.identity, trial=trial
        )
        return reply

    async def close(self) -> None:
        """Close the provider behind."""
        await self._provider.close()


def missing_sentence(mode: RecordMode, what: str, request: Mapping[str, Any], recordings: Recordings) -> str:
    """That something is not recorded, which recording is nearest and what differs."""
    nearest = recordings.nearest(request)
    return f"record mode is '{mode}' and {what} is not recorded{f'; {nearest}' if nearest else ''}"


def plain_request(request: ModelRequest) -> dict[str, Any]:
    """The request as plain data: all that may change the answer, and no credentials."""
    return {
        "model": request.model,
        "messages": [message.to_openai() for message in request.messages],
        "tools": json.loads(tools_json(request.tools)),
        "params": dict(request.params),
    }


def recording_key(request: ModelRequest, *, provider: str, trial: int) -> str:
    """The key of a recording: a digest of the canonical request, the provider's identity and the trial."""
    return digest(
        {
            "model": request.model,
            "messages": [message.to_openai() for message in request.messages],
            "tools": text_digest(tools_json(request.tools)),
            "params": dict(request.params),
            "provider": provider,
            "trial": trial,
        }
    )


def reply_to_record(reply: ModelReply) -> dict[str, Any]:
    """A reply as plain data."""
    tokens = None if reply.tokens is None else [[token.text, dict(token.alternatives)] for token in reply.tokens]
    return {
        "message": reply.message.to_openai(),
        "finish_reason": reply.finish_reason,
        "input_tokens": reply.input_tokens,
        "output_tokens": reply.output_tokens,
        "cost_usd": reply.cost_usd,
        "latency_s": reply.latency_s,
        **({} if tokens is None else {"tokens": tokens}),
    }


def reply_from_record(record: Mapping[str, Any]) -> ModelReply:
    """A recorded reply; it says that it is not live."""
    tokens = record.get("tokens")
    return ModelReply(
        message=Message.from_openai(record["message"]),
        finish_reason=record["finish_reason"],
        input_tokens=record["input_tokens"],
        output_tokens=record["output_tokens"],
        cost_usd=record["cost_usd"],
        latency_s=record["latency_s"],
        live=False,
        tokens=None if tokens is None else tuple(Token(text, alternatives) for text, alternatives in tokens),
    )
