"""litellm in a process of its own, asked from this one.

It costs seconds to import and several CPU milliseconds a request. Beside the session instead of inside it, both take
the session no time, and nothing that it prints, warns of or patches gets into the session.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from pytest_llmreplay.model.errors import AccessDenied, InfrastructureError
from pytest_llmreplay.providers import litellm_worker

Answer = Mapping[str, Any]


class LitellmProcess:
    """Starts the process when it is first needed, and again when it was lost; for one event loop at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._connecting: asyncio.Task[_Connection] | None = None

    def start(self) -> None:
        """Start importing litellm; nobody waits for it."""
        if self._process is not None:
            return
        # What this process can import that one can too, wherever its path came from.
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(  # noqa: S603 (this Python, our own module)
            [sys.executable, "-P", "-m", litellm_worker.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ,
            # Ctrl-C is for the session, which finishes what is under way.
            start_new_session=True,
        )

    async def complete(self, arguments: Mapping[str, Any]) -> Answer:
        """Ask `litellm.acompletion` with these arguments, which JSON can hold.

        Returns:
            The `response` as a dict, and `latency_s`, the seconds it took.

        Raises:
            AccessDenied: the credentials were refused.
            InfrastructureError: no usable answer came back, or the process was lost.
        """
        if self._connecting is not None and _is_lost(self._connecting):
            self.end()
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect())
        connection = await asyncio.shield(self._connecting)
        return await connection.complete(arguments)

    async def _connect(self) -> _Connection:
        self.start()
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise RuntimeError("a process without pipes")
        loop = asyncio.get_running_loop()
        lines = asyncio.StreamReader(limit=litellm_worker.LONGEST_LINE)
        incoming, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), process.stdout)
        outgoing, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, process.stdin)
        return _Connection(lines, incoming, outgoing)

    async def close(self) -> None:
        """End the process, on the event loop that asked it; safe to call twice."""
        if self._connecting is not None and not _is_lost(self._connecting):
            (await self._connecting).close()
        self.end()

    def end(self) -> None:
        """End the process, whatever it is doing: it keeps nothing."""
        process, self._process, self._connecting = self._process, None, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


class _Connection:
    """The pipes of one process on one event loop."""

    def __init__(
        self, lines: asyncio.StreamReader, incoming: asyncio.ReadTransport, outgoing: asyncio.WriteTransport
    ) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._asked = 0
        self._reading = asyncio.create_task(self._read(lines))

    @property
    def is_lost(self) -> bool:
        """Whether no answer will come any more."""
        return self._reading.done()

    async def complete(self, arguments: Mapping[str, Any]) -> Answer:
        self._asked += 1
        number = self._asked
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._send({"id": number, "arguments": arguments})
        try:
            answer: Answer = await future
        except asyncio.CancelledError:
            self._send({"id": number})
            raise
        finally:
            del self._waiting[number]
        if trouble := answer.get("trouble"):
            raise _error(**trouble)
        return answer

    def _send(self, message: Mapping[str, Any]) -> None:
        self._outgoing.write(json.dumps(message).encode() + b"\n")

    def close(self) -> None:
        self._incoming.close()
        self._outgoing.abort()

    async def _read(self, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            answer = json.loads(line)
            future = self._waiting.get(answer["id"])
            if future is not None and not future.done():
                future.set_result(answer)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(_error("the process of litellm was lost", "connection", True, None))


def _is_lost(connecting: asyncio.Task[_Connection]) -> bool:
    if not connecting.done():
        return False
    return connecting.cancelled() or connecting.exception() is not None or connecting.result().is_lost


def _error(message: str, code: str, retryable: bool, retry_after: float | None) -> InfrastructureError:
    if code == "access_denied":
        return AccessDenied(message)
    return InfrastructureError(message, code=code, retryable=retryable, retry_after=retry_after)
