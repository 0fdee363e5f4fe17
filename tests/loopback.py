"""Servers over loopback, each in a thread of its own."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextmanager
def serving(routes: Sequence[web.RouteDef]) -> Iterator[str]:
    """A server with these routes; gives its base URL."""
    started: Future[tuple[str, Callable[[], None]]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        app = web.Application(client_max_size=2**26)
        app.add_routes(routes)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        started.set_result((f"http://127.0.0.1:{port}", lambda: loop.call_soon_threadsafe(stop.set)))
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    url, stop = started.result(10)
    try:
        yield url
    finally:
        stop()
        thread.join(10)


class ScriptedModel:
    """An OpenAI-compatible endpoint that gives one prepared response after the other, then its last one again."""

    def __init__(self, *responses: Handler | Any) -> None:
        self._responses = list(responses)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v1/chat/completions", self._answer)]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(json.loads(await request.read()))
        self.headers.append(dict(request.headers))
        response = self._responses.pop(0) if len(self._responses) > 1 else self._responses[0]
        return await response(request) if callable(response) else web.json_response(response)


def completion(content: str | None = "hello", **message: Any) -> dict[str, Any]:
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content, **message}}
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }


def status(code: int, body: Any = None, **headers: str) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        payload = {"error": {"message": f"status {code}"}} if body is None else body
        return web.json_response(payload, status=code, headers=headers)

    return answer


def raw(text: str, content_type: str = "application/json") -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type)

    return answer


async def reset(request: web.Request) -> web.Response:
    """Drop the connection before anything was answered."""
    request.transport.abort()
    return web.Response()


async def cut(request: web.Request) -> web.StreamResponse:
    """Promise a long body and end in the middle of it."""
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    request.transport.close()
    return response


async def silence(_request: web.Request) -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


class FaultyModel:
    """Routes by the last word of the user's message, slowly, and fails as told: the same faults in every run.

    A fault is chosen by a hash of the request and of how often it came, so that asking again may succeed.
    """

    def __init__(self, *, latency_s: float = 0.0, faults: dict[str, float] | None = None) -> None:
        self._latency_s = latency_s
        self._faults = faults or {}
        self._seen: Counter[bytes] = Counter()
        self.answered = 0
        self.malformed = 0
        self.requests = 0
        self.under_way = 0
        self.peak = 0

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v1/chat/completions", self._answer)]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests += 1
        self.under_way += 1
        self.peak = max(self.peak, self.under_way)
        try:
            await asyncio.sleep(self._latency_s)
            fault = self._fault(body)
            if fault == "slow":
                await asyncio.sleep(0.3)
            elif fault is not None and fault != "malformed":
                return await _FAULTS[fault](request)
            self.answered += 1
            self.malformed += fault == "malformed"
            return web.json_response(_routed(json.loads(body), malformed=fault == "malformed"))
        finally:
            self.under_way -= 1

    def _fault(self, body: bytes) -> str | None:
        attempt = self._seen[body]
        self._seen[body] += 1
        draw = int.from_bytes(hashlib.sha256(body + str(attempt).encode()).digest()[:4], "big") / 2**32
        for name, rate in self._faults.items():
            if name == "malformed":
                # Not by attempt: what a model writes is no fault that passes.
                own = int.from_bytes(hashlib.sha256(b"m" + body).digest()[:4], "big") / 2**32
                if own < rate:
                    return name
            elif draw < rate:
                return name
            else:
                draw -= rate
        return None


class StormyModel(FaultyModel):
    """Refuses everything with 429 for some seconds from the first request on, and notes when it was asked."""

    def __init__(self, *, seconds: float, latency_s: float = 0.02) -> None:
        super().__init__(latency_s=latency_s)
        self._seconds = seconds
        self.in_storm: list[float] = []

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        now = time.monotonic()
        if self.in_storm and now >= self.in_storm[0] + self._seconds:
            return await super()._answer(request)
        self.in_storm.append(now)
        return await status(429)(request)

    def in_part(self, first: float, last: float) -> int:
        """How often it was asked between two moments of the storm, in seconds from its beginning."""
        begin = self.in_storm[0]
        return sum(begin + first <= moment < begin + last for moment in self.in_storm)


_FAULTS: dict[str, Handler] = {
    "500": status(500),
    "429": status(429, **{"Retry-After": "0"}),
    "reset": reset,
    "cut": cut,
    "no JSON": raw("<html>502 Bad Gateway</html>", "text/html"),
    "silence": silence,
}


def _routed(body: dict[str, Any], *, malformed: bool) -> dict[str, Any]:
    last = body["messages"][-1]
    if last["role"] == "tool":
        return completion("done")
    call = {"name": last["content"].split()[-1], "arguments": '{"broken": ' if malformed else "{}"}
    return completion(None, tool_calls=[{"id": "c1", "type": "function", "function": call}])
