"""Calls that repeat the history become the conversation that they came from, however they were logged."""

import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_llmreplay.model.conversation import Message, ToolCall
from tests.traces.problems import read

SYSTEM = {"role": "system", "content": "be brief"}
TOOL = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}


def conversation_of(turns, label):
    """OpenAI messages of a conversation; every second turn calls a tool first."""
    messages = [SYSTEM]
    for turn in range(turns):
        messages.append({"role": "user", "content": f"question {turn} of {label}"})
        if turn % 2:
            arguments = json.dumps({"turn": turn})
            call = {"id": f"c{turn}", "type": "function", "function": {"name": "find", "arguments": arguments}}
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": f"c{turn}", "content": f"result {turn}"})
        messages.append({"role": "assistant", "content": f"answer {turn} of {label}"})
    return messages


def calls_of(messages, label, *, start=0.0, ids=None):
    """The requests that led to the conversation, as an application logs them."""
    answers = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    return [
        {
            "timestamp": 1_700_000_000 + start + number,
            **(ids or {}),
            "request": {"model": "m", "messages": messages[:index], "tools": [TOOL]},
            "response": {
                "id": f"{label}-{number}",
                "choices": [{"index": 0, "finish_reason": "stop", "message": messages[index]}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 1},
            },
        }
        for number, index in enumerate(answers)
    ]


def write(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def plain(messages):
    return tuple(Message.from_openai(message) for message in messages)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    turns=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    named=st.booleans(),
    order=st.randoms(use_true_random=False),
    files=st.integers(1, 3),
    repeated=st.booleans(),
    failures=st.integers(0, 2),
)
def test_in_any_order_in_any_files_with_failures_and_repetitions(
    tmp_path, turns, named, order, files, repeated, failures
):
    expected = {}
    lines = []
    for number, count in enumerate(turns):
        messages = conversation_of(count, number)
        ids = {"conversation_id": f"s{number}"} if named else {}
        calls = calls_of(messages, number, start=100 * number, ids=ids)
        lines += calls
        for _ in range(failures):
            failed = order.choice(calls)
            error = order.choice([{"error": {"type": "RateLimitError", "message": "429"}}, {}])
            lines.append({**failed, **error, "response": None, "timestamp": failed["timestamp"] - 0.5})
        expected[plain(messages)] = len(calls)
    if repeated:
        lines.append(order.choice([line for line in lines if line["response"]]))
    order.shuffle(lines)
    for path in tmp_path.glob("*.jsonl"):
        path.unlink()
    for number in range(files):
        write(tmp_path / f"{number}.jsonl", lines[number::files])
    conversations, problems = read(tmp_path)
    assert problems == []
    assert sorted(map(repr, (c.messages for c in conversations))) == sorted(map(repr, expected))
    for conversation in conversations:
        assert len(conversation.metadata["calls"]) == expected[conversation.messages]
        assert conversation.input_tokens == 10 * expected[conversation.messages]
        assert all(failure["retried"] for failure in conversation.metadata.get("failed_calls", ()))
        assert conversation.error is None
    if named:
        assert {c.conversation_id for c in conversations} == {f"s{n}" for n in range(len(turns))}


def test_a_call_that_failed_and_was_not_made_again_ends_the_conversation(tmp_path):
    calls = calls_of(conversation_of(2, "x"), "x")
    calls[-1] = {**calls[-1], "response": None, "error": "timeout"}
    (conversation,), _ = read(write(tmp_path / "log.jsonl", calls))
    assert conversation.messages == plain(conversation_of(2, "x")[:-1])
    assert conversation.error == "timeout"
    assert conversation.metadata["failed_calls"][0]["retried"] is False
    assert conversation.input_tokens == 20


def test_a_turn_that_was_run_again_has_the_ids_of_the_second_run(tmp_path):
    """The results that follow refer to them."""
    messages = conversation_of(2, "x")
    first, second = calls_of(messages, "x", ids={"session_id": "s"})[1:]
    again = json.loads(json.dumps(second).replace('"c1"', '"other"'))
    again["timestamp"] = second["timestamp"] + 1
    (conversation,), _ = read(write(tmp_path / "log.jsonl", [first, again]))
    assert conversation.messages == plain(json.loads(json.dumps(messages).replace('"c1"', '"other"')))


