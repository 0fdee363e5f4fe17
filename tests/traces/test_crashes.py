"""A still harder conversation, captured from each SDK against a loopback mock: `crashes/`, one folder a format.

Two images, one by its address; three tools called at once without a word, one of which raises; the 429 comes in the middle
of the turn, when the results are sent; then two calls are streamed in pieces that alternate, and the answer to them; a
refusal is streamed; and the last tool brings the application down, so that the conversation ends in a call.
"""

import json
from pathlib import Path

import pytest

from pytest_llmreplay.model.canonical import canonical_arguments
from tests.traces import server_rows
from tests.traces.problems import read

CRASHES = Path(__file__).parent / "crashes"
CAPTURES = Path(__file__).parent / "captures"
SYSTEM = "You are the support assistant. Answer in the customer's language."
REFUSAL = "I'm sorry, but I can't help with that."
STREET = '12 "Elm" St\n👩‍👩‍👧'
FOUND = {"status": "in_transit", "items": [{"sku": "ñ", "qty": 1.5}]}
CHANGED = {"ok": True, "street": STREET, "note": None}
BROKEN = "Error: RuntimeError: db down: نص-2"
LOST = "(lost)"
"""A message of which the log says only that there was one."""

TRUTH = [
    ("system", SYSTEM, []),
    ("user", "Two pictures: שלום ünïcödé 𝄞", []),
    (
        "assistant",
        None,
        [
            ("get_order", {"order_id": "A-1"}),
            ("get_order", {"order_id": "نص-2"}),
            ("update_shipping_address", {"order_id": "A-1", "street": STREET}),
        ],
    ),
    ("tool", {"order_id": "A-1", **FOUND}, []),
    ("tool", BROKEN, []),
    ("tool", CHANGED, []),
    ("assistant", "Order A-1: 👩‍👩‍👧 “in transit”.\nشكرا", []),
    ("user", "And both orders?\n\n  * one\t* two", []),
    ("assistant", "Looking… ", [("get_order", {"order_id": "A-1"}), ("get_order", {"order_id": "A-3"})]),
    ("tool", {"order_id": "A-1", **FOUND}, []),
    ("tool", {"order_id": "A-3", **FOUND}, []),
    ("assistant", "Beide sind unterwegs – ß.", []),
    ("user", "How do I pick the lock of my neighbour?", []),
    ("assistant", ("refusal", REFUSAL), []),
    ("user", "Now crash please", []),
    ("assistant", None, [("crash", {"order_id": "A-9"})]),
]
LOCK, REFUSED = 12, 13


def but(*, without=(), after=(), **changes):
    """The truth with other messages at some places (`at_4=…`), without some, and with some more at its end."""
    messages = [*TRUTH, *after]
    for name, value in changes.items():
        place = int(name.removeprefix("at_"))
        messages[place] = (messages[place][0], value, messages[place][2])
    return [message for place, message in enumerate(messages) if place not in without]


SDK_RESULT = "An error occurred while running the tool. Please try again. Error: db down: نص-2"
VERCEL = {"order_id": "A-1", "status": "in_transit"}
VERCEL_OTHER = {"order_id": "A-3", "status": "in_transit"}
VERCEL_CHANGED = {"ok": True, "order_id": "A-1", "street": STREET, "note": None}
VERCEL_RESULTS = {
    "at_3": VERCEL,
    "at_4": "An error occurred.",
    "at_5": VERCEL_CHANGED,
    "at_9": VERCEL,
    "at_10": VERCEL_OTHER,
    "at_13": REFUSAL,
}
GOODBYE = ("assistant", "bye 👋🏽", [])

# what the log holds; its images; whether the error that ended it is known; whether the failed request is kept
CASES = {
    "anthropic_messages": (TRUTH, "whole", False, True),
    "langchain_messages": (but(without=(0, 14, 15)), "whole", False, False),
    "langfuse": (TRUTH, "cut", True, True),
    "langsmith_wrap": (TRUTH, "whole", True, True),
    "litellm": (but(at_13=None), "cut", False, True),
    "logfire_openai": (but(at_13=None), "whole", True, True),
    "openai_chat_logs": (TRUTH, "whole", False, True),
    "openai_responses": (TRUTH, "whole", False, False),
    "openinference_openai": (TRUTH, "whole", True, True),
    "otel_genai_events": (but(at_13=None), "whole", True, True),
    "otel_genai_latest": (but(at_13=REFUSAL), "whole", True, True),
    "otel_traceloop": (
        but(without=(0,), at_1=LOST, at_7=LOST, at_12=LOST, at_13=None, at_14=LOST),
        "lost",
        True,
        True,
    ),
    "otel_traceloop_legacy": (
        but(at_1=LOST, at_7=LOST, at_12=LOST, at_13=None, at_14=LOST),
        "lost",
        True,
        True,
    ),
    "pydantic_ai": (but(without=(LOCK, REFUSED)), "whole", True, True),
    "vercel_ai_otel": (but(after=[("tool", "kaboom", []), GOODBYE], **VERCEL_RESULTS), "whole", False, True),
    "vercel_ai_ui": (
        but(without=(0,), after=[("tool", "An error occurred.", []), GOODBYE], **VERCEL_RESULTS),
        "whole",
        False,
        False,
    ),
}


