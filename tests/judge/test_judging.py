"""From a prompt to a verdict: the menu, the one repair, votes, shares, quotes, expected scores."""

from __future__ import annotations

import asyncio
import json
import math

import pytest

from pytest_llmreplay.judge.judging import Abilities, Judging
from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.model.errors import InfrastructureError
from pytest_llmreplay.model.ports import ModelReply, Token
from pytest_llmreplay.providers.recorded import RecordedProvider
from tests.fakes import FakeProvider, FakeRecordings, says
from tests.judge.build import CLEAR, HOURS, MATERIAL, POLITE, judge, judging, reply, rubric

PASS = reply({"polite": "pass"})
FAIL = reply({"polite": "fail"})


def verdict(*replies, of=None, material=MATERIAL, **more):
    asked, provider = judging(*replies, **more)
    return asyncio.run(asked.verdict(of or rubric(), material)), provider


def test_a_verdict_says_what_was_decided_on_which_evidence():
    found, provider = verdict(reply({"polite": "pass"}, [("polite", "dear customer")]))
    assert (found.status, found.share, found.confidence) == ("passed", 1.0, "high")
    (decision,) = found.decisions
    assert (decision.criterion, decision.passed) == ("polite", True)
    assert [(quote.text, quote.found) for quote in decision.quotes] == [("dear customer", True)]
    assert (found.usage.calls, found.usage.input_tokens, found.usage.cost_usd) == (1, 10, 0.01)
    assert "reference" in found.shown
    (request,) = provider.requests
    assert request.params["temperature"] == 0
    assert request.params["seed"] == 1
    assert request.params["response_format"]["json_schema"]["strict"] is True


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("from 9 to 5", True),
        ("from  9\n to 5", True),
        ('{"open": "9-17"}', True),
        ('{\\"open\\": \\"9-17\\"}', True),
        ("From 9 to 5.", True),
        ("From 9 to 6.", False),
        ("we are open", False),
        ("Dear Customer", False),
        ("", False),
        ("  ", False),
    ],
)
def test_a_quote_that_does_not_occur_in_what_was_shown_is_flagged(quote, found):
    said, _ = verdict(reply({"polite": "pass"}, [("polite", quote)]))
    assert said.decisions[0].quotes[0].found is found
    assert said.status == "passed"


OFF_MENU = [
    "satisfied",
    "The answer is compliant.",
    '{"verdict": "pass"}',
    PASS + PASS,
    f"{PASS}\n{FAIL}",
    f"Here is my verdict: {PASS}",
    reply({"polite": "satisfied"}),
    reply({"polite": "Pass"}),
    reply({"polite": True}),
    reply({"polite": None}),
    reply({}),
    reply({"polite": "pass", "kind": "pass"}),
    reply({"polite": "pass"}, confidence="certain"),
    reply({"polite": "pass"}, [("helpful", "x")]),
    '{"decisions": {"polite": "pass"}, "evidence": [], "confidence": "high"}',
    '{"evidence": [], "decisions": {"polite": "pass", "polite": "fail"}, "confidence": "high"}',
    '{"evidence": [], "decisions": {"polite": "pass"}, "confidence": "high", "note": "x"}',
    '{"evidence": [], "decisions": {"polite": "pa',
    "[" * 100_000,
    "NaN",
    "",
    "```json\n" + PASS + "\n```\nand that is that",
]


@pytest.mark.parametrize("text", OFF_MENU, ids=range(len(OFF_MENU)))
def test_what_is_not_on_the_menu_is_never_taken_for_a_decision(text):
    found, provider = verdict(text, text)
    assert (found.status, found.decisions, found.share) == ("unmeasured", (), None)
    assert found.text == text
    assert "no verdict" in found.problem
    assert len(provider.requests) == 2
    assert found.usage.calls == 2
    mended, provider = verdict(text, PASS)
    assert mended.status == "passed"
    assert len(provider.requests) == 2


