import json

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_llmreplay.model.conversation import Conversation, Message, Step, Tool, ToolCall
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.traces import write_conversations
from tests.shared_data import shared
from tests.traces.problems import read

text = st.text(st.characters(codec="utf-8"), max_size=8)
maybe = st.none() | text
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
mappings = st.dictionaries(text, json_values, max_size=3)
int64 = st.none() | st.integers(-(2**63), 2**63 - 1)
real = st.none() | st.floats(allow_nan=False, allow_infinity=False)
calls = st.builds(ToolCall, id=maybe, name=text, arguments=text)
messages = st.builds(
    Message,
    role=text.filter(bool),
    content=maybe,
    content_parts=st.none() | st.lists(json_values, min_size=1, max_size=2).map(json.dumps),
    tool_calls=st.lists(calls, max_size=3).map(tuple),
    tool_call_id=maybe,
    name=maybe,
    refusal=maybe,
)
tools = st.builds(
    Tool,
    name=text.filter(bool),
    description=maybe,
    parameters=st.none() | mappings.map(json.dumps),
    effect=st.sampled_from([None, "read", "write"]),
)
steps = st.builds(
    Step,
    turn=st.integers(0, 9),
    kind=st.sampled_from(["retrieval", "guardrail", "other"]),
    name=maybe,
    input=maybe,
    output=maybe,
    document_ids=st.lists(text, max_size=2).map(tuple),
    status=maybe,
)
conversations = st.builds(
    Conversation,
    conversation_id=text,
    messages=st.lists(messages, max_size=4).map(tuple),
    tools=st.none() | st.lists(tools, max_size=2).map(tuple),
    steps=st.lists(steps, max_size=2).map(tuple),
    feedback=mappings,
    metadata=mappings,
    latency_s=real,
    cost_usd=real,
    input_tokens=int64,
    output_tokens=int64,
    record=int64,
    **dict.fromkeys(("started_at", "ended_at", "model", "prompt_version", "user_id", "session_id", "segment"), maybe),
    **dict.fromkeys(("error", "finish_reason", "format", "source_file"), maybe),
)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(conversations, min_size=1, max_size=4))
def test_what_is_written_is_read_again(tmp_path, written):
    path = tmp_path / "x.parquet"
    assert write_conversations(path, written) == len(written)
    assert read(path) == (written, [])


def test_the_real_logs_survive(tmp_path):
    for name in ("airline_tau1", "airline_tau2", "sgd"):
        conversations, _ = read(shared("data", f"traces_{name}.parquet"))
        write_conversations(tmp_path / "x.parquet", iter(conversations))
        assert read(tmp_path / "x.parquet") == (conversations, [])


def test_the_footer_says_what_it_is_and_half_surrogates_are_replaced(tmp_path):
    path = tmp_path / "x.parquet"
    write_conversations(path, [Conversation("a", (Message("user", "\ud83d"),), metadata={"k": "\udc00"})])
    assert pq.read_schema(path).metadata[b"llmreplay.kind"] == b"conversations"
    (conversation,), _ = read(path)
    assert (conversation.messages[0].content, conversation.metadata) == ("\ufffd", {"k": "\ufffd"})
    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_is_left_when_it_fails(tmp_path):
    path = tmp_path / "x.parquet"
    write_conversations(path, [Conversation("a", ())])
    before = path.read_bytes()

    def failing():
        yield Conversation("b", ())
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        write_conversations(path, failing())
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["x.parquet"]
    with pytest.raises(UserError, match="cannot be written"):
        write_conversations(tmp_path / "none" / "x.parquet", [])


def test_an_empty_file_is_a_file(tmp_path):
    assert write_conversations(tmp_path / "x.parquet", []) == 0
    assert read(tmp_path / "x.parquet") == ([], [])