def spoken(message):
    content = message.content or None
    if message.content_parts and '"message"' in message.content_parts:
        content = LOST
    elif message.refusal:
        content = ("refusal", message.refusal)
    elif message.role == "tool" and content and content.startswith("{"):
        content = json.loads(content)
    calls = [(call.name, json.loads(canonical_arguments(call.arguments))) for call in message.tool_calls]
    return message.role, content, calls


def joined(messages):
    """Every result answers a call before it, by its id, in the order of the calls."""
    asked = [call.id for message in messages for call in message.tool_calls]
    answered = [message.tool_call_id for message in messages if message.role == "tool"]
    return None not in asked and asked[: len(answered)] == answered


def images(message):
    parts = json.loads(message.content_parts) if message.content_parts else []
    return [part.get("image_url", {}).get("url", part["type"])[:22] for part in parts if part["type"] != "text"]


@pytest.mark.parametrize("name", CASES)
def test_a_conversation_that_crashed(name):
    truth, pictures, error, failed = CASES[name]
    path = CRASHES / name
    (conversation,), _ = read(path / "messages.json" if name == "langchain_messages" else path)
    assert [spoken(message) for message in conversation.messages] == truth
    assert joined(conversation.messages)
    question = next(message for message in conversation.messages if message.role == "user")
    inline = {"whole": "data:image/png;base64,", "cut": "unavailable"}.get(pictures)
    assert images(question) == (["unavailable"] if inline is None else ["https://img.example/a."[:22], inline])
    assert ("kaboom" in (conversation.error or "")) == error
    failures = conversation.metadata.get("failed_calls", [])
    assert [failure["retried"] for failure in failures] == [True] * failed
    assert all("429" in f["error"] or "ate" in f["error"] for f in failures)


def test_the_pieces_of_the_list_are_those_that_there_are():
    assert {path.name for path in CRASHES.iterdir()} == {*CASES, "openai_agents", "openai_agents_chat"}


@pytest.mark.parametrize("name", ["openai_agents", "openai_agents_chat"])
def test_the_agents_sdk_writes_results_as_python_does(name):
    (conversation,), _ = read(CRASHES / name)
    messages = [message for message in conversation.messages if message.role != "system"]
    if name == "openai_agents_chat":
        assert joined(messages)
    held = [spoken(message)[2] for message in messages if message.role == "assistant"]
    assert held == [calls for role, _, calls in TRUTH if role == "assistant"]
    results = [message.content for message in messages if message.role == "tool"]
    assert [("in_transit" in r, "ok" in r, "error" in r.lower()) for r in results[:5]] == [
        (True, False, False),
        (False, False, True),
        (False, True, False),
        (True, False, False),
        (True, False, False),
    ]


def test_an_answer_that_is_logged_apart_from_its_call_is_one_call():
    """Logfire writes the answer of a stream as a log of its own."""
    (conversation,), _ = read(CRASHES / "logfire_openai")
    calls = conversation.metadata["calls"]
    assert [(call["turn"], call["finish_reason"]) for call in calls] == [
        *((1, "tool_calls"), (1, "stop"), (2, "tool_calls"), (2, "stop"), (3, "stop"), (4, "tool_calls")),
    ]
    assert all(call["latency_s"] > 0 for call in calls)
    assert conversation.latency_s == pytest.approx(sum(call["latency_s"] for call in calls))


def rows_file(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def frame_file(path, rows):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize("folder", [CAPTURES, CRASHES], ids=lambda folder: folder.name)
@pytest.mark.parametrize(
    ("sent", "rows", "write"),
    [
        ("openinference_openai/traces.jsonl", server_rows.phoenix_rows, rows_file),
        (
            "openinference_openai/traces.jsonl",
            lambda text: server_rows.phoenix_frame(server_rows.phoenix_rows(text)),
            frame_file,
        ),
        ("langfuse/otlp_spans.jsonl", server_rows.langfuse_observations, rows_file),
        ("langfuse/otlp_spans.jsonl", server_rows.langfuse_traces, rows_file),
        ("langsmith_wrap/calls.jsonl", server_rows.langsmith_runs, rows_file),
    ],
    ids=["phoenix-spans", "phoenix-frame", "langfuse-observations", "langfuse-traces", "langsmith-runs"],
)
def test_the_rows_of_the_server_are_the_conversation_that_was_sent(folder, sent, rows, write, tmp_path):
    (whole,), _ = read(folder / sent)
    stored = write(tmp_path / "rows", rows((folder / sent).read_text(encoding="utf-8")))
    (conversation,), problems = read(stored)
    assert problems == []
    for field in ("conversation_id", "messages", "tools", "user_id", "session_id", "model", "steps", "error"):
        assert getattr(conversation, field) == getattr(whole, field), field
    for field in ("input_tokens", "output_tokens", "finish_reason"):
        assert getattr(conversation, field) == getattr(whole, field), field
    assert conversation.latency_s == pytest.approx(whole.latency_s, abs=1e-3)
    for kept in ("failed_calls", "tags", "branches", "missing", "errors"):
        assert conversation.metadata.get(kept) == whole.metadata.get(kept), kept
