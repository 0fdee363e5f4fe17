"""Any provider, through litellm; it costs seconds to import, so that is done when it is surely needed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.model.errors import AccessDenied, InfrastructureError
from pytest_llmreplay.model.ports import ModelReply, ModelRequest
from pytest_llmreplay.model.variant import ModelTarget
from pytest_llmreplay.providers.credentials import hidden, key_from_environment, without_credentials
from pytest_llmreplay.providers.logprobs import read_tokens
from pytest_llmreplay.providers.prices import cost_usd
from pytest_llmreplay.providers.trouble import clean_message, retry_after_seconds, status_error

# Without this litellm waits for the network to fetch its price list when it is imported.
_LOCAL_PRICES = "LITELLM_LOCAL_MODEL_COST_MAP"


class LitellmProvider:
    """Asks a model through `litellm.acompletion`.

    Args:
        config: the variant's target.
        api_base: the endpoint, with environment variables filled in; None for the provider's own.
    """

    def __init__(self, config: ModelTarget, *, api_base: str | None) -> None:
        self._config = config
        self._api_base = api_base
        self._litellm: ModuleType | None = None

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
        api_key = key_from_environment(self._config)
        if self._litellm is None:
            self._litellm = await asyncio.to_thread(load_litellm)
        litellm = self._litellm
        started = time.perf_counter()
        try:
            response = await litellm.acompletion(**self._arguments(request, api_key))
        except Exception as error:  # noqa: BLE001 (litellm lets errors of many libraries through)
            raise trouble_of(error, litellm, self._config, api_key) from None
        return self._reply(request, response.model_dump(), time.perf_counter() - started)

    async def close(self) -> None:
        """Close litellm's shared connections on this event loop."""
        if self._litellm is not None:
            await self._litellm.close_litellm_async_clients()

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
        tokens = usage.get("prompt_tokens"), usage.get("completion_tokens")
        return ModelReply(
            message=message,
            finish_reason=choice.get("finish_reason"),
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            cost_usd=cost_usd(request.model, *tokens, self._config.prices),
            latency_s=latency_s,
            tokens=read_tokens(choice),
        )


def load_in_background() -> None:
    """Start importing litellm in a thread of its own; whoever asks for it sooner waits for the rest."""

    def load() -> None:
        # Whoever needs it meets the same error, where it can be shown.
        with contextlib.suppress(ImportError):
            load_litellm()

    threading.Thread(target=load, name="llmreplay-litellm", daemon=True).start()


def trouble_of(error: Exception, litellm: ModuleType, config: ModelTarget, api_key: str | None) -> InfrastructureError:
    """What an error of litellm means to a run, told without credentials."""
    secrets = [api_key] if api_key else []
    text = clean_message(str(error), secrets)
    if isinstance(error, litellm.exceptions.AuthenticationError | litellm.exceptions.PermissionDeniedError):
        return AccessDenied(f"{config.model}: the credentials were refused: {text}")
    if isinstance(error, litellm.exceptions.Timeout):
        return InfrastructureError(
            f"{config.model} gave no answer within {config.timeout_s:g} s",
            code="timeout",
            retryable=True,
        )
    if isinstance(error, litellm.exceptions.ContentPolicyViolationError):
        return InfrastructureError(f"{config.model}: the content filter refused: {text}", code="content_filter")
    if isinstance(error, litellm.exceptions.APIConnectionError):
        return InfrastructureError(f"{config.model}: {text}", code="connection", retryable=True)
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        headers = getattr(getattr(error, "response", None), "headers", None) or {}
        wait = retry_after_seconds(headers, datetime.now(UTC))
        return status_error(status, f"{config.model}: {text}", retry_after=wait, secrets=secrets)
    return InfrastructureError(f"{config.model}: {type(error).__name__}: {text}", code="provider")


def load_litellm() -> ModuleType:
    """Import litellm, quiet and without the network."""
    os.environ.setdefault(_LOCAL_PRICES, "True")
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    module: ModuleType = litellm
    return module
