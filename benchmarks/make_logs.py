"""Conversation logs of any size, as canonical Parquet: the shop of the example, or public conversations varied.

    python benchmarks/make_logs.py --out FILE.parquet --text 1GB [--seed 1] [--from LOGS]
    python benchmarks/make_logs.py --out FILE.parquet --conversations 200000 --failing 0.04 \
        [--regression 2026-02-10 get_order_status v2 0.3]

Without --from the conversations are those of the example's shop: customers' messages with other order numbers, calls,
results and answers that go with them. With --from (a file or folder that the readers read) each conversation is a copy
of one of those with its digits exchanged, alike in all its messages, and one word in eight exchanged for another one of
the log, so that no two copies compress to nothing. One seed always gives the same log, and nothing is held in memory.
With --failing users are dissatisfied with that share at random, and with --regression from a day on with a share of the
conversations that call one tool under one prompt version.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from examples import shop
from examples.make_logs import labelled_messages
from pytest_llmreplay.model.conversation import Conversation, Message, Step, Tool, ToolCall, calls_of
from pytest_llmreplay.traces import read_conversations, write_conversations

ROOT = Path(__file__).parents[1]
FIRST = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 60
MODELS = ("gpt-4.1-mini", "gpt-4.1", "local/smollm2")
SEGMENTS = ("free", "plus", "business")
SYSTEM = "You are the support assistant of a shop. Use the tools, and answer in one or two friendly sentences."
HELP = {
    "hours": "Opening hours: the shop and the hotline. Holidays and Sundays are announced in the newsletter.",
    "order": "Delivery: every parcel has a status; parcels that are packed leave the warehouse the same evening.",
    "refund": "Refunds: accepted refunds are paid back to the original card within some working days.",
    "account": "Account pages: customers change password, email and address on their own page.",
    "fun": "Conversation: the assistant stays friendly and brings customers back to their orders.",
}
ANSWERS = {
    "hours": (
        "The shop is open {shop}, and the hotline {phone}.",
        "We are open {shop}. By phone you reach us {phone}.",
        "Opening hours: {shop}; hotline: {phone}.",
    ),
    "order": (
        "Order {order_id} is {status} and arrives {arrives}.",
        "Your parcel {order_id} is {status}; it should be with you {arrives}.",
        "The status of {order_id}: {status}, arriving {arrives}.",
    ),
    "refund": (
        "The refund of order {order_id} is {refund}; the money is with you in {days} days.",
        "Done: refund {refund} for {order_id}, paid within {days} days.",
    ),
    "account": ("You can change that here: {page}.", "Open {page} and change your {topic} there."),
    "fun": ("I am in a friendly mood, thank you for asking!", "Always friendly, and happy to be of service."),
}
EXTRAS = (
    "Customers like that our shop wraps every parcel by hand.",
    "The newsletter has a new story about our workshop every month.",
    "Standard parcels travel with the postal service, large ones with a carrier.",
    "Everything in the autumn collection is made of linen and wool.",
    "Gift cards never expire and can be used in the shop as well as here.",
    "Our colleagues in the warehouse pack orders from early morning until evening.",
    "The workshop repairs bags and shoes that were bought from us.",
)
OPENINGS = ("", "", "", "Hi, ", "hello ", "Good morning! ", "Hey there, ")
CLOSINGS = ("", "", "", " Thanks", " thank you", " Cheers.", " pls")


def shop_conversations(seed: int, *, intents: Sequence[str] | None = None) -> Iterator[Conversation]:
    """Conversations of the example's shop that went well, without end.

    Args:
        seed: of the randomness.
        intents: what the customers want; None is all.
    """
    rng = random.Random(seed)
    written = yaml.safe_load((ROOT / "configs" / "tools" / "support_v2.yaml").read_text(encoding="utf-8"))
    tools = tuple(Tool.from_openai(tool) for tool in written["tools"])
    labelled = [one for one in labelled_messages() if one.lang == "en" and (intents is None or one.intent in intents)]
    for number in itertools.count():
        messages: list[Message] = [Message("system", SYSTEM)]
        steps: list[Step] = []
        for turn, one in enumerate(rng.sample(labelled, rng.choice((1, 1, 2, 2, 3, 4))), start=1):
            args = dict(one.args)
            text = one.text
            if "order_id" in args:
                args["order_id"] = str(rng.randint(1000, 9999))
                text = text.replace(one.args["order_id"], args["order_id"])
            result = getattr(shop, one.tool)(**args)
            call = ToolCall(f"call_{number}_{turn}", one.tool, json.dumps(args))
            answer = rng.choice(ANSWERS.get(one.tool, ("A colleague from {queue} answers in {wait_minutes} minutes.",)))
            said = [answer.format(**result), *rng.sample(EXTRAS, rng.randint(0, 3))]
            messages += [
                Message("user", f"{rng.choice(OPENINGS)}{text}{rng.choice(CLOSINGS)}"),
                Message("assistant", tool_calls=(call,)),
                Message("tool", json.dumps(result), tool_call_id=call.id),
                Message("assistant", " ".join(said)),
            ]
            if one.tool in HELP:
                found = f"{HELP[one.tool]} {json.dumps(result)}"
                steps.append(Step(turn, "retrieval", "help pages", text, found, (f"help/{one.tool}",)))
        yield _logged(Conversation(f"c{seed}-{number}", tuple(messages), tools, steps=tuple(steps)), rng, number)


def varied_conversations(logs: Sequence[str], seed: int) -> Iterator[Conversation]:
    """Copies of the conversations in some logs, each with other digits and some other words, without end."""
    rng = random.Random(seed)
    originals = list(read_conversations(logs, on_problem=print))
    words = [w for c in originals for m in c.messages if m.role != "system" for w in (m.content or "").split()]
    for number in itertools.count():
        original = originals[number % len(originals)]
        digits = str.maketrans("123456789", "".join(rng.sample("123456789", 9)))

        def vary(text: str | None, digits: dict[int, int] = digits) -> str | None:
            if not text:
                return text
            said = text.translate(digits).split(" ")
            for place in range(rng.randrange(8), len(said), 8):
                said[place] = rng.choice(words)
            return " ".join(said)

        messages = tuple(
            message
            if message.role == "system"
            else replace(
                message,
                content=vary(message.content) if message.role != "tool" else (message.content or "").translate(digits),
                tool_calls=tuple(replace(c, arguments=c.arguments.translate(digits)) for c in message.tool_calls),
            )
            for message in original.messages
        )
        yield _logged(replace(original, conversation_id=f"v{seed}-{number}", messages=messages), rng, number)


def _logged(conversation: Conversation, rng: random.Random, number: int) -> Conversation:
    """The conversation with what a production log says beside it."""
    started = FIRST + timedelta(seconds=rng.random() * DAYS * 86400)
    size = sum(len(message.content or "") for message in conversation.messages)
    model = rng.choice(MODELS)
    latency = math.exp(rng.gauss(0.6, 0.35))
    input_tokens = int(size / 4 * math.exp(rng.gauss(0, 0.1))) + 200
    return replace(
        conversation,
        started_at=started.isoformat(),
        ended_at=(started + timedelta(seconds=latency * 20)).isoformat(),
        model=model,
        prompt_version=rng.choice(("v1", "v2")),
        user_id=f"u{rng.randrange(max(50, number))}",
        segment=rng.choice(SEGMENTS),
        feedback={"thumb": 1} if rng.random() < 0.2 else {},
        latency_s=round(latency, 3),
        input_tokens=input_tokens,
        output_tokens=int(60 * math.exp(rng.gauss(0, 0.3))),
        cost_usd=round(input_tokens * 4e-7, 8),
        finish_reason="stop",
        format="plain",
        source_file="production.jsonl",
        record=number + 1,
        metadata={},
    )


@dataclass(frozen=True, slots=True)
class Regression:
    """From `day` (ISO 8601) on, users are dissatisfied with a share of what calls a tool under a prompt version."""

    day: str
    tool: str
    prompt_version: str
    share: float

    def concerns(self, conversation: Conversation) -> bool:
        """Whether a conversation is of that kind."""
        return (
            (conversation.started_at or "")[:10] >= self.day
            and conversation.prompt_version == self.prompt_version
            and any(call.name == self.tool for call in calls_of(conversation.messages))
        )


def with_failures(
    conversations: Iterable[Conversation], seed: int, share: float, regression: Regression | None = None
) -> Iterator[Conversation]:
    """The conversations, with a share of which users are dissatisfied, and the regression's share where it applies."""
    rng = random.Random(seed)
    for conversation in conversations:
        chance = regression.share if regression is not None and regression.concerns(conversation) else share
        yield replace(conversation, feedback={"thumb": -1}) if rng.random() < chance else conversation