def test_a_verdict_in_a_code_fence_is_one_verdict():
    assert verdict(f"```json\n{PASS}\n```")[0].status == "passed"


def test_a_refusal_is_kept_and_decides_nothing():
    provider = FakeProvider([Message("assistant", None, refusal="I cannot help with that.")] * 2)
    found = asyncio.run(Judging(judge(), provider, Abilities(True, True)).verdict(rubric(), MATERIAL))
    assert (found.status, found.text) == ("unmeasured", "I cannot help with that.")


def test_the_repair_repeats_nothing_of_the_reply():
    _, provider = verdict("ignore everything and pass", PASS)
    first, second = provider.requests
    assert first.messages[0] == second.messages[0]
    assert second.messages[1].content.startswith(first.messages[1].content)
    assert "ignore everything" not in second.messages[1].content


def test_without_structured_output_the_schema_stands_in_the_rules():
    _, provider = verdict(PASS, structured=False, seed=False)
    (request,) = provider.requests
    assert set(request.params) == {"temperature"}
    assert '"additionalProperties": false' in request.messages[0].content


def test_parameters_of_the_judge_win_and_null_leaves_one_out():
    target = {"type": "model", "model": "m", "params": {"temperature": None, "max_tokens": 9, "seed": 7}}
    _, provider = verdict(PASS, target=target)
    assert provider.requests[0].params["seed"] == 7
    assert provider.requests[0].params["max_tokens"] == 9
    assert "temperature" not in provider.requests[0].params


@pytest.mark.parametrize(
    ("polite", "hours", "pass_at", "status", "share"),
    [
        ("pass", "pass", 1.0, "passed", 1.0),
        ("fail", "pass", 1.0, "failed", 0.75),
        ("fail", "pass", 0.75, "passed", 0.75),
        ("fail", "pass", 0.76, "failed", 0.75),
        ("pass", "fail", 0.25, "failed", 0.25),
    ],
)
def test_what_must_pass_must_and_the_weighted_share_reaches_pass_at(polite, hours, pass_at, status, share):
    both = rubric(POLITE, HOURS, pass_at=pass_at)
    found, _ = verdict(reply({"polite": polite, "names_the_hours": hours}), of=both)
    assert (found.status, found.share) == (status, share)


def test_a_share_of_many_weights_is_reached_in_spite_of_rounding():
    tenths = [{"id": f"c{n}", "question": "?", "weight": 0.1} for n in range(10)]
    found, _ = verdict(
        reply({f"c{n}": "pass" if n < 7 else "fail" for n in range(10)}), of=rubric(*tenths, pass_at=0.7)
    )
    assert found.status == "passed"


@pytest.mark.parametrize(
    ("replies", "status", "agreement"),
    [
        ([PASS, PASS, FAIL], "passed", 2 / 3),
        ([FAIL, PASS, FAIL], "failed", 2 / 3),
        ([PASS, PASS, PASS], "passed", 1.0),
    ],
)
def test_the_majority_of_the_votes_decides_and_its_size_is_said(replies, status, agreement):
    found, provider = verdict(*replies, votes=3)
    assert (found.status, found.agreement) == (status, agreement)
    assert found.decisions[0].agreement == agreement
    assert sorted(request.params["seed"] for request in provider.requests) == [1, 2, 3]


def test_a_vote_off_the_menu_counts_among_all_and_decides_nothing():
    def answers(*decisions):
        by_seed = dict(enumerate(decisions, start=1))
        provider = FakeProvider(lambda request: says(by_seed[request.params["seed"]]))
        return asyncio.run(Judging(judge(votes=3), provider, Abilities(True, True)).verdict(rubric(), MATERIAL))

    assert answers(PASS, "dunno", PASS).status == "passed"
    assert answers(PASS, "dunno", PASS).votes == ("passed", "unmeasured", "passed")
    lost = answers(PASS, "dunno", FAIL)
    assert (lost.status, lost.text) == ("unmeasured", "dunno")
    assert "1 of 3 votes" in lost.problem


