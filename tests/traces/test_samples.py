"""Every captured sample becomes the same canonical conversation, up to what its format lacks, which is listed here."""

import json

import pytest

from pytest_llmreplay.model.canonical import canonical_arguments
from tests.shared_data import shared
from tests.traces.problems import read

SYSTEM = (
    "You are the support assistant of Northwind Outfitters. Be brief. Use the tools. "
    "Never promise anything the tools did not return."
)
ADDRESS = {"order_id": "A-1042", "street": "12 Elm Street", "city": "Springfield", "postcode": "62704"}
ITEMS = [{"sku": "TENT-2P", "qty": 1, "price": 189.0}]
FOUND = {"order_id": "A-1042", "status": "in_transit", "carrier": "UPS", "eta": "2026-03-13", "items": ITEMS}
LOCKED = {"ok": False, "error": "ADDRESS_LOCKED", "message": "The parcel has already left the warehouse."}
SPOKEN = [
    ("system", SYSTEM, []),
    ("user", "Hi, where is my order A-1042? It should have arrived on Monday.", []),
    ("assistant", None, [("get_order", {"order_id": "A-1042"})]),
    ("tool", FOUND, []),
    ("assistant", "Order A-1042 is in transit with UPS and is due on 13 March 2026.", []),
    ("user", "Please send it to 12 Elm Street, Springfield 62704 instead.", []),
    ("assistant", None, [("update_shipping_address", ADDRESS)]),
    ("tool", LOCKED, []),
    ("assistant", "Done! I have changed the delivery address of A-1042 to 12 Elm Street, Springfield 62704.", []),
]
WITHOUT_SYSTEM = SPOKEN[1:]
WITHOUT_TEXT = [(role, content if role == "tool" else None, calls) for role, content, calls in WITHOUT_SYSTEM]
CHAT_ONLY = [SPOKEN[1], SPOKEN[4], SPOKEN[5], SPOKEN[8]]
NO_CALLS = [("user", None, []), ("assistant", None, []), ("assistant", None, [])] * 2
TEXT = {"type": "string"}
TOOLS = {
    "get_order": ["order_id"],
    "update_shipping_address": ["order_id", "street", "city", "postcode"],
}

FIELDS = (
    *("id", "tools", "user_id", "model", "started_at", "ended_at", "latency_s", "input_tokens", "output_tokens"),
    *("cost_usd", "finish_reason", "feedback"),
)
LOG = ("cost_usd", "feedback")
"""What an application's own log of calls does not say."""
ROWS = ("user_id", "started_at", "ended_at", "latency_s", "input_tokens", "output_tokens", "finish_reason", *LOG)
WHOLE = ("id", "user_id", "started_at", "ended_at", "latency_s", "input_tokens", "output_tokens", "finish_reason", *LOG)

