"""Spellings of the formats that no capture has."""

import base64
import json
from pathlib import Path

import pytest

from pytest_llmreplay.model.conversation import Message, Tool, ToolCall
from pytest_llmreplay.model.errors import UserError
from tests.traces.problems import read


def file_of(tmp_path, *records, name="log.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def one(tmp_path, *records, **options):
    conversations, problems = read(file_of(tmp_path, *records), **options)
    assert problems == []
    assert len(conversations) == 1
    return conversations[0]


@pytest.mark.parametrize(
    ("name", "formats"), [("sharegpt", ["sharegpt"] * 2), ("openai_finetune", ["plain", "openai_finetune"])]
)
def test_described_rows(name, formats):
    conversations, problems = read(Path(__file__).parent / "described" / name)
    assert problems == []
    assert sorted(conversation.format for conversation in conversations) == sorted(formats)
    whole = next(conversation for conversation in conversations if conversation.tools)
    assert whole.tools[0].name == "find"
    assert whole.messages[-1].content == "On its way."


def test_sharegpt(tmp_path):
    tools = [{"name": "find", "description": "d", "parameters": {"type": "object"}}]
    row = {
        "id": "x1",
        "system": "be brief",
        "tools": json.dumps(tools),
        "conversations": [
            {"from": "human", "value": "hi"},
            {"from": "function_call", "value": json.dumps({"name": "find", "arguments": {"q": 1}})},
            {"from": "observation", "value": "found"},
            {"from": "gpt", "value": "there"},
            {"from": "human", "value": "two"},
            {
                "from": "function_call",
                "value": json.dumps([{"name": "a", "arguments": "{"}, {"name": "b", "arguments": {}}]),
            },
            {"from": "observation", "value": "ra"},
            {"from": "observation", "value": "rb"},
        ],
        "source": "s",
    }
    conversation = one(tmp_path, row)
    assert (conversation.format, conversation.conversation_id) == ("sharegpt", "x1")
    assert conversation.tools == (Tool("find", "d", '{"type": "object"}'),)
    assert conversation.messages == (
        Message("system", "be brief"),
        Message("user", "hi"),
        Message("assistant", tool_calls=(ToolCall("call_1", "find", '{"q": 1}'),)),
        Message("tool", "found", tool_call_id="call_1"),
        Message("assistant", "there"),
        Message("user", "two"),
        Message("assistant", tool_calls=(ToolCall("call_2", "a", "{"), ToolCall("call_3", "b", "{}"))),
        Message("tool", "ra", tool_call_id="call_2"),
        Message("tool", "rb", tool_call_id="call_3"),
    )
    assert conversation.metadata == {"source": "s"}
    stranger = {"conversations": [{"from": "martian", "value": "x"}]}
    _, problems = read(file_of(tmp_path, row, stranger))
    assert "from 'martian', which is nobody known" in str(problems[0])


def test_fine_tuning_files(tmp_path):
    row = {
        "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho", "weight": 0}],
        "tools": [],
    }
    conversation = one(tmp_path, row, format="openai_finetune")
    assert (conversation.format, conversation.conversation_id, conversation.tools) == ("plain", "log-1", ())
    pair = {
        "input": {"messages": [{"role": "user", "content": "hi"}], "tools": []},
        "preferred_output": [{"role": "assistant", "content": "good"}],
        "non_preferred_output": [{"role": "assistant", "content": "bad"}],
    }
    conversation = one(tmp_path, pair)
    assert [m.content for m in conversation.messages] == ["hi", "good"]
    assert conversation.metadata["non_preferred_output"][0]["content"] == "bad"


def test_otlp_as_protobuf_writes_it(tmp_path):
    """Ids in base64, names in snake case, enumerations by name, a mapping of attributes."""
    span = {
        "trace_id": base64.b64encode(bytes.fromhex("0af7651916cd43dd8448eb211c80319c")).decode(),
        "span_id": base64.b64encode(bytes.fromhex("b7ad6b7169203331")).decode(),
        "name": "chat",
        "kind": "SPAN_KIND_CLIENT",
        "start_time_unix_nano": 1700000000000000000,
        "end_time_unix_nano": "1700000001500000000",
        "status": {"code": "STATUS_CODE_OK"},
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"string_value": "chat"}},
            {"key": "gen_ai.usage.input_tokens", "value": {"int_value": "7"}},
            {"key": "gen_ai.input.messages", "value": {"string_value": '[{"role": "user", "content": "hi"}]'}},
            {
                "key": "gen_ai.output.messages",
                "value": {
                    "array_value": {
                        "values": [
                            {
                                "kvlist_value": {
                                    "values": [
                                        {"key": "role", "value": {"string_value": "assistant"}},
                                        {"key": "content", "value": {"string_value": "ho"}},
                                    ]
                                }
                            }
                        ]
                    }
                },
            },
        ],
    }
    conversation = one(tmp_path, {"resource_spans": [{"instrumentationLibrarySpans": [{"spans": [span]}]}]})
    assert conversation.conversation_id == "0af7651916cd43dd8448eb211c80319c"
    assert [m.content for m in conversation.messages] == ["hi", "ho"]
    assert (conversation.latency_s, conversation.input_tokens) == (1.5, 7)


