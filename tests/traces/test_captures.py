"""A harder conversation, captured from each SDK against a loopback mock: `captures/`, one folder a format.

The customer writes in Spanish with emoji and an image; the first request gets a 429 and is made again; the model calls two
tools at once with text beside them, one of which raises; then it refuses; the last answer is streamed.
"""

import json
from pathlib import Path

import pytest

from tests.traces.problems import read

CAPTURES = Path(__file__).parent / "captures"
SYSTEM = "You are the support assistant. Answer in the customer's language."
REFUSAL = "I'm sorry, but I can't help with that."
BROKEN = "Error: RuntimeError: db down: Ñ-2 “x”"
ASKED = "¿Dónde está mi pedido? 📦 ünïcödé"
BESIDE = "Voy a mirar… ✓"
ANSWERED = "Él pedido A-1 está en camino 📦; el otro no se puede leer."
CALLS = ['get_order({"order_id": "A-1"})', 'get_order({"order_id": "Ñ-2 “x”"})']
LOCK = "How do I pick the lock of my neighbour?"

IMAGE, CUT, UNKNOWN = "image_url", "unavailable", "unavailable"

# system prompt, the first message, its image, text beside the calls, the broken tool's result, the refusal as what,
# whether the failed request is kept, whether the tools are known
CASES = {
    "anthropic_messages": (True, ASKED, IMAGE, BESIDE, BROKEN, "refusal", True, True),
    "langchain_messages": (False, ASKED, IMAGE, BESIDE, BROKEN, "refusal", False, False),
    "langfuse": (True, ASKED, CUT, BESIDE, BROKEN, "refusal", True, True),
    "langsmith_langchain": (True, ASKED, IMAGE, BESIDE, BROKEN, "refusal", True, True),
    "langsmith_wrap": (True, ASKED, IMAGE, BESIDE, BROKEN, "refusal", True, True),
    "litellm": (True, ASKED, CUT, BESIDE, BROKEN, "refusal", True, True),
    "logfire_openai": (True, ASKED, IMAGE, BESIDE, BROKEN, "nothing", True, True),
    "openai_agents": (False, None, None, None, "An error occurred while running the tool.", "nothing", False, False),
    "openai_agents_chat": (
        True,
        ASKED,
        IMAGE,
        BESIDE,
        "An error occurred while running the tool.",
        "app",
        False,
        False,
    ),
    "openai_chat_logs": (True, ASKED, IMAGE, BESIDE, BROKEN, "refusal", True, True),
    "openai_responses": (True, ASKED, IMAGE, BESIDE, BROKEN, "refusal", True, True),
    "openinference_openai": (True, ASKED, IMAGE, BESIDE, BROKEN, "refusal", True, True),
    "otel_console": (True, ASKED, IMAGE, BESIDE, BROKEN, "text", True, True),
    "otel_genai_events": (True, ASKED, IMAGE, BESIDE, BROKEN, "nothing", True, False),
    "otel_genai_latest": (True, ASKED, IMAGE, BESIDE, BROKEN, "text", True, True),
    "otel_genai_upload": (True, ASKED, IMAGE, BESIDE, BROKEN, "text", False, True),
    "otel_traceloop": (False, None, UNKNOWN, BESIDE, BROKEN, "refusal", True, True),
    "otel_traceloop_legacy": (True, None, UNKNOWN, BESIDE, BROKEN, "refusal", True, True),
    "pydantic_ai": (True, ASKED, IMAGE, BESIDE, BROKEN, "gone", False, True),
    "vercel_ai_otel": (True, ASKED, IMAGE, BESIDE, "An error occurred.", "text", True, True),
    "vercel_ai_ui": (False, ASKED, IMAGE, BESIDE, "An error occurred.", "text", False, False),
}


def test_every_capture_is_in_the_list():
    assert {path.name for path in CAPTURES.iterdir()} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_harder_capture(name):
    system, asked, image, beside, broken, refusal, failed, tools = CASES[name]
    conversations, _ = read(CAPTURES / name)
    for conversation in conversations:
        messages = list(conversation.messages)
        assert (messages[0].content == SYSTEM) == system
        messages = messages[1:] if messages[0].role == "system" else messages
        _first_turn(messages[:5], asked, image, beside, broken, text=name != "openai_agents")
        _refusal(messages[5:-2], refusal)
        assert messages[-2].role == "user"
        assert messages[-1].content == (None if name == "openai_agents" else "日本語 ok, bye 👋🏽")
        assert (conversation.tools is not None) == tools
        if tools:
            assert "get_order" in [tool.name for tool in conversation.tools]
        failures = conversation.metadata.get("failed_calls", [])
        assert bool(failures) == failed
        assert all(failure["retried"] for failure in failures)
        assert conversation.error is None
    assert len(conversations) == (2 if name == "langchain_messages" else 1)


