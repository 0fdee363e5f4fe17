"""The triage page as a file."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from pytest_llmreplay.cli.triaging import COLUMNS
from pytest_llmreplay.mine.triage import Share, ToolAssociation
from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.report.plots import WIDTH
from pytest_llmreplay.report.triage_links import Links
from pytest_llmreplay.report.triage_page import TriagePage, triage_html
from pytest_llmreplay.report.triage_plots import day_bars, tool_lines
from tests.report.made_triage import TREND, hostile, made


class Tags(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and its scripts."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))


def shape(page):
    return [(tag, sorted(attributes)) for tag, attributes in Tags(triage_html(page)).elements]


def test_what_a_log_says_changes_no_element_of_the_page():
    assert shape(hostile()) == shape(made())
    text = triage_html(hostile())
    assert "<img" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_nothing_is_loaded_and_only_its_own_script_applies():
    text = triage_html(hostile())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src &#39;none&#39;" in policy
    assert "unsafe" not in policy
    elements = Tags(text).elements
    assert not [tag for tag, a in elements if {"src", "srcset", "onclick", "onload", "style"} & set(a)]
    assert all(a["href"].startswith("#") for tag, a in elements if tag == "a")


def test_every_link_on_the_page_leads_somewhere():
    for page in (made(), hostile()):
        elements = Tags(triage_html(page)).elements
        places = {a["id"] for _, a in elements if "id" in a}
        assert len(places) == sum("id" in a for _, a in elements)
        assert {a["href"][1:] for tag, a in elements if tag == "a"} <= places


def example(number, *, failed=True, intent=0, day="2026-03-12", **fields):
    [one] = made(count=1).examples
    kind = "incident" if failed else "control"
    conversation = replace(one.conversation, conversation_id=f"t-{number}", model="m", **fields)
    suggestion = replace(one.suggestion, conversation_id=f"t-{number}", kind=kind)
    return replace(one, suggestion=suggestion, conversation=conversation, intent=intent, finding=-1, day=day)


def test_a_row_leads_to_the_conversations_behind_it_those_that_failed_first():
    talk = (Message("user", "hi"), Message("assistant", "Hi!"))
    examples = (
        example(1, failed=False, day="2026-03-11"),
        example(2, intent=1, metadata={"vip": True, "city": "Graz"}),
        example(3, intent=-1, day=None, messages=talk, segment="plus"),
        example(4, failed=False, day="2026-03-13", metadata={"city": "Wien"}),
    )
    links = Links(made().triage, examples)
    assert links.of_value("tool", "refund") == ["t-2", "t-1", "t-4"]
    assert links.of_value("tool", "lookup") == []
    assert links.of_value("model", "m") == ["t-2", "t-3", "t-1", "t-4"]
    assert links.of_value("segment", "plus") == ["t-3"]
    assert links.of_value("intent", "i-2") == ["t-2"]
    assert links.of_value("metadata.city", "Graz") == ["t-2"]
    assert links.of_value("metadata.vip", "true") == ["t-2"]
    assert links.of_day("2026-03-12") == ["t-2"]
    rate, share, deploy = made().triage.changes
    assert links.of_change(rate) == ["t-4"]
    assert links.of_change(share) == ["t-2", "t-4"]
    assert links.of_change(deploy) == []
    assert links.of_change(replace(rate, value=None, day="2026-03-13")) == ["t-4"]


@pytest.mark.parametrize("dimension", COLUMNS)
def test_every_dimension_has_its_conversations(dimension):
    one = example(1, **({} if dimension == "model" else {dimension: "m"}))
    assert Links(made().triage, [one]).of_value(dimension, "m") == ["t-1"]


def test_without_conversations_no_row_leads_anywhere():
    text = triage_html(replace(made(), examples=()))
    assert "look at" not in text
    assert not [a for tag, a in Tags(text).elements if tag == "a" and a["href"] != "#conversations"]


def test_it_says_that_it_holds_what_customers_wrote_where_it_does():
    assert "This page holds what customers wrote" in triage_html(made())
    without = triage_html(replace(made(), examples=()))
    assert "This page holds what customers wrote" not in without
    assert "where is my money" not in without


def test_a_triage_of_nothing_is_a_page_too():
    page = made()
    empty = replace(
        page.triage, findings=(), groups={}, tools=(), changes=(), trend=(), routing=None, first_day=None, notes=()
    )
    text = triage_html(TriagePage(empty))
    assert "What stands out" not in text
    assert "<svg" in text


def test_of_a_long_conversation_the_turns_around_the_failure_are_shown():
    page = made(count=1)
    [one] = page.examples
    messages = one.conversation.messages[:2] * 100
    long = replace(one, conversation=replace(one.conversation, messages=messages))
    long = replace(long, suggestion=replace(long.suggestion, turn=70))
    text = triage_html(replace(page, examples=[long]))
    assert "108 messages before" in text
    assert "32 messages after" in text
    assert text.count('class="user match"') == 1


def test_odds_ratios_lie_on_a_logarithmic_line():
    def tool(ratio, low, high, p):
        return ToolAssociation("t", Share.of(1, 2), Share.of(1, 2), ratio, low, high, p, p)

    lines, edge = tool_lines([tool(4.0, 0.25, 64.0, 0.01), tool(0.25, 0.1, 0.5, 0.01), tool(1.0, 0.5, 2.0, 0.5)])
    assert edge == pytest.approx(64)
    assert [line.verdict for line in lines] == ["worse", "better", ""]
    assert {line.span.zero for line in lines} == {WIDTH / 2}
    middle = WIDTH / 2
    assert lines[0].span.point - middle == pytest.approx(middle - lines[1].span.point)
    assert lines[2].span.point == middle
    assert tool_lines([tool(0.0, 0.0, float("inf"), 1.0)])[0][0].span.low < middle


def test_days_without_a_conversation_stay_empty():
    bars = day_bars(TREND)
    gaps = [round(after.x - before.x, 2) for before, after in pairwise(bars)]
    assert gaps[7] == pytest.approx(2 * gaps[0], abs=0.02)
    assert bars[-1].x + bars[-1].width <= 960
    assert max(bar.height for bar in bars) == 120
    assert all(bar.failing <= bar.height for bar in bars)
