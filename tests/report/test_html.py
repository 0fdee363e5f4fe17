import base64
import hashlib
import json
import re
import time

import pytest

from pytest_llmreplay.report.html import HtmlReport, html_text
from pytest_llmreplay.report.page_data import CasePages, script_json, trial_data, visible
from pytest_llmreplay.report.plots import WIDTH, change_plots, forest, rate_plots
from tests.compare.build import many, rows
from tests.report.made import CONTROL, EVIL, compared, decided, hostile_rows


def page(made, **fields):
    comparison = compared(made)
    return html_text(HtmlReport(comparison, made, decided(comparison), **fields))


def index_of(text):
    return json.loads(re.search(r'<script type="application/json" id="index">(.*?)</script>', text, re.DOTALL)[1])


def details_of(text):
    found = re.findall(r'<script type="application/json" id="detail-\d+">(.*?)</script>', text, re.DOTALL)
    return [json.loads(one) for one in found]


def test_only_its_own_style_and_script_apply_and_nothing_is_loaded():
    text = page(many(both_pass=2, regressed=1))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        content = re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.search(
        r"""\b(src|srcset|style|on\w+)\s*=\s*["']""", re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    )
    assert not re.search(r"https?://|url\(|@import", text)


def test_hostile_content_stays_text():
    context = {f"evil {EVIL}": {"user": EVIL, "summary": EVIL, "messages": [{"role": EVIL, "content": EVIL}]}}
    text = page(hostile_rows(), contexts=context, commands={f"evil {EVIL}": EVIL}, facts={EVIL: EVIL})
    text.encode("utf-8")
    assert text.count("<script") == 1 + 1 + 2
    assert text.count("</script") == text.count("<script")
    assert "<img" not in text
    assert 'href="javascript:' not in text
    assert "<!-- -->" not in text
    assert not {"\x1b", "\x07", "\x00", "\u202e", "\u2066"} & set(text)
    assert "49" not in re.findall(r"\{\{.*?\}\}", text)
    assert len(text) < 500_000


def test_an_answer_of_a_megabyte_is_cut_and_says_so():
    trial = trial_data(hostile_rows()[2])
    assert len(trial["answer"]) < 25_000
    assert "characters)" in trial["answer"][-40:]


def test_the_index_holds_what_the_filters_need():
    columns = {
        "severity": "high", "failure_category": "quality", "failure_stage": "tool", "intent": "refund", "tags": ["vip"],
        "calls": [["search", "{}"]], "reasons": [{"code": "wrong_name", "message": "no"}], **CONTROL,
    }  # fmt: skip
    [line] = index_of(page(rows({"a": ("P", "F", columns)})))["cases"]
    assert {name: line[name] for name in ("severity", "category", "stage", "intent", "tag", "tool", "code")} == {
        "severity": ["high"], "category": ["quality"], "stage": ["tool"], "intent": ["refund"], "tag": ["vip"],
        "tool": ["search"], "code": ["wrong_name"],
    }  # fmt: skip
    assert (line["label"], line["rates"]) == ("regressed", [[1, 1, 1], [0, 1, 1]])


def test_what_broke_stands_first_and_details_follow_the_index():
    text = page(many(both_pass=2, fixed=1, regressed=1, both_fail=1))
    assert [line["label"] for line in index_of(text)["cases"]] == [
        "regressed", "both_fail", "fixed", "both_pass", "both_pass"
    ]  # fmt: skip
    first = details_of(text)[0]["sides"]
    assert [[trial["status"] for trial in side] for side in first] == [["passed"], ["failed"]]


def test_every_shape_of_a_call_is_shown():
    shapes = [["a", "{}"], {"name": "b", "arguments": {"x": 1}}, {"function": {"name": "c", "arguments": "{}"}}, "d"]
    shown = trial_data({"case_id": "x", "trial": 1, "status": "passed", "calls": shapes})
    assert shown["calls"] == [["a", "{}"], ["b", '{"x": 1}'], ["c", "{}"], ["d", "{}"]]


def test_conversations_beyond_the_room_are_left_out_and_said_so(monkeypatch):
    monkeypatch.setattr("pytest_llmreplay.report.page_data.CONVERSATION_BYTES", 1_000)
    made = many(both_pass=1, regressed=1)
    contexts = {f"{name}000": {"messages": [{"role": "user", "content": "x" * 700}]} for name in ("pp", "rg")}
    found = details_of(page(made, contexts=contexts))
    assert "messages" in found[0]["context"]
    assert found[1]["context"] == {"left_out": True}


@pytest.mark.parametrize("value", ["</script>", "<!--", "]]>", "\u2028", "\ud800", "&lt;", "'\""])
def test_json_in_a_script_is_ascii_without_what_html_reads(value):
    text = script_json({"a": value})
    assert text.isascii()
    assert not {"<", ">", "&"} & set(text)
    assert json.loads(text) == {"a": value}


def test_right_to_left_text_stays_and_what_turns_the_direction_is_spelled_out():
    assert visible("שלום\nعالم") == "שלום\nعالم"
    assert visible("a\u202eb\x1b\u2066") == "a\\u202eb\\x1b\\u2066"
    assert visible("👩\u200d💻") == "👩\u200d💻"


def test_plots_lie_on_their_line_and_keep_the_order_of_the_figures():
    made = [
        {**row, "severity": "high", "cost_usd": 1.0 if row["variant"] == "v1" else 2.0}
        for row in many(both_pass=9, regressed=6)
    ]
    comparison = compared(made)
    lines, edge = forest(comparison)
    assert 0 < edge <= 1
    for line in lines:
        assert 0 <= line.span.low <= line.span.point <= line.span.high <= WIDTH
        assert line.span.point < line.span.zero
    for plot in rate_plots(comparison):
        assert 0 <= plot.span.low <= plot.span.point <= plot.span.high <= WIDTH
    cost = next(iter(change_plots(comparison)))
    assert cost.candidate > cost.baseline
    assert cost.cells[:3] == ("1.0000", "2.0000", "+1.0000")


def test_nothing_measured_is_still_a_page():
    text = page(rows({"a": ("E", "U", CONTROL)}))
    assert "? Unmeasurable" in text
    assert "there is nothing to compare" in text


def test_five_thousand_cases_are_written_quickly():
    columns = {"answer": "word " * 100, "calls": [["search", '{"q": "x"}']], "severity": "high"}
    made = rows({f"case-{i:05}": ("P", "P" if i % 9 else "F", columns) for i in range(5000)})
    comparison = compared(made)
    began = time.process_time()
    text = html_text(HtmlReport(comparison, made))
    assert time.process_time() - began < 15
    assert len(index_of(text)["cases"]) == len(CasePages(comparison, made, {}, {}).pairs) == 5000