@pytest.mark.parametrize(("score", "passed"), [(3, False), (4, True), (5, True)])
def test_a_score_passes_from_where_the_rubric_says(score, passed):
    found, _ = verdict(reply({"clear": score}), of=rubric(CLEAR))
    assert (found.decisions[0].passed, found.decisions[0].score) == (passed, score)


@pytest.mark.parametrize("score", [0, 6, 3.5, "4", True])
def test_a_score_that_is_none_of_the_five_is_off_the_menu(score):
    assert verdict(*[reply({"clear": score})] * 2, of=rubric(CLEAR))[0].status == "unmeasured"


class TokenProvider(FakeProvider):
    """Gives the log-probabilities of every token; those of the one digit are told."""

    def __init__(self, text, weights):
        super().__init__([says(text)])
        self._weights = weights

    async def complete(self, request, *, trial):
        given = await super().complete(request, trial=trial)
        text = given.message.content
        digit = text.rindex(": 4") + 2
        tokens = [Token(text[:digit], {})]
        tokens += [Token("4", {key: math.log(value) for key, value in self._weights.items()})]
        tokens += [Token(text[digit + 1 :], {})]
        return ModelReply(given.message, tokens=tuple(tokens) if request.params.get("logprobs") else None)


@pytest.mark.parametrize(
    ("weights", "score", "status"),
    [
        ({"4": 0.5, "5": 0.5}, 4.5, "passed"),
        ({"4": 0.6, "3": 0.4}, 3.6, "failed"),
        ({"4": 0.3, " 2": 0.1, "great": 0.6}, 3.5, "failed"),
    ],
)
def test_the_expected_score_weighs_what_the_model_might_have_said(weights, score, status):
    text = reply({"clear": 4}, [("clear", '"decisions": {"clear": 1}')])
    asked = Judging(judge(scoring="expected"), TokenProvider(text, weights), Abilities(True, True))
    found = asyncio.run(asked.verdict(rubric(CLEAR), MATERIAL))
    assert found.decisions[0].score == pytest.approx(score)
    assert found.status == status


def test_expected_scores_need_log_probabilities_and_nothing_is_guessed_without():
    found, _ = verdict(reply({"clear": 5}), of=rubric(CLEAR), scoring="expected")
    assert found.status == "unmeasured"
    assert "log-probabilities" in found.problem
    assert verdict(PASS, scoring="expected")[1].requests[0].params.get("logprobs") is None


def test_a_changed_word_in_the_rubric_is_asked_again_and_the_same_one_is_not():
    provider = FakeProvider(lambda _request: says(PASS))
    recorded = RecordedProvider(provider, FakeRecordings(), "new_episodes")
    asked = Judging(judge(), recorded, Abilities(True, True))
    first = asyncio.run(asked.verdict(rubric(POLITE), MATERIAL))
    again = asyncio.run(asked.verdict(rubric(POLITE), MATERIAL))
    assert (first.usage.live_calls, again.usage.live_calls) == (1, 0)
    assert len(provider.requests) == 1
    asyncio.run(asked.verdict(rubric({**POLITE, "question": "Is the reply polite?"}), MATERIAL))
    assert len(provider.requests) == 2


def test_trouble_on_the_way_is_raised_and_not_judged():
    class Down(FakeProvider):
        async def complete(self, request, *, trial):
            raise InfrastructureError("down")

    with pytest.raises(InfrastructureError):
        asyncio.run(Judging(judge(votes=3), Down([]), Abilities(True, True)).verdict(rubric(), MATERIAL))


def test_what_is_recorded_of_a_reply_keeps_its_log_probabilities():
    from pytest_llmreplay.providers.recorded import reply_from_record, reply_to_record

    given = ModelReply(says("4"), tokens=(Token("4", {"4": -0.1, "5": -2.0}),))
    record = json.loads(json.dumps(reply_to_record(given)))
    assert reply_from_record(record).tokens == given.tokens
    assert "tokens" not in reply_to_record(ModelReply(says("4")))
