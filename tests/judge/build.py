"""Rubrics, material and replies for the tests of the judge."""

from __future__ import annotations

import json

from pytest_llmreplay.judge.judging import Abilities, Judging
from pytest_llmreplay.judge.material import Material
from pytest_llmreplay.model.conversation import Message, ToolCall
from pytest_llmreplay.model.judge import Judge
from pytest_llmreplay.model.rubric import Rubric
from tests.fakes import FakeProvider, says

POLITE = {"id": "polite", "question": "Is the answer polite?"}
HOURS = {"id": "names_the_hours", "question": "Does it name the opening hours?", "must_pass": True, "weight": 3}
CLEAR = {
    "id": "clear",
    "question": "How clear is it?",
    "scale": "1-5",
    "anchors": {1: "nobody understands it", 5: "a child understands it"},
    "pass_from": 4,
}

MATERIAL = Material(
    answer="We are open from 9 to 5, dear customer.",
    conversation=(Message("user", "when do you open?"),),
    tool_results=((ToolCall("c", "hours", '{"shop": 1}'), '{"open": "9-17"}'),),
    reference="From 9 to 5.",
)


def rubric(*criteria, **more):
    return Rubric.model_validate({"criteria": list(criteria) or [POLITE], **more})


def judge(**more):
    return Judge.model_validate({"target": {"type": "model", "model": "openai/judge"}, **more})


def reply(decisions, evidence=(), confidence="high"):
    """A reply on the menu."""
    pieces = [{"criterion": criterion, "quote": quote} for criterion, quote in evidence]
    return json.dumps({"evidence": pieces, "decisions": decisions, "confidence": confidence})


def judging(*replies, structured=True, seed=True, **more):
    """A judge that gives these replies, one after the other, and what it was asked."""
    provider = FakeProvider([says(text) for text in replies])
    return Judging(judge(**more), provider, Abilities(structured=structured, seed=seed)), provider
