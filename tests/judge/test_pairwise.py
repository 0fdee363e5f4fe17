"""V1 against V2 on one case: both orders, no labels, a disagreement is a tie."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from pytest_llmreplay.judge.judging import Abilities, Judging
from pytest_llmreplay.judge.pairwise import preference
from pytest_llmreplay.model.conversation import ToolCall
from tests.fakes import FakeProvider, says
from tests.judge.build import MATERIAL, judge, rubric

GOOD = replace(MATERIAL, answer="From 9 to 5.")
BAD = replace(MATERIAL, answer="I do not know.", tool_results=((ToolCall(None, "guess", "{}"), None),))


def choice(side, quotes=()):
    return says(json.dumps({"evidence": [{"side": "first", "quote": quote} for quote in quotes], "preferred": side}))


def data_of(request):
    """The material in a request, as the judge reads it."""
    return json.loads(request.messages[1].content.splitlines()[2])


def prefer(answer, baseline=BAD, candidate=GOOD, votes=1):
    provider = FakeProvider(answer)
    asked = Judging(judge(votes=votes), provider, Abilities(True, True))
    return asyncio.run(preference(asked, rubric(), baseline, candidate)), provider


def judge_of_content(request):
    return choice("first" if "9 to 5" in data_of(request)["first"]["answer"] else "second")


def test_a_preference_that_stays_with_the_trajectory_counts():
    found, provider = prefer(judge_of_content)
    assert (found.preferred, found.orders, found.consistent) == ("candidate", ("candidate", "candidate"), True)
    assert prefer(judge_of_content, GOOD, BAD)[0].preferred == "baseline"
    assert found.usage.calls == 2
    assert [data_of(request)["first"]["answer"] for request in provider.requests] == ["I do not know.", "From 9 to 5."]


@pytest.mark.parametrize("place", ["first", "second"])
def test_a_preference_for_a_place_is_a_tie(place):
    found, _ = prefer(lambda _request: choice(place))
    assert (found.preferred, found.consistent) == ("tie", False)
    assert set(found.orders) == {"baseline", "candidate"}


def test_a_tie_in_both_orders_is_a_consistent_tie():
    assert prefer(lambda _request: choice("tie"))[0].consistent


def test_the_trajectories_have_no_labels_and_the_conversation_is_shown_once():
    _, provider = prefer(judge_of_content)
    for request in provider.requests:
        assert set(data_of(request)) == {"conversation", "reference", "first", "second"}
        assert set(data_of(request)["first"]) == {"answer", "tool_results"}
        for word in ("baseline", "candidate", "v1", "v2"):
            assert word not in request.messages[0].content + request.messages[1].content


def test_a_reply_off_the_menu_leaves_the_preference_unmeasured_with_its_text():
    off, _ = prefer(lambda _request: says("the first one"))
    assert (off.preferred, off.orders, off.text) == (None, (None, None), "the first one")
    assert off.usage.calls == 4

    def only_one_order(request):
        return choice("second") if data_of(request)["first"]["answer"] == BAD.answer else says("A")

    half, _ = prefer(only_one_order)
    assert (half.preferred, half.orders, half.text) == (None, ("candidate", None), "A")


def test_quotes_are_looked_up_in_what_was_shown():
    found, _ = prefer(lambda _request: choice("tie", ["I do not know.", "nobody said this"]))
    assert {(quote.text, quote.found) for quote in found.quotes} == {
        ("I do not know.", True),
        ("nobody said this", False),
    }


def test_votes_are_counted_in_each_order():
    def one_of_three_errs(request):
        return choice("tie") if request.params["seed"] == 2 else judge_of_content(request)

    found, provider = prefer(one_of_three_errs, votes=3)
    assert found.preferred == "candidate"
    assert len(provider.requests) == 6
