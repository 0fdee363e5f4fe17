"""A deployed application as target: asked through its own API, with its own session."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.model.conversation import Message, ToolCall
from pytest_llmreplay.model.errors import InfrastructureError, UserError
from pytest_llmreplay.model.trajectory import ToolAnswer, Usage
from pytest_llmreplay.model.variant import HttpRequest, HttpTarget, ReplaySettings
from pytest_llmreplay.providers.credentials import credentials_in, without_credentials
from pytest_llmreplay.providers.pressure import Pressure, Spent
from pytest_llmreplay.providers.sse import sse_events
from pytest_llmreplay.providers.trouble import clean_message, retry_after_seconds, status_error
from pytest_llmreplay.replay.prompt import render_text
from pytest_llmreplay.replay.turns import TurnContext, TurnResult

if TYPE_CHECKING:
    import aiohttp

_MISSING = object()
_COOKIES = "cookies"
_SESSION = "session"
_VARIABLE = re.compile(r"\$\{\w+\}")


def refuse_unless_accepted(target: HttpTarget, replay: ReplaySettings, file: str) -> None:
    """Refuse a target whose tools would run for real without anybody having said so, or that cannot be asked as told.

    Raises:
        UserError: `side_effects` is not `accepted`, or the API has no way to be given the recorded history.
    """
    if target.side_effects != "accepted":
        raise UserError(
            "a deployed application runs its tools for real; if that may happen, say so",
            file=file, key="target.side_effects", value=target.side_effects, allowed=["accepted"],
        )  # fmt: skip
    if replay.mode != "conversation" and "messages" not in json.dumps(target.body):
        raise UserError(
            f"the body does not use `messages`, so the application cannot be given the recorded history that "
            f"'{replay.mode}' stands on",
            file=file, key="replay.mode", value=replay.mode, allowed=["conversation"],
        )  # fmt: skip


class HttpTurns:
    """Answers turns with an HTTP request each; a session is opened with the first turn of a trial.

    Args:
        config: the variant's target.
        pressure: the pressure on the endpoint.
        fill: replaces `${ENV}`.
    """

    def __init__(self, config: HttpTarget, pressure: Pressure, fill: Callable[[str], str]) -> None:
        self._config = config
        self._pressure = pressure
        self._fill = fill
        self._connector: aiohttp.TCPConnector | None = None

    async def run_turn(self, context: TurnContext) -> TurnResult:
        """Send the user's message and read the answer.

        Raises:
            InfrastructureError: there is no usable answer.
        """
        started = time.perf_counter()
        if self._config.session is not None and _COOKIES not in context.kept:
            session = self._config.session
            opened, where = await self._send(session.open, context), without_credentials(session.open.url)
            if session.id is not None:
                context.kept[_SESSION] = _at(_json(opened, where), session.id, where)
        body = await self._send(self._config, context)
        usage = Usage(steps=1, live_steps=1, latency_s=time.perf_counter() - started)
        answer, calls = self._read(body)
        context.tool_box.answers.extend(ToolAnswer(context.number, call.name, call.arguments, "live") for call in calls)
        reported = (Message("assistant", tool_calls=calls),) if calls else ()
        return TurnResult((*reported, Message("assistant", answer)), "answered", usage)

    async def close(self) -> None:
        """Close the connections."""
        if self._connector is not None:
            await self._connector.close()
            self._connector = None

    @property
    def _where(self) -> str:
        return without_credentials(self._config.url)

    async def _send(self, request: HttpRequest, context: TurnContext) -> bytes:
        names = {
            "user": context.messages[-1].content or "",
            "messages": [message.to_openai() for message in context.messages],
            "session": context.kept.get(_SESSION),
            "turn": context.number,
            "vars": dict(context.vars),
        }
        arguments: dict[str, Any] = {
            "url": render_text(self._fill(request.url), names),
            "headers": {name: render_text(self._fill(text), names) for name, text in request.headers.items()},
        }
        if request.body is not None:
            arguments["json"] = _rendered(request.body, names, self._fill)
        # A request that may have been carried out is never sent again: only a refusal before it was is passing trouble.
        return await self._pressure.send(lambda: self._once(request, arguments, context), lambda _: Spent())

    async def _once(self, request: HttpRequest, arguments: Mapping[str, Any], context: TurnContext) -> bytes:
        import aiohttp

        if self._connector is None:
            self._connector = aiohttp.TCPConnector(limit=0)
        # As it is written in the variant: what fills its path may be a secret.
        where = without_credentials(request.url)
        timeout = aiohttp.ClientTimeout(total=self._config.timeout_s)
        cookies = self._cookies(context)
        try:
            async with (
                aiohttp.ClientSession(
                    connector=self._connector, connector_owner=False, cookie_jar=cookies, timeout=timeout
                ) as client,
                client.request(request.method, **arguments) as response,
            ):
                body = await response.read()
                if response.status >= 400:
                    wait = retry_after_seconds(response.headers, datetime.now(UTC))
                    text = f"{where}: {body[:500].decode('utf-8', 'replace')}"
                    secrets = self._secrets(arguments, context)
                    raise _final_unless_refused(status_error(response.status, text, retry_after=wait, secrets=secrets))
                return body
        except TimeoutError as error:
            message = f"{where} gave no answer within {self._config.timeout_s:g} s"
            raise InfrastructureError(message, code="timeout") from error
        except aiohttp.ClientConnectorError as error:
            secrets = self._secrets(arguments, context)
            message = clean_message(f"{where} cannot be reached: {error.strerror or error}", secrets)
            raise InfrastructureError(message, code="connection", retryable=True) from None
        except (aiohttp.ClientError, OSError) as error:
            secrets = self._secrets(arguments, context)
            message = clean_message(f"{where}: {type(error).__name__}: {error}", secrets)
            raise InfrastructureError(message, code="connection") from None

    def _cookies(self, context: TurnContext) -> aiohttp.CookieJar:
        """The cookies of a trial, which live as long as its session."""
        import aiohttp

        jar: aiohttp.CookieJar | None = context.kept.get(_COOKIES)
        if jar is None:
            # An application behind a TLS proxy marks its cookies as secure even where it is asked directly.
            url = self._fill(self._config.url)
            jar = context.kept[_COOKIES] = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=url)
        return jar

    def _secrets(self, arguments: Mapping[str, Any], context: TurnContext) -> list[str]:
        """What no message may show: environment variables, headers, the URL's keys, cookies and the session's id."""
        filled = [self._fill(name) for name in set(_VARIABLE.findall(self._config.model_dump_json()))]
        sent = [value.rpartition(" ")[2] for value in arguments["headers"].values()]
        kept = [cookie.value for cookie in context.kept.get(_COOKIES) or ()]
        found = [*filled, *sent, *credentials_in(arguments["url"]), *kept, str(context.kept.get(_SESSION) or "")]
        return sorted((text for text in found if len(text) > 3), key=len, reverse=True)

    def _read(self, body: bytes) -> tuple[str, tuple[ToolCall, ...]]:
        paths = self._config.response
        replies = sse_events(body) if paths.stream == "sse" else [_json(body, self._where)]
        try:
            events = list(replies)
        except ValueError as error:
            raise InfrastructureError(f"{self._where}: an event is not JSON: {error}", code="bad_response") from error
        answers = [found for event in events if (found := _find(event, paths.answer)) is not _MISSING]
        if not answers:
            raise InfrastructureError(f"{self._where}: nothing at '{paths.answer}' in the reply", code="bad_response")
        calls = [call for event in events for call in self._calls(event)]
        return "".join(_text(answer) for answer in answers), tuple(calls)

    def _calls(self, reply: Any) -> list[ToolCall]:
        paths = self._config.response
        found = _find(reply, paths.tools) if paths.tools is not None else None
        calls = []
        for item in found if isinstance(found, list) else ():
            arguments = _find(item, paths.arguments)
            spelled = (
                arguments if isinstance(arguments, str) else json.dumps({} if arguments is _MISSING else arguments)
            )
            calls.append(ToolCall(None, _text(_at(item, paths.name, self._where)), spelled))
        return calls


def _final_unless_refused(error: InfrastructureError) -> InfrastructureError:
    if error.code not in ("rate_limited", "overloaded"):
        error.retryable = False
    return error


def _rendered(value: Any, names: Mapping[str, Any], fill: Callable[[str], str]) -> Any:
    """The body with its templates filled; a string that is nothing but `{{ messages }}` becomes the messages."""
    if isinstance(value, str):
        bare = value.strip().removeprefix("{{").removesuffix("}}").strip()
        if value.strip() == f"{{{{ {bare} }}}}" and bare in names:
            return names[bare]
        return render_text(fill(value), names)
    if isinstance(value, list):
        return [_rendered(item, names, fill) for item in value]
    if isinstance(value, dict):
        return {key: _rendered(item, names, fill) for key, item in value.items()}
    return value


def _json(body: bytes, where: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InfrastructureError(f"{where}: the reply is not JSON", code="bad_response") from error


def _at(value: Any, path: str, where: str) -> Any:
    found = _find(value, path)
    if found is _MISSING:
        raise InfrastructureError(f"{where}: nothing at '{path}' in the reply", code="bad_response")
    return found


def _find(value: Any, path: str) -> Any:
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _MISSING
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
