"""Writes the production logs of the example: configs/v1.yaml on the local model, over examples/messages.yaml.

Run it in the project's folder, after `pytest-llmreplay local-model fetch`:

    python -m examples.make_logs
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from examples import shop
from pytest_llmreplay.config.variant import load_variant
from pytest_llmreplay.model.conversation import Message, ToolCall
from pytest_llmreplay.model.ports import ModelReply, ModelRequest, Provider
from pytest_llmreplay.model.variant import ModelTarget, Variant
from pytest_llmreplay.providers.local import LocalProvider

HERE = Path(__file__).parent
VARIANT = HERE.parent / "configs" / "v1.yaml"
LOG = HERE / "logs" / "support.parquet"

FIRST = datetime(2026, 9, 7, 8, 0, tzinfo=UTC)
SEED = 7
CUSTOMERS = 80


@dataclass(frozen=True)
class Labelled:
    """A customer's message with what a support engineer says of it."""

    id: str
    half: str
    intent: str
    text: str
    lang: str
    tool: str
    args: Mapping[str, Any]

    @property
    def expect(self) -> dict[str, Any]:
        """The expectation, as a golden case holds it."""
        call: dict[str, Any] = {"name": self.tool}
        if self.args:
            call["args"] = dict(self.args)
        return {"calls": {"expected": [call]}}

    def review(self, calls: tuple[ToolCall, ...]) -> str:
        """What the engineer notes about a conversation with these calls."""
        if [call.name for call in calls] != [self.tool]:
            return "wrong tool"
        return "ok" if json.loads(calls[0].arguments) == self.args else "wrong argument"


def labelled_messages() -> Iterator[Labelled]:
    written = yaml.safe_load((HERE / "messages.yaml").read_text(encoding="utf-8"))
    for half in ("tuning", "production"):
        for line in written[half]:
            ((tool, args),) = line["call"].items()
            yield Labelled(line["id"], half, line["intent"], line["text"], line.get("lang", "en"), tool, args)


async def conversation(
    provider: Provider, target: ModelTarget, variant: Variant, text: str
) -> tuple[list[Message], list[ModelReply]]:
    """One turn: the bot calls tools, which the shop answers, until it says something."""
    system = Message("system", (variant.system_prompt or "").strip())
    messages = [system, Message("user", text)]
    replies: list[ModelReply] = []
    while not replies or messages[-1].role == "tool":
        asked = (system, *variant.examples, *messages[1:])
        request = ModelRequest(target.model, asked, variant.tools or (), target.params)
        replies.append(await provider.complete(request, trial=1))
        messages.append(replies[-1].message)
        for call in replies[-1].message.tool_calls:
            result = getattr(shop, call.name)(**json.loads(call.arguments))
            messages.append(Message("tool", json.dumps(result), tool_call_id=call.id))
    return messages, replies


def row(number: int, labelled: Labelled, messages: list[Message], replies: list[ModelReply]) -> dict[str, Any]:
    """What production logs of a conversation, and after it what the support engineer noted."""
    customer = hashlib.sha256(f"customer {number % CUSTOMERS}".encode()).hexdigest()[:10]
    calls = tuple(call for message in messages for call in message.tool_calls)
    return {
        "conversation_id": labelled.id,
        "started_at": (FIRST + timedelta(minutes=47 * number)).isoformat(),
        "user_id": f"u_{customer}",
        "messages": json.dumps([message.to_openai() for message in messages], ensure_ascii=False),
        "latency_s": round(sum(reply.latency_s or 0.0 for reply in replies), 3),
        "input_tokens": sum(reply.input_tokens or 0 for reply in replies),
        "output_tokens": sum(reply.output_tokens or 0 for reply in replies),
        "half": labelled.half,
        "lang": labelled.lang,
        "intent": labelled.intent,
        "review": labelled.review(calls),
        "expect": json.dumps(labelled.expect),
    }


async def rows() -> list[dict[str, Any]]:
    """One row a message, in the order in which the customers wrote them."""
    variant = load_variant(VARIANT)
    target = variant.target
    if not isinstance(target, ModelTarget):
        raise SystemExit(f"{VARIANT.name} must have a model as its target")
    same = {
        "model": target.model,
        "prompt_version": variant.name,
        "tools": json.dumps([tool.to_openai() for tool in variant.tools or ()], ensure_ascii=False),
    }
    shuffled = list(labelled_messages())
    random.Random(SEED).shuffle(shuffled)  # noqa: S311 - an order, not a secret
    provider = LocalProvider()
    try:
        return [
            {**row(number, labelled, *await conversation(provider, target, variant, labelled.text)), **same}
            for number, labelled in enumerate(shuffled)
        ]
    finally:
        await provider.close()


def main() -> None:
    table = pa.Table.from_pylist(asyncio.run(rows()))
    LOG.parent.mkdir(exist_ok=True)
    pq.write_table(table, LOG, compression="zstd")
    counts = table.group_by(["half", "review"]).aggregate([("conversation_id", "count")]).sort_by("half").to_pylist()
    print(f"{table.num_rows} conversations written to {LOG.relative_to(HERE.parent)}")
    for count in counts:
        print(f"  {count['half']}: {count['conversation_id_count']} {count['review']}")


if __name__ == "__main__":
    main()
