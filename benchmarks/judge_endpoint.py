"""A judge over loopback for `replay.py`: after a fixed time, every criterion of the asked schema passes.

python benchmarks/judge_endpoint.py --port 8400 --latency-ms 200
"""

from __future__ import annotations

import argparse
import asyncio
import json

from aiohttp import web


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency-ms", type=float, required=True)
    options = parser.parse_args()

    async def judge(request: web.Request) -> web.Response:
        schema = (await request.json())["response_format"]["json_schema"]["schema"]
        decisions = dict.fromkeys(schema["properties"]["decisions"]["required"], "pass")
        verdict = json.dumps({"evidence": [], "decisions": decisions, "confidence": "high"})
        await asyncio.sleep(options.latency_ms / 1000)
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": verdict}}
        usage = {"prompt_tokens": 400, "completion_tokens": 20}
        return web.json_response({"id": "v", "object": "chat.completion", "choices": [choice], "usage": usage})

    async def stats(_request: web.Request) -> web.Response:
        return web.json_response({})

    app = web.Application()
    app.add_routes([web.post("/v1/chat/completions", judge), web.get("/stats", stats)])
    web.run_app(app, host="127.0.0.1", port=options.port, print=None)


if __name__ == "__main__":
    main()