SAMPLES = {
    "anthropic_messages": ("anthropic_messages", SPOKEN, LOG),
    "anthropic_messages/calls.jsonl": ("anthropic_messages", SPOKEN, LOG),
    "anthropic_messages/messages.json": ("anthropic_messages", SPOKEN, WHOLE),
    "conversation_parquet/messages.parquet": ("plain", SPOKEN, ("model", *ROWS)),
    "conversation_parquet/lmsys_style.parquet": ("conversation_parquet", CHAT_ONLY, ("id", "tools", *ROWS)),
    "conversation_parquet/wildchat_style.parquet": (
        "conversation_parquet",
        CHAT_ONLY,
        ("id", "tools", *(f for f in ROWS if f not in ("user_id", "started_at"))),
    ),
    "langfuse": ("langfuse", SPOKEN, ("cost_usd", "finish_reason")),
    "langfuse/traces.jsonl": ("langfuse", SPOKEN, ("cost_usd", "finish_reason")),
    "langfuse/observations.jsonl": ("langfuse", SPOKEN, ("cost_usd", "finish_reason", "feedback")),
    "langfuse/otlp_spans.jsonl": ("langfuse", SPOKEN, ("cost_usd", "finish_reason", "feedback")),
    "langsmith_langchain": ("langsmith", SPOKEN, ("cost_usd",)),
    "langsmith_langchain/runs.jsonl": ("langsmith", SPOKEN, ("cost_usd",)),
    "langsmith_langchain/posted_batches.jsonl": ("langsmith", SPOKEN, ("cost_usd",)),
    "langsmith_wrap": ("langsmith", SPOKEN, ("cost_usd",)),
    "langsmith_wrap/runs.jsonl": ("langsmith", SPOKEN, ("cost_usd",)),
    "langsmith_wrap/posted_batches.jsonl": ("langsmith", SPOKEN, ("cost_usd",)),
    "litellm": ("litellm", SPOKEN, ("feedback",)),
    "openai_agents": ("openai_agents", WITHOUT_TEXT, ("tools", "model", "finish_reason", *LOG)),
    "openai_chat_logs": ("openai_chat_logs", SPOKEN, LOG),
    "openai_responses": ("openai_responses", SPOKEN, LOG),
    "openai_responses/calls.jsonl": ("openai_responses", SPOKEN, LOG),
    "openai_responses/items.json": ("openai_responses", WITHOUT_SYSTEM, ("tools", "model", *WHOLE)),
    "openinference_openai": ("openinference", SPOKEN, LOG),
    "otel_genai_events": ("otel_genai_events", SPOKEN, ("tools", *LOG)),
    "otel_genai_events/traces.jsonl": ("otel_genai_events", NO_CALLS, ("tools", *LOG)),
    "otel_genai_events/logs.jsonl": (
        "otel_genai_events",
        SPOKEN,
        ("id", "tools", "model", *(f for f in ROWS if f != "finish_reason")),
    ),
    "otel_genai_latest": ("otel_genai_latest", SPOKEN, LOG),
    "otel_genai_latest/traces.jsonl": ("otel_genai_latest", SPOKEN, LOG),
    "otel_genai_latest/logs.jsonl": ("otel_genai_latest", SPOKEN, ("id", "user_id", "started_at", "latency_s", *LOG)),
    "otel_traceloop": ("otel_traceloop", SPOKEN, LOG),
    "otel_traceloop_legacy": ("otel_traceloop_legacy", SPOKEN, LOG),
    "phoenix": ("phoenix", SPOKEN, ("cost_usd",)),
    "phoenix/spans.jsonl": ("phoenix", SPOKEN, LOG),
    "phoenix/spans.parquet": ("phoenix", SPOKEN, LOG),
    "pydantic_ai": ("pydantic_ai", SPOKEN, ("feedback",)),
    "pydantic_ai/traces.jsonl": ("pydantic_ai", SPOKEN, ("feedback",)),
    "pydantic_ai/all_messages.json": ("pydantic_ai", SPOKEN, ("tools", "user_id", "latency_s", "feedback")),
    "vercel_ai_ui": (
        "vercel_ai_ui",
        WITHOUT_SYSTEM,
        ("tools", "latency_s", "input_tokens", "output_tokens", *LOG),
    ),
}
"""Each sample with the format that reads it, what of the conversation it holds, and the fields that it lacks."""

SAID = {
    "openai_agents": "its spans hold no text",
    "otel_genai_events/traces.jsonl": "its spans hold no text",
}
"""What is reported beside the conversation."""


def spoken(conversation):
    return [
        (
            message.role,
            json.loads(message.content) if message.role == "tool" else message.content,
            [(call.name, json.loads(canonical_arguments(call.arguments))) for call in message.tool_calls],
        )
        for message in conversation.messages
    ]