def spans(*items):
    """An export batch of spans with plain attributes."""
    return {
        "resourceSpans": [
            {
                "scopeSpans": [
                    {
                        "scope": {"name": scope},
                        "spans": [
                            {
                                "traceId": "0af7651916cd43dd8448eb211c80319c",
                                "spanId": f"b7ad6b71692033{index:02x}",
                                "name": name,
                                "startTimeUnixNano": str(1700000000000000000 + index),
                                "endTimeUnixNano": str(1700000001000000000 + index),
                                "attributes": attributes,
                                "events": events,
                            }
                        ],
                    }
                    for index, (scope, name, attributes, events) in enumerate(items, start=1)
                ]
            }
        ]
    }


def test_messages_as_events_of_the_span(tmp_path):
    events = [
        {"name": "gen_ai.system.message", "timeUnixNano": "1", "attributes": {"content": "be brief"}},
        {"name": "gen_ai.user.message", "timeUnixNano": "2", "attributes": {"content": "hi"}},
        {
            "name": "gen_ai.choice",
            "timeUnixNano": "3",
            "attributes": {"index": 0, "finish_reason": "stop", "message": '{"role": "assistant", "content": "ho"}'},
        },
    ]
    attributes = {"gen_ai.system": "openai", "gen_ai.request.model": "m"}
    conversation = one(tmp_path, spans(("x", "chat", attributes, events)))
    assert [m.content for m in conversation.messages] == ["be brief", "hi", "ho"]
    assert conversation.finish_reason == "stop"


def test_attribute_limits_are_said(tmp_path):
    attributes = {
        "llm.request.type": "chat",
        "gen_ai.prompt.3.role": "user",
        "gen_ai.prompt.3.content": "last",
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.content": "answer",
    }
    conversations, problems = read(file_of(tmp_path, spans(("x", "openai.chat", attributes, []))))
    assert [m.content for m in conversations[0].messages] == ["last", "answer"]
    assert "3 messages, cut by a limit on attributes" in str(problems[0])
    raw = {"messages": [{"role": "user", "content": str(n)} for n in range(4)]}
    attributes = {
        "openinference.span.kind": "LLM",
        "input.value": json.dumps(raw),
        "llm.input_messages.3.message.role": "user",
        "llm.input_messages.3.message.content": "3",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": "answer",
    }
    conversation = one(tmp_path, spans(("x", "ChatCompletion", attributes, [])))
    assert [m.content for m in conversation.messages] == ["0", "1", "2", "3", "answer"]


def test_openinference_retrievers_and_guardrails(tmp_path):
    retriever = {
        "openinference.span.kind": "RETRIEVER",
        "input.value": "q",
        "retrieval.documents.0.document.id": "d1",
        "retrieval.documents.0.document.content": "text",
        "retrieval.documents.1.document.id": "d2",
    }
    guard = {"openinference.span.kind": "GUARDRAIL", "input.value": "q", "output.value": "blocked"}
    call = {
        "openinference.span.kind": "LLM",
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.contents.0.message_content.type": "text",
        "llm.input_messages.0.message.contents.0.message_content.text": "q",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": "a",
        "llm.prompt_template.version": "v7",
    }
    items = (("x", "kb", retriever, []), ("x", "shield", guard, []), ("x", "ChatCompletion", call, []))
    conversation = one(tmp_path, spans(*items))
    assert [(s.kind, s.name, s.document_ids) for s in conversation.steps] == [
        ("retrieval", "kb", ("d1", "d2")),
        ("guardrail", "shield", ()),
    ]
    assert conversation.prompt_version == "v7"


