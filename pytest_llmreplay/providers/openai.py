"""OpenAI-compatible endpoints, asked directly over HTTP: no SDK, a fraction of its time for each request."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

from pytest_llmreplay.model.conversation import Message, tools_json
from pytest_llmreplay.model.errors import AccessDenied, InfrastructureError
from pytest_llmreplay.model.ports import ModelReply, ModelRequest
from pytest_llmreplay.model.variant import ModelTarget
from pytest_llmreplay.providers.credentials import hidden, key_from_environment, without_credentials
from pytest_llmreplay.providers.logprobs import read_tokens
from pytest_llmreplay.providers.prices import cost_usd, token_count
from pytest_llmreplay.providers.sse import assembled
from pytest_llmreplay.providers.trouble import clean_message, retry_after_seconds, status_error

if TYPE_CHECKING:
    import aiohttp


class OpenAIProvider:
    """Asks `{api_base}/chat/completions`.

    Args:
        config: the variant's target.
        model: the model's name as the endpoint knows it.
        api_base: the endpoint's base URL.
    """

    def __init__(self, config: ModelTarget, *, model: str, api_base: str) -> None:
        self._config = config
        self._model = model
        base = urlsplit(api_base)
        self._url = urlunsplit(base._replace(path=f"{base.path.rstrip('/')}/chat/completions"))
        self._key: str | None = None
        # Found once; aiohttp's own `trust_env` looks again, in another thread, for every request.
        self._proxy = _proxy_for(self._url)
        self._identity = f"openai {hidden(without_credentials(api_base))}"
        self._session: aiohttp.ClientSession | None = None

    @property
    def identity(self) -> str:
        """The word openai and the endpoint."""
        return self._identity

    async def complete(self, request: ModelRequest, *, trial: int) -> ModelReply:  # noqa: ARG002 (part of the port)
        """Ask the model once.

        Raises:
            AccessDenied: the credentials were refused.
            InfrastructureError: no usable answer came back.
        """
        import aiohttp

        session = self._opened()
        started = time.perf_counter()
        try:
            async with session.post(self._url, data=self._body(request), proxy=self._proxy) as response:
                body = await response.read()
                if response.status >= 400:
                    raise self._refused(response.status, body, response.headers)
        except TimeoutError as error:
            raise InfrastructureError(
                f"{self._config.model} gave no answer within {self._config.timeout_s:g} s",
                code="timeout",
                retryable=True,
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            text = clean_message(f"{type(error).__name__}: {error}", self._secrets())
            raise InfrastructureError(f"{self._config.model}: {text}", code="connection", retryable=True) from None
        return self._reply(body, time.perf_counter() - started)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
            # aiohttp closes the transports in the next rounds of the event loop.
            await asyncio.sleep(0)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            self._key = self._found_key()
            headers = {"Content-Type": "application/json"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=self._config.timeout_s),
                headers=headers,
            )
        return self._session

    def _found_key(self) -> str | None:
        """The key to send; none where the URL has a user, since a request carries one of the two."""
        named = key_from_environment(self._config)
        if urlsplit(self._url).username is None:
            return named or os.environ.get("OPENAI_API_KEY")
        if named:
            raise AccessDenied(f"{self._config.model}: api_base has a user and api_key_env names a key; take one away")
        return None

    def _body(self, request: ModelRequest) -> bytes:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [message.to_openai() for message in request.messages],
            **request.params,
        }
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        if request.tools:
            text = f'{text[:-1]},"tools":{tools_json(request.tools)}}}'
        return text.encode("utf-8", "replace")

    def _refused(self, status: int, body: bytes, headers: Mapping[str, str]) -> InfrastructureError:
        text = body[:2000].decode("utf-8", "replace")
        try:
            error = json.loads(body)["error"]
            text = error["message"] if isinstance(error, dict) else str(error)
            if isinstance(error, dict) and error.get("code") == "content_filter":
                return InfrastructureError(
                    f"{self._config.model}: the content filter refused: {clean_message(text, self._secrets())}",
                    code="content_filter",
                )
        except (ValueError, LookupError, TypeError):
            pass
        wait = retry_after_seconds(headers, datetime.now(UTC))
        return status_error(status, f"{self._config.model}: {text}", retry_after=wait, secrets=self._secrets())

    def _reply(self, body: bytes, latency_s: float) -> ModelReply:
        try:
            response = assembled(body) if body.lstrip()[:5] in (b"data:", b"event") else json.loads(body)
            choice = response["choices"][0]
            message = Message.from_openai(choice["message"])
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise InfrastructureError(
                f"{self._config.model} answered with something that is no chat completion: "
                f"{clean_message(body[:200].decode('utf-8', 'replace'), self._secrets())}",
                code="bad_response",
                retryable=True,
            ) from error
        usage: Mapping[str, Any] = response.get("usage") or {}
        tokens = token_count(usage.get("prompt_tokens")), token_count(usage.get("completion_tokens"))
        return ModelReply(
            message=message,
            finish_reason=choice.get("finish_reason"),
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            cost_usd=cost_usd(self._config.model, *tokens, self._config.prices),
            latency_s=latency_s,
            tokens=read_tokens(choice),
        )

    def _secrets(self) -> Iterable[str]:
        return [self._key] if self._key else []


def _proxy_for(url: str) -> str | None:
    """The proxy that the environment names for a URL, as for every program."""
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get(parts.scheme)
