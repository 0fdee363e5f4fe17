import asyncio

import pytest

from pytest_llmreplay.model.case import Case, recorded_results_of
from pytest_llmreplay.model.conversation import Message, Tool
from pytest_llmreplay.model.errors import InfrastructureError, Unmeasurable
from pytest_llmreplay.model.variant import Environment, ModelTarget, ReplaySettings, Variant
from pytest_llmreplay.replay.targets.model import ModelTurns
from pytest_llmreplay.replay.turns import TurnReplayer, offered_tools
from tests.fakes import FakeProvider, calls, says

TARGET = ModelTarget(type="model", model="fake/model")
MESSAGES = (
    Message("system", "recorded prompt"),
    Message("user", "one"),
    calls(("look", '{"n":1}')),
    Message("tool", "result one", tool_call_id="c0"),
    says("answer one"),
    Message("user", "two"),
    calls(("look", '{"n":2}')),
    Message("tool", "result two", tool_call_id="c0"),
    says("answer two"),
)


def case(**changes):
    values = {
        "case_id": "c-1", "suite": "s", "kind": "incident", "status": "open", "messages": MESSAGES, "turn": 2,
        "recorded_results": recorded_results_of(MESSAGES),
    }  # fmt: skip
    return Case(**{**values, **changes})


def replay(provider, *, of=None, environment=None, **variant):
    settings = ReplaySettings(**variant.pop("replay", {}))
    configured = Variant("v", TARGET, replay=settings, **variant)
    replayer = TurnReplayer(configured, ModelTurns(TARGET, provider), environment or Environment(), {})
    return asyncio.run(replayer.replay(of or case(), 1))


def test_failing_turn_generates_only_the_failing_turn_on_the_recorded_history():
    provider = FakeProvider([says("new answer")])
    trajectory = replay(provider)
    assert provider.requests[0].messages == MESSAGES[:6]
    assert [turn.number for turn in trajectory.turns] == [2]
    assert trajectory.answer == "new answer"
    assert [call.arguments for call in trajectory.recorded_calls] == ['{"n":1}']


def test_recorded_tool_results_answer_the_calls_of_the_replay():
    provider = FakeProvider([calls(("look", '{"n": 2}')), says("done")])
    trajectory = replay(provider)
    assert trajectory.turns[0].produced[1].content == "result two"
    assert trajectory.answer == "done"
    assert trajectory.recorded_share == 1.0
    assert trajectory.divergence is None


def test_an_unrecorded_call_stops_the_replay_and_is_a_divergence():
    trajectory = replay(FakeProvider([calls(("other", "{}"))]))
    assert trajectory.turns[0].stop == "unrecorded"
    assert trajectory.answer is None
    assert (trajectory.divergence.turn, trajectory.divergence.step) == (2, 1)
    assert trajectory.divergence.recorded == 'look({"n":2})'
    assert trajectory.divergence.actual == "other({})"


def test_max_steps_ends_a_turn_that_never_answers():
    trajectory = replay(FakeProvider(lambda _r: calls(("look", '{"n":2}'))), replay={"max_steps": 3})
    assert trajectory.turns[0].stop == "max_steps"
    assert trajectory.usage.steps == 3


def test_each_turn_replays_every_turn_on_recorded_history():
    provider = FakeProvider([says("a"), says("b")])
    trajectory = replay(provider, replay={"mode": "each_turn"})
    assert [turn.number for turn in trajectory.turns] == [1, 2]
    assert provider.requests[1].messages == MESSAGES[:6]


def test_conversation_mode_puts_the_targets_own_replies_in_between():
    provider = FakeProvider([says("own answer"), says("b")])
    trajectory = replay(provider, replay={"mode": "conversation"})
    assert provider.requests[1].messages == (*MESSAGES[:2], says("own answer"), MESSAGES[5])
    assert [turn.answer for turn in trajectory.turns] == ["own answer", "b"]


def test_conversation_mode_ends_where_the_replay_stops():
    trajectory = replay(FakeProvider([calls(("other", "{}"))]), replay={"mode": "conversation"})
    assert [turn.number for turn in trajectory.turns] == [1]
    assert trajectory.replayed is None


def test_a_variants_prompt_replaces_the_recorded_one_and_examples_follow_it():
    provider = FakeProvider([says("a")])
    replay(provider, system_prompt="Be kind.", examples=(Message("user", "hi"), says("hello")))
    assert [m.content for m in provider.requests[0].messages[:4]] == ["Be kind.", "hi", "hello", "one"]


def test_a_prompt_is_added_where_none_was_recorded_and_a_greeting_is_kept():
    provider = FakeProvider([says("a")])
    messages = (says("Welcome!"), Message("user", "one"), says("x"))
    replay(provider, of=case(messages=messages, turn=1, recorded_results=()), system_prompt="Be kind.")
    assert [m.content for m in provider.requests[0].messages] == ["Be kind.", "Welcome!", "one"]


def test_vars_and_now_fill_the_prompt():
    provider = FakeProvider([says("a")])
    replay(
        provider,
        of=case(vars={"shop": "Fern"}, occurred_at="2026-03-01T10:00:00"),
        system_prompt="You work for {{ shop }}. Today is {{ now.strftime('%Y-%m-%d') }}.",
    )
    assert provider.requests[0].messages[0].content == "You work for Fern. Today is 2026-03-01."


@pytest.mark.parametrize("template", ["{{ missing }}", "{{ ''.__class__.__mro__ }}", "{{ 1 / 0 }}", "{% oops %}"])
def test_a_template_that_cannot_be_rendered_is_trouble_with_one_sentence(template):
    with pytest.raises(InfrastructureError, match="the system prompt cannot be rendered for case c-1"):
        replay(FakeProvider([says("a")]), system_prompt=template)


def test_a_recorded_prompt_is_never_taken_for_a_template():
    provider = FakeProvider([says("a")])
    messages = (Message("system", "{{ secret }}"), Message("user", "one"), says("x"))
    replay(provider, of=case(messages=messages, turn=1, recorded_results=()))
    assert provider.requests[0].messages[0].content == "{{ secret }}"


def test_a_turn_that_is_not_there_cannot_be_measured():
    with pytest.raises(Unmeasurable, match="no turn 7"):
        replay(FakeProvider([]), of=case(turn=7))


def test_usage_adds_up_over_steps():
    usage = replay(FakeProvider([calls(("look", '{"n":2}')), says("done")])).usage
    assert (usage.steps, usage.live_steps, usage.input_tokens, usage.output_tokens) == (2, 2, 20, 10)
    assert usage.latency_s == 1.0
    assert usage.cost_usd == pytest.approx(0.02)


def test_a_variants_tools_replace_the_offered_ones_and_inherit_their_effects():
    mine = case(tools=(Tool("pay", "old", effect="write"), Tool("look", "old", effect="read")))
    variant = Variant("v", TARGET, tools=(Tool("look", "new"), Tool("extra", "new", effect="read")))
    assert [(t.name, t.description, t.effect) for t in offered_tools(variant, mine)] == [
        ("look", "new", "read"),
        ("extra", "new", "read"),
    ]
    assert offered_tools(Variant("v", TARGET), case()) is None