def present(conversation):
    """The fields that the conversation holds; those whose value is known are checked too."""
    values = {name: getattr(conversation, name) for name in FIELDS if name != "id"}
    values["id"] = conversation.conversation_id if conversation.conversation_id == "sess-7d1f0c52" else None
    held = {name for name, value in values.items() if value is not None and value != {}}
    if "tools" in held:
        schemas = {tool.name: json.loads(tool.parameters) for tool in values["tools"]}
        assert {name: schema["required"] for name, schema in schemas.items()} == TOOLS
        assert all(schema["properties"] == dict.fromkeys(schema["required"], TEXT) for schema in schemas.values())
        assert [tool.description for tool in values["tools"]] == [
            "Look up one order by its number.",
            "Change where an order is delivered.",
        ]
    if "feedback" in held:
        assert conversation.feedback == {"user_thumb": 0}
        (score,) = conversation.metadata["scores"]
        assert (score["comment"], score["turn"]) == ("It was not changed.", 2)
    if "finish_reason" in held:
        assert conversation.finish_reason == "stop"
    if "user_id" in held and conversation.format != "conversation_parquet":
        assert conversation.user_id == "user-31877"
    return held


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_the_same_conversation_up_to_what_it_lacks(name):
    format_name, expected, lacking = SAMPLES[name]
    conversations, problems = read(shared("samples", *name.split("/")))
    assert len(conversations) == 1
    (conversation,) = conversations
    assert conversation.format == format_name
    assert spoken(conversation) == expected
    assert set(FIELDS) - present(conversation) == set(lacking)
    assert conversation.error is None
    calls = [call for message in conversation.messages for call in message.tool_calls]
    results = [message.tool_call_id for message in conversation.messages if message.role == "tool"]
    if format_name != "openai_agents":
        assert [call.id for call in calls] == results
    assert [SAID[name] in str(p) for p in problems] == [True] if name in SAID else problems == []


def test_every_sample_is_in_the_list():
    folders = {path.name for path in shared("samples").iterdir() if path.is_dir()}
    assert folders == {name.split("/")[0] for name in SAMPLES}


@pytest.mark.parametrize("name", [name for name in SAMPLES if "/" not in name])
def test_a_folder_counts_every_span_once(name):
    """However many of its files hold the same spans, tokens and calls are those of one of them."""
    folder = shared("samples", name)
    (conversation,), _ = read(folder)
    singles = [read(path)[0] for path in sorted(folder.iterdir())]
    alone = [c for found in singles for c in found if c.conversation_id == conversation.conversation_id]
    assert {c.input_tokens for c in alone if c.input_tokens} == ({conversation.input_tokens} - {None})
    assert max(len(c.metadata.get("calls", ())) for c in alone) == len(conversation.metadata.get("calls", ()))


def test_scores_alone_are_reported():
    for name in ("langfuse/posted_scores.jsonl", "phoenix/annotations.jsonl"):
        conversations, problems = read(shared("samples", *name.split("/")))
        assert conversations == []
        assert ["scores judge nothing that was read" in str(p) for p in problems] == [True]


def test_what_is_kept_beside_the_fields():
    (langfuse,), _ = read(shared("samples", "langfuse"))
    assert langfuse.metadata["tags"] == ["production", "web-chat"]
    assert (langfuse.metadata["release"], langfuse.metadata["channel"]) == ("2.3.1", "web")
    (chat,), _ = read(shared("samples", "openai_chat_logs"))
    assert chat.metadata["parameters"] == {"temperature": 0.2, "max_tokens": 300}
    assert (chat.model, chat.metadata["request_model"]) == ("gpt-4o-mini-2024-07-18", "gpt-4o-mini")
    assert [call["turn"] for call in chat.metadata["calls"]] == [1, 1, 2, 2]
    assert sum(call["input_tokens"] for call in chat.metadata["calls"]) == chat.input_tokens == 808
    (otel,), _ = read(shared("samples", "otel_genai_latest"))
    assert otel.metadata["service.version"] == "2.3.1"
    assert len(otel.metadata["trace_ids"]) == 2
    (litellm,), _ = read(shared("samples", "litellm"))
    assert litellm.metadata["request_tags"] == ["production", "web-chat"]
    assert litellm.cost_usd == pytest.approx(1.74e-05 + 3.705e-05 + 5.4e-05 + 6.54e-05)


def test_the_canonical_columns_can_be_asked():
    folder = shared("samples", "langfuse")
    for where, count in {
        "feedback->>'user_thumb' = '0.0'": 1,
        "input_tokens > 1000": 0,
        "len(list_filter(messages, lambda m: m.role = 'tool')) = 2": 1,
        "metadata->>'release' = '2.3.1' AND user_id = 'user-31877'": 1,
    }.items():
        assert len(read(folder, where=where)[0]) == count
