"""Any provider, through litellm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.model.errors import InfrastructureError
from pytest_llmreplay.model.ports import ModelReply, ModelRequest
from pytest_llmreplay.model.variant import ModelTarget
from pytest_llmreplay.providers.credentials import hidden, key_from_environment, without_credentials
from pytest_llmreplay.providers.litellm_process import LitellmProcess
from pytest_llmreplay.providers.logprobs import read_tokens
from pytest_llmreplay.providers.prices import cost_usd, token_count


class LitellmProvider:
    """Asks a model through `litellm.acompletion`.

    Args:
        config: the variant's target.
        api_base: the endpoint, with environment variables filled in; None for the provider's own.
        process: where litellm works; shared by the models of a run.
    """

    def __init__(self, config: ModelTarget, *, api_base: str | None, process: LitellmProcess) -> None:
        self._config = config
        self._api_base = api_base
        self._process = process

    @property
    def identity(self) -> str:
        """The word litellm and the endpoint."""
        return f"litellm {hidden(without_credentials(self._api_base or ''))}".strip()

    async def complete(self, request: ModelRequest, *, trial: int) -> ModelReply:  # noqa: ARG002 (part of the port)
        """Ask the model once; litellm's own retries are off.

        Raises:
            AccessDenied: the credentials were refused.
            InfrastructureError: no usable answer came back.
        """
        answer = await self._process.complete(self._arguments(request, key_from_environment(self._config)))
        return self._reply(request, answer["response"], answer["latency_s"])

    async def close(self) -> None:
        """End litellm's process."""
        await self._process.close()

    def _arguments(self, request: ModelRequest, api_key: str | None) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            **request.params,
            "model": request.model,
            "messages": [message.to_openai() for message in request.messages],
            "timeout": self._config.timeout_s,
            "num_retries": 0,
            "max_retries": 0,
        }
        if request.tools:
            arguments["tools"] = [tool.to_openai() for tool in request.tools]
        if self._api_base is not None:
            arguments["api_base"] = self._api_base
        if api_key is not None:
            arguments["api_key"] = api_key
        return arguments

    def _reply(self, request: ModelRequest, response: Mapping[str, Any], latency_s: float) -> ModelReply:
        try:
            choice = response["choices"][0]
            message = Message.from_openai(choice["message"])
        except (LookupError, TypeError, ValueError) as error:
            raise InfrastructureError(
                f"{self._config.model} answered without a usable message: {error}", code="bad_response", retryable=True
            ) from error
        usage = response.get("usage") or {}
        tokens = token_count(usage.get("prompt_tokens")), token_count(usage.get("completion_tokens"))
        return ModelReply(
            message=message,
            finish_reason=choice.get("finish_reason"),
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            cost_usd=cost_usd(request.model, *tokens, self._config.prices),
            latency_s=latency_s,
            tokens=read_tokens(choice),
        )