def up_to(conversations: Iterator[Conversation], text_bytes: int) -> Iterator[Conversation]:
    """The first conversations, until their messages hold so much text."""
    size = 0
    for conversation in conversations:
        size += sum(len((message.content or "").encode()) for message in conversation.messages)
        yield conversation
        if size >= text_bytes:
            return


def bytes_of(size: str) -> int:
    """As in 300MB or 1GB, in powers of ten."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if size.upper().endswith(unit):
            return int(float(size[: -len(unit)]) * factor)
    return int(size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--text", type=bytes_of, default=bytes_of("100MB"), help="how much text of messages")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from", dest="logs", action="append", help="public conversations to vary; repeatable")
    parser.add_argument("--conversations", type=int, help="how many conversations, instead of how much text")
    parser.add_argument("--failing", type=float, default=0.0, help="share with which users are dissatisfied")
    parser.add_argument("--regression", nargs=4, metavar=("DAY", "TOOL", "VERSION", "SHARE"))
    arguments = parser.parse_args()
    seed = arguments.seed
    made = varied_conversations(arguments.logs, seed) if arguments.logs else shop_conversations(seed)
    regression = Regression(*arguments.regression[:3], float(arguments.regression[3])) if arguments.regression else None
    if arguments.failing or regression:
        made = with_failures(made, seed, arguments.failing, regression)
    began = time.monotonic()
    chosen = itertools.islice(made, arguments.conversations) if arguments.conversations else up_to(made, arguments.text)
    count = write_conversations(arguments.out, chosen)
    size = arguments.out.stat().st_size
    print(f"{count:,} conversations, {size / 1e6:,.0f} MB on disk")
    print(f"in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