def test_what_the_log_holds_of_an_answer_as_empty_may_stand_in_the_history(tmp_path):
    messages = conversation_of(3, "x")
    calls = calls_of(messages, "x", ids={"session_id": "s"})
    calls[0]["response"]["choices"][0]["message"] = {"role": "assistant", "content": ""}
    (conversation,), _ = read(write(tmp_path / "log.jsonl", calls))
    assert conversation.messages == plain(messages)
    assert "branches" not in conversation.metadata


def test_an_answer_given_anew_replaces_the_first_one(tmp_path):
    messages = conversation_of(1, "x")
    first = calls_of([*messages[:-1], {"role": "assistant", "content": "first try"}], "a", ids={"session_id": "s"})
    second = calls_of(messages, "b", start=5, ids={"session_id": "s"})
    (conversation,), _ = read(write(tmp_path / "log.jsonl", [*first, *second]))
    assert conversation.messages == plain(messages)
    assert conversation.metadata["branches"] == 1


def test_a_session_whose_history_slides(tmp_path):
    """The application sends the instructions and the last messages only."""
    messages = conversation_of(4, "x")
    calls = calls_of(messages, "x", ids={"session_id": "s"})
    for call in calls:
        call["request"]["messages"] = [SYSTEM, *call["request"]["messages"][1:][-4:]]
    (conversation,), _ = read(write(tmp_path / "log.jsonl", calls))
    assert conversation.messages == plain(messages)


def test_a_session_that_sends_no_history(tmp_path):
    messages = [m for m in conversation_of(5, "x") if m["role"] in ("system", "user")]
    answered = [[SYSTEM, user, {"role": "assistant", "content": f"ok {n}"}] for n, user in enumerate(messages[1:])]
    calls = [calls_of(turn, n, start=n, ids={"session_id": "s"})[0] for n, turn in enumerate(answered)]
    (conversation,), _ = read(write(tmp_path / "log.jsonl", calls))
    assert conversation.messages == plain([SYSTEM, *(m for turn in answered for m in turn[1:])])


def test_calls_on_the_side_are_steps_of_the_conversation(tmp_path):
    """A router with other instructions runs before each answer of the same session."""
    messages = conversation_of(3, "x")
    calls = calls_of(messages, "x", ids={"session_id": "s"})
    router = [
        {"role": "system", "content": "which department?"},
        {"role": "user", "content": "question 0 of x"},
        {"role": "assistant", "content": "sales"},
    ]
    side = calls_of(router, "router", start=-0.5, ids={"session_id": "s"})
    (conversation,), _ = read(write(tmp_path / "log.jsonl", [*side, *calls]))
    assert conversation.messages == plain(messages)
    assert [(s.turn, s.kind, s.input, s.output) for s in conversation.steps] == [
        (1, "other", "question 0 of x", "sales")
    ]


def test_text_beside_calls_and_refusals_survive_an_application_that_drops_them(tmp_path):
    call = {"id": "c", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    told = [
        SYSTEM,
        {"role": "user", "content": "u1"},
        {"role": "assistant", "content": "let me look", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "r"},
        {"role": "assistant", "content": None, "refusal": "no"},
        {"role": "user", "content": "u2"},
        {"role": "assistant", "content": "bye"},
    ]
    sent = [dict(m) for m in told]
    sent[2]["content"] = None
    sent[4] = {"role": "assistant", "content": None}
    calls = calls_of(told, "x", ids={"session_id": "s"})
    for line in calls:
        line["request"]["messages"] = sent[: len(line["request"]["messages"])]
    (conversation,), _ = read(write(tmp_path / "log.jsonl", calls))
    assert conversation.messages == plain(told)
    assert "branches" not in conversation.metadata


def test_two_customers_who_say_the_same_are_two_conversations(tmp_path):
    messages = conversation_of(2, "x")
    lines = [
        *calls_of(messages, "a", ids={"user_id": "ann"}),
        *calls_of(messages, "b", start=0.25, ids={"user_id": "bob"}),
    ]
    conversations, _ = read(write(tmp_path / "log.jsonl", lines))
    assert sorted(c.user_id for c in conversations) == ["ann", "bob"]
    assert [c.messages for c in conversations] == [plain(messages)] * 2


def otlp(*spans):
    """One export batch; a span is (id, parent, start, attributes)."""
    return {
        "resourceSpans": [
            {
                "scopeSpans": [
                    {
                        "scope": {"name": "app"},
                        "spans": [
                            {
                                "traceId": f"{trace:032x}",
                                "spanId": f"{span:016x}",
                                "parentSpanId": f"{parent:016x}" if parent else "",
                                "name": "span",
                                "startTimeUnixNano": str(1_700_000_000_000_000_000 + start),
                                "endTimeUnixNano": str(1_700_000_000_000_000_500 + start),
                                "attributes": [
                                    {"key": key, "value": {"stringValue": value}} for key, value in attributes.items()
                                ],
                            }
                            for trace, span, parent, start, attributes in spans
                        ],
                    }
                ]
            }
        ]
    }


def llm(user, answer, before=()):
    def part(role, text):
        return {"role": role, "parts": [{"type": "text", "content": text}]}

    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": json.dumps([*(part(*item) for item in before), part("user", user)]),
        "gen_ai.output.messages": json.dumps([part("assistant", answer)]),
    }