def test_pydantic_ai_before_version_two(tmp_path):
    events = [
        {"event.name": "gen_ai.system.message", "role": "system", "content": "be brief"},
        {"event.name": "gen_ai.user.message", "role": "user", "content": "hi"},
        {"event.name": "gen_ai.choice", "index": 0, "message": {"role": "assistant", "content": "ho"}},
    ]
    parameters = {"function_tools": [{"name": "f", "description": "d", "parameters_json_schema": {"type": "object"}}]}
    attributes = {
        "gen_ai.operation.name": "chat",
        "events": json.dumps(events),
        "model_request_parameters": json.dumps(parameters),
    }
    conversation = one(tmp_path, spans(("pydantic-ai", "chat m", attributes, [])))
    assert [m.content for m in conversation.messages] == ["be brief", "hi", "ho"]
    assert conversation.tools == (Tool("f", "d", '{"type": "object"}'),)


def test_anthropic_thinking_documents_and_cached_tokens(tmp_path):
    record = {
        "request": {
            "model": "claude-x",
            "system": "s",
            "messages": [
                {"role": "user", "content": [{"type": "document", "source": {"type": "text", "data": "the text"}}]},
            ],
        },
        "response": {
            "type": "message",
            "content": [
                {"type": "thinking", "thinking": "hm"},
                {"type": "text", "text": "a"},
                {"type": "text", "text": "b"},
            ],
            "stop_reason": "max_tokens",
            "usage": {"input_tokens": 5, "cache_read_input_tokens": 100, "output_tokens": 2},
        },
    }
    conversation = one(tmp_path, record)
    assert [m.content for m in conversation.messages] == ["s", "the text", "ab"]
    assert (conversation.input_tokens, conversation.finish_reason) == (105, "length")
    assert conversation.tools == ()


def test_responses_with_built_in_calls_and_custom_tools(tmp_path):
    record = {
        "request": {"model": "m", "input": "hi", "tools": [{"type": "web_search_preview"}]},
        "response": {
            "id": "resp_1",
            "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"},
            "output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "think"}]},
                {"type": "web_search_call", "id": "ws", "status": "completed"},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "let me"}]},
                {"type": "custom_tool_call", "call_id": "c", "name": "sql", "input": "SELECT 1"},
            ],
        },
    }
    conversation = one(tmp_path, record)
    assert conversation.messages[-1] == Message("assistant", "let me", tool_calls=(ToolCall("c", "sql", "SELECT 1"),))
    assert conversation.tools == (Tool("web_search_preview"),)
    assert conversation.finish_reason == "length"
    assert conversation.metadata["reasoning"] == ["think"]
    assert conversation.metadata["built_in_calls"][0]["id"] == "ws"


def test_a_responses_log_that_begins_in_the_middle(tmp_path):
    record = {
        "conversation_id": "c",
        "request": {"input": "and now?", "previous_response_id": "resp_gone"},
        "response": {"id": "resp_2", "output": [{"type": "message", "role": "assistant", "content": "so"}]},
    }
    conversation = one(tmp_path, record)
    assert [m.content for m in conversation.messages] == ["and now?", "so"]


def test_vercel_messages_of_version_four(tmp_path):
    chat = {
        "id": "c",
        "messages": [
            {"id": "1", "role": "user", "content": "hi", "parts": [{"type": "text", "text": "hi"}]},
            {
                "id": "2",
                "role": "assistant",
                "content": "done",
                "toolInvocations": [
                    {"toolCallId": "t", "toolName": "f", "args": {"a": 1}, "state": "result", "result": {"ok": True}}
                ],
            },
        ],
    }
    conversation = one(tmp_path, chat)
    assert conversation.messages == (
        Message("user", "hi"),
        Message("assistant", tool_calls=(ToolCall("t", "f", '{"a": 1}'),)),
        Message("tool", '{"ok": true}', tool_call_id="t", name="f"),
        Message("assistant", "done"),
    )


def test_litellm_failures_and_guardrails(tmp_path):
    record = {
        "litellm_call_id": "1",
        "call_type": "acompletion",
        "trace_id": "t",
        "status": "failure",
        "startTime": 1700000000.0,
        "endTime": 1700000001.0,
        "messages": [{"role": "user", "content": "hi"}],
        "response": None,
        "error_str": "RateLimitError",
        "model_parameters": {"user": "u"},
        "guardrail_information": {"guardrail_name": "pii", "guardrail_status": "guardrail_intervened"},
    }
    conversation = one(tmp_path, record)
    assert (conversation.error, conversation.user_id) == ("RateLimitError", "u")
    assert conversation.metadata["failed_calls"] == [
        {"started_at": "2023-11-14T22:13:20.000000+00:00", "error": "RateLimitError", "retried": False}
    ]
    assert [(s.kind, s.name, s.status) for s in conversation.steps] == [("guardrail", "pii", "guardrail_intervened")]