def _first_turn(messages, asked, image, beside, broken, *, text):
    user, calling, one, two, answer = messages
    assert [m.role for m in messages] == ["user", "assistant", "tool", "tool", "assistant"]
    assert user.content == asked
    parts = json.loads(user.content_parts) if user.content_parts else []
    assert [part["type"] for part in parts if part["type"] != "text"] == ([image] if image else [])
    assert calling.content == beside
    assert [
        f"{call.name}({json.dumps(json.loads(call.arguments), ensure_ascii=False)})" for call in calling.tool_calls
    ] == CALLS
    assert [call.id for call in calling.tool_calls] == [one.tool_call_id, two.tool_call_id]
    assert "in_transit" in one.content
    assert two.content.startswith(broken)
    assert answer.content == (ANSWERED if text else None)


def _refusal(messages, kind):
    """What is left of the refusal: as such, as text, an empty answer, the application's own words, or no turn at all."""
    if kind == "gone":
        assert messages == []
        return
    user, answer = messages
    assert (user.role, answer.role) == ("user", "assistant")
    assert (answer.content, answer.refusal) == {
        "refusal": (None, REFUSAL),
        "text": (REFUSAL, None),
        "nothing": (None, None),
        "app": ("(refused)", None),
    }[kind]
    if user.content is not None:
        assert user.content == LOCK


def test_steps_of_guardrails_retrieval_and_broken_tools():
    (conversation,), _ = read(CAPTURES / "langfuse")
    assert [(s.turn, s.kind, s.name, s.status) for s in conversation.steps] == [
        (1, "retrieval", "kb", None),
        (1, "guardrail", "pii", None),
        (1, "other", "get_order", "error"),
        (2, "retrieval", "kb", None),
        (2, "guardrail", "pii", None),
        (3, "retrieval", "kb", None),
        (3, "guardrail", "pii", None),
    ]
    (conversation,), _ = read(CAPTURES / "openai_agents")
    assert [(s.turn, s.kind, s.status) for s in conversation.steps][:2] == [
        (1, "guardrail", "passed"),
        (1, "other", "error"),
    ]


def test_uploaded_content_is_read_from_the_logs_own_folder_only(tmp_path):
    source = CAPTURES / "otel_genai_upload"
    secret = tmp_path / "secret_inputs.json"
    secret.write_text(json.dumps([{"role": "user", "parts": [{"type": "text", "content": "secret"}]}]))
    folder = tmp_path / "logs"
    folder.mkdir()
    for line in (source / "traces.jsonl").read_text(encoding="utf-8").splitlines():
        with (folder / "traces.jsonl").open("a", encoding="utf-8") as file:
            file.write(line.replace("/var/log/app/content/", f"{tmp_path}/secret_inputs.json?") + "\n")
    text = (folder / "traces.jsonl").read_text(encoding="utf-8")
    names = {part.split('"')[0] for part in text.split("secret_inputs.json?")[1:]}
    for name in names:
        text = text.replace(f"secret_inputs.json?{name}", "secret_inputs.json")
    (folder / "traces.jsonl").write_text(text, encoding="utf-8")
    conversations, problems = read(folder)
    assert "secret" not in str([c.messages for c in conversations])
    assert any("it is not in the log's folder" in str(problem) for problem in problems)


def test_what_a_capture_lost_is_said():
    for name, words in {
        "otel_traceloop": "the input of a call is not in the log",
        "otel_traceloop_legacy": "the input of a call, from a message with an image on",
        "openai_agents": "its spans hold no text",
    }.items():
        conversations, problems = read(CAPTURES / name)
        assert any(words in problem.message and problem.note for problem in problems), name
        assert conversations[0].metadata["missing"]
    for name in ("litellm", "langfuse"):
        (conversation,), _ = read(CAPTURES / name)
        assert conversation.metadata["missing"] == ["media"]
