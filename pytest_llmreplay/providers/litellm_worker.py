"""The process in which litellm works: `python -m pytest_llmreplay.providers.litellm_worker`.

Standard input brings messages, standard output takes the answers, each a line of JSON:

    {"id": 1, "arguments": {…}}      asks for a completion with these arguments of `litellm.acompletion`
    {"id": 1}                        nobody waits for that answer any more
    {"id": 1, "response": {…}, "latency_s": 0.2}
    {"id": 1, "trouble": {"message": "…", "code": "timeout", "retryable": true, "retry_after": null}}

It ends with its input, so that it never outlives the process that started it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pytest_llmreplay.model.errors import InfrastructureError
from pytest_llmreplay.providers.litellm_library import load_litellm, trouble_of

# A request with images is a line of many megabytes.
LONGEST_LINE = 1 << 30

Complete = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What libraries print must not stand between the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    asyncio.run(_serve(answers.write, answers.flush))


async def _serve(write: Callable[[bytes], Any], flush: Callable[[], None]) -> None:
    complete = _completion()
    lines = asyncio.StreamReader(limit=LONGEST_LINE)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    tasks: dict[int, asyncio.Task[None]] = {}

    async def answer(number: int, arguments: Mapping[str, Any]) -> None:
        try:
            said = await complete(arguments)
        finally:
            del tasks[number]
        write(_line({"id": number, **said}))
        flush()

    while line := await lines.readline():
        message = json.loads(line)
        if "arguments" in message:
            tasks[message["id"]] = asyncio.create_task(answer(message["id"], message["arguments"]))
        elif message["id"] in tasks:
            tasks[message["id"]].cancel()
    # What is under way has nobody left to wait for it, and litellm's threads are not waited for either.
    os._exit(0)


def _line(answer: Mapping[str, Any]) -> bytes:
    try:
        written = json.dumps(answer, default=str)
    except (TypeError, ValueError) as error:
        unwritten = InfrastructureError(f"the answer cannot be written as JSON: {error}", code="bad_response")
        written = json.dumps({"id": answer["id"], **_told(unwritten)})
    return written.encode() + b"\n"


def _completion() -> Complete:
    """A function that asks litellm, or that says of every request why litellm cannot be imported."""
    try:
        litellm = load_litellm()
    except ImportError as error:
        trouble = _told(InfrastructureError(f"litellm cannot be imported: {error}", code="provider"))

        async def refuse(_arguments: Mapping[str, Any]) -> dict[str, Any]:
            return trouble

        return refuse

    async def complete(arguments: Mapping[str, Any]) -> dict[str, Any]:
        started = time.perf_counter()
        try:
            response = await litellm.acompletion(**arguments)
        except Exception as error:  # noqa: BLE001 (litellm lets errors of many libraries through)
            asked = {"model": arguments["model"], "timeout_s": arguments["timeout"]}
            return _told(trouble_of(error, litellm, **asked, api_key=arguments.get("api_key")))
        return {"response": response.model_dump(), "latency_s": time.perf_counter() - started}

    return complete


def _told(error: InfrastructureError) -> dict[str, Any]:
    return {
        "trouble": {
            "message": str(error),
            "code": error.code,
            "retryable": error.retryable,
            "retry_after": error.retry_after,
        }
    }


if __name__ == "__main__":
    main()