def test_a_page_of_the_langfuse_api(tmp_path):
    observation = {
        "id": "o",
        "traceId": "t",
        "type": "GENERATION",
        "startTime": "2026-01-01T00:00:00Z",
        "input": json.dumps([{"role": "user", "content": "hi"}]),
        "output": json.dumps({"role": "assistant", "content": "ho"}),
        "promptName": "support",
        "promptVersion": 4,
        "calculatedTotalCost": 0.5,
    }
    score = {"id": "s", "traceId": "t", "name": "thumb", "value": None, "stringValue": "bad", "dataType": "CATEGORICAL"}
    conversation = one(tmp_path, {"data": [observation], "meta": {}}, {"data": [score], "meta": {}})
    assert [m.content for m in conversation.messages] == ["hi", "ho"]
    assert (conversation.prompt_version, conversation.cost_usd) == ("4", 0.5)
    assert conversation.feedback == {"thumb": "bad"}
    assert conversation.metadata["promptName"] == "support"


def test_langsmith_around_anthropic_and_a_retriever(tmp_path):
    call = {
        "id": "r1",
        "run_type": "llm",
        "trace_id": "t",
        "start_time": "2026-01-01T00:00:01",
        "inputs": {"model": "claude", "system": "s", "messages": [{"role": "user", "content": "hi"}]},
        "outputs": {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "ho"}]},
    }
    retriever = {
        "id": "r0",
        "run_type": "retriever",
        "trace_id": "t",
        "name": "kb",
        "start_time": "2026-01-01T00:00:00",
        "inputs": {"query": "hi"},
        "outputs": {"documents": [{"page_content": "x", "metadata": {"source": "a.md"}}]},
    }
    conversation = one(tmp_path, {"post": [call, retriever]})
    assert [m.content for m in conversation.messages] == ["s", "hi", "ho"]
    assert [(s.turn, s.kind, s.document_ids) for s in conversation.steps] == [(1, "retrieval", ("a.md",))]


def test_a_damaged_span_does_not_take_its_batch_with_it(tmp_path):
    good = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": '[{"role": "user", "content": "hi"}]',
        "gen_ai.output.messages": '[{"role": "assistant", "content": "ho"}]',
    }
    bad = {**good, "gen_ai.input.messages": '[{"role": "user", "cont'}
    conversations, problems = read(file_of(tmp_path, spans(("x", "a", bad, []), ("x", "b", good, []))))
    assert [m.content for c in conversations for m in c.messages] == ["hi", "ho"]
    assert "not readable as otel: messages are not JSON" in str(problems[0])


def test_one_log_of_several_sdks(tmp_path):
    """The lines of one application that calls three interfaces."""
    user = {"role": "user", "content": "hi"}
    chat = {
        "conversation_id": "a",
        "request": {"messages": [user]},
        "response": {"choices": [{"message": {"role": "assistant", "content": "1"}}]},
    }
    messages = {
        "conversation_id": "b",
        "request": {"messages": [user], "max_tokens": 9},
        "response": {"type": "message", "content": [{"type": "text", "text": "2"}]},
    }
    responses = {
        "conversation_id": "c",
        "request": {"input": "hi"},
        "response": {"output": [{"type": "message", "role": "assistant", "content": "3"}]},
    }
    conversations, problems = read(file_of(tmp_path, chat, messages, responses, {"level": "info"}))
    assert [(c.conversation_id, c.format, c.messages[-1].content) for c in conversations] == [
        ("a", "openai_chat_logs", "1"),
        ("b", "anthropic_messages", "2"),
        ("c", "openai_responses", "3"),
    ]
    assert [(p.record, p.message) for p in problems] == [(4, "no reader knows this record")]


def test_a_format_can_be_forced_and_is_then_held_to(tmp_path):
    path = file_of(tmp_path, {"conversations": [{"from": "human", "value": "hi"}]})
    assert read(path, format="sharegpt")[0][0].messages == (Message("user", "hi"),)
    conversations, problems = read(path, format="litellm")
    assert conversations == []
    assert "not readable as litellm" in str(problems[0])
    with pytest.raises(UserError, match="did you mean 'sharegpt'"):
        read(path, format="share_gpt")