def test_ids_are_inherited_from_parents_that_come_later(tmp_path):
    first = otlp((1, 2, 1, 10, llm("a", "b")), (1, 3, 2, 20, llm("c", "d", [("user", "a"), ("assistant", "b")])))
    later = otlp((1, 1, 0, 0, {"session.id": "s", "user.id": "u", "deployment": "blue"}))
    (conversation,), problems = read(write(tmp_path / "log.jsonl", [first, later]))
    assert problems == []
    assert (conversation.conversation_id, conversation.user_id) == ("s", "u")
    assert conversation.metadata["deployment"] == "blue"
    assert [m.content for m in conversation.messages] == ["a", "b", "c", "d"]


def test_parents_in_a_circle_and_unknown_parents_do_no_harm(tmp_path):
    batch = otlp((1, 1, 2, 0, {"x": "1"}), (1, 2, 1, 10, llm("a", "b")), (2, 9, 77, 20, llm("e", "f")))
    conversations, _ = read(write(tmp_path / "log.jsonl", [batch]))
    assert [[m.content for m in c.messages] for c in conversations] == [["a", "b"], ["e", "f"]]


def test_independent_calls_of_one_trace_are_conversations_of_their_own(tmp_path):
    batch = otlp((1, 1, 0, 0, {}), *((1, n, 1, n, llm(f"u{n}", f"a{n}")) for n in range(2, 6)))
    conversations, _ = read(write(tmp_path / "log.jsonl", [batch]))
    assert [m.content for c in conversations for m in c.messages] == [f"{x}{n}" for n in range(2, 6) for x in "ua"]
    assert len({c.conversation_id for c in conversations}) == 4


def test_a_tool_that_breaks_the_conversation_off(tmp_path):
    calling = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "a"}]}]),
        "gen_ai.output.messages": json.dumps(
            [{"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "find", "arguments": {"q": 1}}]}]
        ),
    }
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find", "gen_ai.tool.call.id": "c1"}
    batch = otlp((1, 1, 0, 0, calling), (1, 2, 0, 10, {**tool, "error.type": "TimeoutError"}))
    (conversation,), _ = read(write(tmp_path / "broken.jsonl", [batch]))
    assert conversation.error == "TimeoutError"
    assert conversation.messages[-1].tool_calls == (ToolCall("c1", "find", '{"q": 1}'),)
    assert [(s.kind, s.status) for s in conversation.steps] == [("other", "error")]
    batch = otlp((1, 1, 0, 0, calling), (1, 2, 0, 10, {**tool, "gen_ai.tool.call.result": "found"}))
    (conversation,), _ = read(write(tmp_path / "answered.jsonl", [batch]))
    assert conversation.messages[-1] == Message("tool", "found", tool_call_id="c1")


@pytest.mark.parametrize("seed", range(3))
def test_many_conversations_at_once(tmp_path, seed):
    rng = random.Random(seed)
    lines = []
    for number in range(60):
        ids = rng.choice([{}, {"conversation_id": f"s{number}"}])
        lines += calls_of(conversation_of(rng.randint(1, 4), number), number, start=rng.random() * 50, ids=ids)
    rng.shuffle(lines)
    conversations, _ = read(write(tmp_path / "log.jsonl", lines))
    assert len(conversations) == 60
    assert len({c.conversation_id for c in conversations}) == 60
