"""A verdict with its evidence wherever a trial is shown, advisory or not, and hostile as any text of a model."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from xml.etree import ElementTree as ET

from pytest_llmreplay.model.outcome import Outcome, outcome_row
from pytest_llmreplay.model.trial import Trial
from pytest_llmreplay.model.variant import ModelTarget, Variant
from pytest_llmreplay.model.verdict import Decision, JudgeUsage, Quote, Verdict
from pytest_llmreplay.report.failure import failure_text
from pytest_llmreplay.report.html import HtmlReport, html_text
from pytest_llmreplay.report.judged import judge_lines, verdict_facts, verdict_lines
from pytest_llmreplay.report.junit import junit_text
from pytest_llmreplay.report.markdown import markdown_text
from pytest_llmreplay.report.page_data import trial_data
from pytest_llmreplay.report.paint import Screen
from pytest_llmreplay.report.summary import RunSummary
from tests.report.made import EVIL, compared

VERDICT = Verdict(
    "failed",
    "r",
    "j",
    "openai/judge",
    decisions=(
        Decision("polite", True, agreement=2 / 3, quotes=(Quote("dear customer", True),)),
        Decision("clear", False, score=2.5, quotes=(Quote("never said", False),)),
    ),
    share=0.5,
    confidence="low",
    votes=("failed", "passed", "failed"),
    agreement=2 / 3,
    shown=("answer", "reference"),
    usage=JudgeUsage(3, 2, 300, 60, 0.0123),
)
ADVISORY = replace(VERDICT, advisory="the judge was never calibrated")


def outcome(variant="v2", verdict=VERDICT, status="failed", **changes):
    made = Outcome("case-1", variant, 1, status, kind="control", case_status="fixed", verdict=verdict)
    usage = verdict.usage if verdict else JudgeUsage()
    return replace(
        made,
        judge_model="openai/judge",
        judge_calls=usage.calls,
        judge_live_calls=usage.live_calls,
        judge_cost_usd=usage.cost_usd,
        **changes,
    )


def test_the_terminal_shows_each_decision_with_its_quotes():
    variant = Variant("v2", ModelTarget(type="model", model="m"))
    text = failure_text(Trial(outcome(), variant), "pytest x")
    shown = [line.strip() for line in text.splitlines()]
    assert "judged     result: failed, 50% of the weight" in shown
    assert "votes: failed, passed, failed (67% agree)" in shown
    assert "reference: a reference answer was shown" in shown
    assert "polite: pass by 67% of the votes “dear customer”" in shown
    assert "clear: fail (2.5 of 5) “never said” (not in what the judge was shown)" in shown
    assert not any(line.startswith("advisory") for line in shown)
    assert "advisory: it does not count: the judge was never calibrated" in "\n".join(verdict_lines(asdict(ADVISORY)))


def test_the_summary_says_what_the_judge_took_and_why_it_does_not_count():
    outcomes = [outcome("v1", ADVISORY), outcome("v2", ADVISORY), outcome("v2", None)]
    summary = RunSummary(None)
    for number, made in enumerate(outcomes):
        summary.add(replace(made, trial=number))
    text = summary.text(["v1", "v2"], Screen())
    assert "judge openai/judge: 2 verdicts (0 passed, 2 failed, 0 unmeasured), 6 calls (4 live), 0.0246 USD" in text
    assert "  2 advisory, so never red: the judge was never calibrated" in text
    assert "  2 quotes in nothing that the judge was shown" in text


def test_nobody_judged_is_no_line():
    assert list(judge_lines([outcome_row(outcome(verdict=None)), {"verdict": "pass"}, {"verdict": None}])) == []


def test_junit_has_the_verdict_as_properties():
    root = ET.fromstring(junit_text([outcome_row(outcome(verdict=ADVISORY))], baseline="v1"))
    found = [(p.get("name"), p.get("value")) for p in root.iter("property")]
    for name, value in {
        "llmreplay.verdict": "failed",
        "llmreplay.verdict_advisory": "the judge was never calibrated",
        "llmreplay.verdict_share": "0.5",
        "llmreplay.judge_model": "openai/judge",
        "llmreplay.judge_cost_usd": "0.0123",
    }.items():
        assert (name, value) in found
    assert ("llmreplay.criterion", "clear: fail (2.5 of 5)") in found


def test_the_page_of_a_case_has_the_verdict_and_the_cost_of_the_judge():
    shown = trial_data(outcome_row(outcome(verdict=ADVISORY)))
    assert shown["verdict"]["advisory"] == "it does not count: the judge was never calibrated"
    assert shown["verdict"]["clear"] == "fail (2.5 of 5) “never said” (not in what the judge was shown)"
    assert shown["figures"]["judge_cost_usd"] == 0.0123
    assert "judge_calls" not in trial_data(outcome_row(outcome(verdict=None)))["figures"]


def test_markdown_has_a_section_of_the_judge():
    rows = [outcome_row(outcome("v1", ADVISORY, "passed")), outcome_row(outcome("v2", ADVISORY, "passed"))]
    text = markdown_text(compared(rows), judge=list(judge_lines(rows)))
    assert "### Judge" in text
    assert "- 2 advisory, so never red: the judge was never calibrated" in text
    assert "### Judge" not in markdown_text(compared(rows))


HOSTILE = replace(
    VERDICT,
    status="unmeasured",
    model=EVIL,
    decisions=(Decision(EVIL, False, quotes=(Quote(EVIL, False),)),),
    problem=EVIL,
    text=EVIL + "A" * 100_000,
    advisory=EVIL,
)


def test_what_a_judge_wrote_is_as_hostile_as_any_text():
    rows = [outcome_row(outcome(variant, HOSTILE, "passed")) for variant in ("v1", "v2")]
    terminal = "\n".join([*verdict_lines(asdict(HOSTILE)), *judge_lines(rows)])
    assert "\x1b" not in terminal
    assert "\u202e" not in terminal
    assert len(terminal) < 10_000
    page = html_text(HtmlReport(compared(rows), rows))
    assert "<script>document.title" not in page
    assert "<img src=x" not in page
    assert ET.fromstring(junit_text(rows, baseline="v1")) is not None
    markdown = markdown_text(compared(rows), judge=list(judge_lines(rows)))
    assert not re.search(r"(?<!\\)<(img|script|a )", markdown)
    assert not re.search(r"(?<!\\)\]\(", markdown)


def test_facts_are_plain_data_of_any_row():
    assert dict(verdict_facts(json.loads(json.dumps(asdict(VERDICT)))))["confidence"] == "low"
