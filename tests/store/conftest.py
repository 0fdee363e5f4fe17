"""What the tests of the store share."""

import pytest

from pytest_llmreplay.model.case import Case, Provenance, RecordedResult
from pytest_llmreplay.model.conversation import Message, Step, Tool, ToolCall


@pytest.fixture
def case() -> Case:
    """A case that uses every field, with text of the kind that logs really hold."""
    return Case(
        case_id="speak-to-a-person-1a2b3c4d",
        suite="support",
        kind="incident",
        status="open",
        messages=(
            Message("system", "You help.\nBe kind."),
            Message("user", "How do I talk to a person? \ud83d", content_parts='[{"type": "image_url"}]'),
            Message("assistant", None, tool_calls=(ToolCall("c1", "search", '{"q": '), ToolCall(None, "hours", ""))),
            Message("tool", "", tool_call_id="c1", name="search"),
            Message("assistant", "Nonsense\x00 \ufdd0 é", refusal="no"),
        ),
        turn=1,
        title="Speak to a person",
        severity="high",
        failure_category="quality",
        failure_stage="tool",
        intent="human",
        tags=("v1", "naïve"),
        summary="It searched.\nTwice.",
        owner="me",
        due="2026-12-01",
        tools=(Tool("search", "find", '{"type": "object"}', "read"), Tool("hours")),
        vars={"name": "Zoë", "n": 1, "deep": {"list": [1, 2.5, None, True]}},
        occurred_at="2026-11-22T03:00:00Z",
        steps=(Step(1, "retrieval", "docs", "q", "o", ("d1", "d2"), "ok"),),
        recorded_results=(RecordedResult(1, "search", '{"q":1}', "nothing"),),
        expect={"calls": {"expected": [{"name": "handover", "args": {}}]}},
        weight=3.5,
        metadata={"channel": "web"},
        provenance=Provenance("t1", "logs/a.parquet", "ff", 7, "openai", "gpt", "p1", "now", "me", "1", {"req": "r1"}),
        expires_at="2027-01-01",
    )
