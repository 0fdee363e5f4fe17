"""The judge inside pytest, over loopback: when it is asked, what it costs, and when its verdict counts."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from pytest_llmreplay.config.judge import load_judge, load_rubric
from pytest_llmreplay.judge.agreement import Judged, figures_of
from pytest_llmreplay.judge.calibration import Calibration, calibration_text
from pytest_llmreplay.store.runs import RunStore
from tests.loopback import completion, serving
from tests.session.conftest import make_case

RUBRIC = """\
kind: rubric
criteria:
  - id: repeats
    question: Does the answer say what the tool said?
    must_pass: true
  - id: polite
    question: Is the answer polite?
pass_at: 0.5
"""
RUBRIC_EXPECTED = {"rubric": {"file": "configs/rubrics/support.yaml"}}
BOTH = {"calls": {"expected": [{"name": "order"}]}, **RUBRIC_EXPECTED}


class LoopbackJudge:
    """Passes an answer that repeats the tool's result; or replies as it was told."""

    def __init__(self, reply=None):
        self.reply = reply
        self.requests = []

    async def answer(self, request):
        body = await request.json()
        self.requests.append(body)
        if isinstance(self.reply, int):
            return web.json_response({"error": {"message": "no"}}, status=self.reply)
        return web.json_response(completion(self.reply or self.verdict(self.shown(body))))

    @staticmethod
    def shown(body):
        return json.loads(body["messages"][1]["content"].splitlines()[2])

    @staticmethod
    def verdict(shown):
        repeats = any((call["result"] or "?") in shown["answer"] for call in shown["tool_results"])
        evidence = [{"criterion": "repeats", "quote": shown["answer"]}, {"criterion": "polite", "quote": "nowhere"}]
        decisions = {"repeats": "pass" if repeats else "fail", "polite": "fail"}
        return json.dumps({"evidence": evidence, "decisions": decisions, "confidence": "medium"})


@contextmanager
def judged(project, reply=None, extra="", target=""):
    """A project with a rubric and a judge over loopback; gives the judge."""
    loopback = LoopbackJudge(reply)
    (project.root / "configs" / "rubrics").mkdir(exist_ok=True)
    (project.root / "configs" / "rubrics" / "support.yaml").write_text(RUBRIC)
    with serving([web.post("/v1/chat/completions", loopback.answer)]) as url:
        (project.root / "configs" / "judge.yaml").write_text(
            f"kind: judge\ntarget:\n  type: model\n  model: openai/judge\n  api_base: {url}/v1\n"
            f"  prices: {{input_per_million: 1000, output_per_million: 1000}}\n{target}{extra}"
        )
        yield loopback


def figures(hits, misses):
    cells = {("pass", "pass"): hits, ("pass", "fail"): misses, ("fail", "pass"): misses, ("fail", "fail"): hits}
    pairs = [pair for pair, count in cells.items() for _ in range(count)]
    return figures_of([Judged(f"item-{n}", label, said) for n, (label, said) in enumerate(pairs)])


# Worked out here, for numpy is loaded once a process and pytester unloads what a test has loaded.
AGREES, GUESSES = figures(45, 5), figures(26, 24)


def calibrate(project, **changes):
    """Write the calibration of a judge that agrees with people."""
    judge = load_judge(project.root / "configs/judge.yaml")
    made = Calibration(
        judge_digest=judge.digest,
        rubric_digest=load_rubric(project.root / "configs/rubrics/support.yaml").digest,
        label_digest="l",
        date=dt.datetime.now(dt.UTC).date(),
        mode="pointwise",
        model="openai/judge",
        rubric="support.yaml",
        labels="labels.csv",
        repeats=1,
        figures=AGREES,
    )
    (project.root / "configs/judge.calibration.json").write_text(calibration_text([replace(made, **changes)]))


def outcomes(project):
    _, found = RunStore(project.root / ".pytest_llmreplay").load("last")
    return {outcome.case_id: outcome for outcome in found}


def only(name):
    return ("golden", "--llmreplay-variant", f"configs/{name}.yaml")


CASES = [
    make_case("good-1", "where is my order", "order", status="fixed", expect=BOTH),
    make_case("bare-1", "tell me about my order", "order", status="fixed", expect=RUBRIC_EXPECTED),
    make_case("calls-1", "please give me a refund", "refund", status="fixed"),
]
BAD = """
def answer_rude(messages, tools, replay):
    if messages[-1]["role"] == "tool":
        return "no idea"
    return {"tool_calls": [{"id": "c", "function": {"name": messages[-1]["content"].split()[-1], "arguments": "{}"}}]}
"""


def rude(project):
    project.pytester.makepyfile(rude=BAD)
    project.variant("rude", "rude:answer_rude")


def test_an_uncalibrated_judge_advises_and_never_turns_an_item_red(project):
    rude(project)
    project.golden(CASES[0], CASES[2])
    with judged(project) as judge:
        result = project.run(*only("rude"))
    result.assert_outcomes(passed=2)
    assert result.ret == 0
    found = outcomes(project)["good-1"]
    assert (found.status, found.verdict.status) == ("passed", "failed")
    assert found.verdict.advisory == "the judge was never calibrated"
    assert len(judge.requests) == 1
    result.stdout.fnmatch_lines(["judge openai/judge: 1 verdict (0 passed, 1 failed, 0 unmeasured)*"])
    result.stdout.fnmatch_lines(["*advisory*the judge was never calibrated*"])


def test_a_calibrated_judge_fails_what_the_checks_let_pass(project):
    rude(project)
    project.golden(*CASES)
    with judged(project):
        calibrate(project)
        result = project.run(*only("rude"))
    result.assert_outcomes(passed=1, failed=2)
    assert result.ret == 1
    found = outcomes(project)
    assert {name: outcome.status for name, outcome in found.items()} == {
        "good-1": "failed", "bare-1": "failed", "calls-1": "passed"
    }  # fmt: skip
    assert found["good-1"].verdict.advisory is None
    assert [reason.code for reason in found["good-1"].reasons] == ["must_pass", "criterion"]
    result.stdout.fnmatch_lines(["*must_pass: repeats: the judge says no: Does the answer say what the tool said?"])
    result.stdout.fnmatch_lines(["*no idea*"])


def test_a_calibrated_judge_passes_what_meets_the_rubric(project):
    project.golden(*CASES)
    with judged(project):
        calibrate(project)
        result = project.run(*only("v2"))
    result.assert_outcomes(passed=3)
    found = outcomes(project)["bare-1"]
    assert (found.status, found.verdict.status, found.verdict.share) == ("passed", "passed", 0.5)
    assert [quote.found for decision in found.verdict.decisions for quote in decision.quotes] == [True, False]


def test_a_case_with_nothing_but_a_rubric_is_unmeasured_while_the_judge_advises(project):
    project.golden(*CASES)
    with judged(project):
        result = project.run(*only("v2"))
    result.assert_outcomes(passed=2, skipped=1)
    assert result.ret == 10
    assert outcomes(project)["bare-1"].status == "unmeasured"
    assert "nothing but a rubric" in outcomes(project)["bare-1"].reasons[0].message


def test_without_a_judge_a_rubric_is_not_green_by_absence(plain_project):
    plain_project.golden(*CASES)
    with judged(plain_project):
        pass
    result = plain_project.run(*only("v2"), "--llmreplay-judge", "never")
    result.assert_outcomes(passed=2, skipped=1)
    found = outcomes(plain_project)
    assert "there is no judge" in found["bare-1"].reasons[0].message
    assert found["good-1"].judge_digest == ""
    assert found["good-1"].rubric_digest


@pytest.mark.parametrize(
    ("calibration", "why"),
    [
        ({"date": dt.date(2020, 1, 1)}, "days old; at most 90 count"),
        ({"rubric_digest": "another"}, "calibrated with another rubric"),
        ({"judge_digest": "another"}, "changed since it was calibrated"),
        ({"figures": GUESSES}, "below the floor of 0.6"),
        (None, "never calibrated"),
    ],
)
def test_what_the_gate_requires_is_unmeasured_without_a_valid_calibration(plain_project, calibration, why):
    plain_project.golden(*CASES)
    (plain_project.root / "configs" / "gate.yaml").write_text("kind: gate\njudge: {required: true}\n")
    with judged(plain_project):
        if calibration is not None:
            calibrate(plain_project, **calibration)
        gate = ("--llmreplay-baseline", "v1", "--llmreplay-gate", "configs/gate.yaml")
        result = plain_project.run("golden", *gate)
    found = outcomes(plain_project)
    assert (found["good-1"].status, found["calls-1"].status) == ("unmeasured", "passed")
    assert why in found["good-1"].reasons[-1].message
    assert result.ret == 10
    printed = " ".join(result.stdout.str().split())
    assert "The judge's verdicts do not count: " in printed
    assert why in printed.partition("GATE: UNMEASURABLE")[2]


def test_the_gate_passes_with_a_judge_that_proved_itself(plain_project):
    plain_project.golden(*CASES)
    (plain_project.root / "configs" / "gate.yaml").write_text("kind: gate\njudge: {required: true}\n")
    with judged(plain_project):
        calibrate(plain_project)
        gate = ("--llmreplay-baseline", "v1", "--llmreplay-gate", "configs/gate.yaml")
        result = plain_project.run("golden", *gate)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*The judge's calibration is valid.*"])


@pytest.mark.parametrize(("when", "asked"), [("when_checks_pass", 0), ("always", 1), ("never", 0)])
def test_checks_come_first_and_when_says_whether_the_judge_is_asked_all_the_same(plain_project, when, asked):
    case = make_case(
        "wrong-1", "where is my order", "order", status="fixed", expect={**BOTH, "answer": {"equals": "x"}}
    )
    plain_project.golden(case)
    with judged(plain_project, extra=f"when: {when}\n") as judge:
        calibrate(plain_project)
        result = plain_project.run(*only("v2"))
    result.assert_outcomes(failed=1)
    assert len(judge.requests) == asked
    assert (outcomes(plain_project)["wrong-1"].verdict is not None) == bool(asked)


def test_a_failing_check_stands_and_a_verdict_that_counts_is_added_to_it(plain_project):
    rude(plain_project)
    plain_project.golden(make_case("wrong-1", "where is my order", "order", expect={**BOTH, "answer": {"equals": "x"}}))
    with judged(plain_project, extra="when: always\n"):
        calibrate(plain_project)
        plain_project.run(*only("rude"))
    found = outcomes(plain_project)["wrong-1"]
    assert [reason.check for reason in found.reasons] == ["answer", "rubric", "rubric"]


@pytest.mark.parametrize("reply", [500, 401, "satisfied"])
@pytest.mark.parametrize("calibrated", [True, False])
def test_trouble_with_the_judge_hides_no_result_of_the_checks(plain_project, reply, calibrated):
    plain_project.golden(*CASES)
    with judged(plain_project, reply):
        if calibrated:
            calibrate(plain_project)
        plain_project.run(*only("v2"), "--llmreplay-wait", "10ms")
    found = outcomes(plain_project)
    assert found["calls-1"].status == "passed"
    assert found["good-1"].verdict.status == "unmeasured"
    assert found["good-1"].verdict.problem
    if not calibrated:
        assert (found["good-1"].status, found["bare-1"].status) == ("passed", "unmeasured")
    elif reply == "satisfied":
        assert (found["good-1"].status, found["good-1"].verdict.text) == ("unmeasured", "satisfied")
    elif reply == 500:
        assert (found["good-1"].status, found["good-1"].reasons[0].check) == ("error", "rubric")
    else:
        assert {found["good-1"].status, found["bare-1"].status} <= {"error", "not_run"}


def test_what_the_judge_took_is_kept_apart_and_counts_in_the_budget(plain_project):
    cases = [make_case(f"c-{n}", f"where is my {n} order", "order", status="fixed", expect=BOTH) for n in range(6)]
    plain_project.golden(*cases)
    with judged(plain_project, target="  max_concurrency: 1\n") as judge:
        calibrate(plain_project)
        result = plain_project.run(*only("v2"), "--llmreplay-max-cost", "0.03")
    found = outcomes(plain_project)
    measured = [outcome for outcome in found.values() if outcome.verdict.votes]
    assert len(measured) == len(judge.requests) < 6
    for outcome in measured:
        assert (outcome.judge_calls, outcome.judge_live_calls) == (1, 1)
        assert (outcome.judge_input_tokens, outcome.judge_output_tokens) == (11, 7)
        assert outcome.judge_cost_usd == pytest.approx(0.018)
        assert outcome.input_tokens is None
        assert outcome.cost_usd is None
        assert outcome.judge_model == "openai/judge"
    stopped = [outcome for outcome in found.values() if not outcome.verdict.votes]
    assert {outcome.status for outcome in stopped} == {"not_run"}
    assert {outcome.reasons[-1].code for outcome in stopped} == {"budget"}
    assert result.ret == 10


def test_a_verdict_is_asked_once_and_then_recorded(project):
    project.golden(*CASES)
    with judged(project) as judge:
        calibrate(project)
        project.run(*only("v2"))
        assert len(judge.requests) == 2
        project.run(*only("v2"))
        project.run(*only("v2"), "--llmreplay-record", "none")
        assert len(judge.requests) == 2
        found = outcomes(project)["good-1"]
        assert (found.status, found.judge_calls, found.judge_live_calls) == ("passed", 1, 0)
        text = RUBRIC.replace("Is the answer polite?", "Is the reply polite?")
        (project.root / "configs" / "rubrics" / "support.yaml").write_text(text)
        project.run(*only("v2"))
        assert len(judge.requests) == 4


def test_a_resumed_run_keeps_verdicts_until_the_rubric_or_the_power_changes(plain_project):
    plain_project.golden(*CASES)
    with judged(plain_project):
        calibrate(plain_project)
        plain_project.run(*only("v2"))
        plain_project.run(*only("v2"), "--llmreplay-resume")
        assert outcomes(plain_project)["good-1"].live_share == 0.0
        assert outcomes(plain_project)["good-1"].verdict.advisory is None
        (plain_project.root / "configs/judge.calibration.json").unlink()
        plain_project.run(*only("v2"), "--llmreplay-resume")
    found = outcomes(plain_project)
    assert found["good-1"].verdict.advisory == "the judge was never calibrated"
    assert found["bare-1"].status == "unmeasured"


def test_what_was_accepted_with_its_verdict_is_unchanged_until_the_judge_changes(plain_project):
    plain_project.golden(*CASES)
    config = plain_project.root / "configs" / "v2.yaml"
    config.write_text(config.read_text().replace("'bot:answer'", "'bot:answer', version: '1'"))
    accepted = (*only("v2"), "--llmreplay-baseline", "accepted")
    with judged(plain_project) as judge:
        calibrate(plain_project)
        plain_project.run(*only("v2"))
        command = [Path(sys.executable).parent / "pytest-llmreplay", "baseline", "accept", "--yes"]
        subprocess.run(command, cwd=plain_project.root, check=True, capture_output=True)
        shutil.rmtree(plain_project.root / ".pytest_llmreplay" / "recordings")
        asked = len(judge.requests)
        result = plain_project.run(*accepted)
        result.assert_outcomes(passed=3)
        assert len(judge.requests) == asked
        result.stdout.fnmatch_lines(
            ["judge openai/judge: 2 verdicts (2 passed, *), 2 calls (0 live)*", "unchanged: 3 *"]
        )
        with (plain_project.root / "configs" / "judge.yaml").open("a") as file:
            file.write("votes: 3\n")
        calibrate(plain_project)
        result = plain_project.run(*accepted)
        assert len(judge.requests) > asked
        result.stdout.fnmatch_lines(
            ["unchanged: 1 trial *", "notice: 2 cases (or their rubric or judge) changed since *"]
        )


def test_the_judge_is_told_neither_the_variant_nor_its_prompt(plain_project):
    plain_project.variant("v9-secret", "bot:answer", "system_prompt: I am version nine\n")
    plain_project.golden(CASES[0])
    with judged(plain_project) as judge:
        plain_project.run(*only("v9-secret"))
    (request,) = judge.requests
    text = json.dumps(request)
    for word in ("v9", "secret", "version nine", "good-1", "incident"):
        assert word not in text
    shown = LoopbackJudge.shown(request)
    assert shown == {
        "conversation": [{"role": "user", "text": "where is my order"}],
        "tool_results": [{"tool": "order", "arguments": "{}", "result": "order result"}],
        "answer": "it says order result",
    }


def test_the_reference_answer_of_a_case_is_shown_and_the_verdict_says_so(plain_project):
    expected = {"rubric": {**RUBRIC_EXPECTED["rubric"], "reference": "it says order result"}}
    plain_project.golden(make_case("ref-1", "where is my order", "order", expect=expected))
    with judged(plain_project) as judge:
        plain_project.run(*only("v2"))
    assert LoopbackJudge.shown(judge.requests[0])["reference"] == "it says order result"
    assert "reference" in outcomes(plain_project)["ref-1"].verdict.shown


def test_a_judge_of_its_own_model_is_warned_about_once(plain_project):
    plain_project.golden(*CASES[:2])
    with judged(plain_project) as judge:
        base = (plain_project.root / "configs" / "judge.yaml").read_text().split("api_base: ")[1].split()[0]
        (plain_project.root / "configs" / "own.yaml").write_text(
            f"kind: variant\nname: own\ntarget: {{type: model, model: openai/judge, api_base: '{base}'}}\n"
        )
        judge.reply = "hello"
        result = plain_project.run(*only("own"))
    text = result.stdout.str()
    assert text.count("judges favour their own answers") == 1
    assert "openai/judge is also that of own" in text


def test_a_resumed_run_replays_nothing_where_nobody_judges(plain_project):
    plain_project.pytester.makepyfile(
        counting="""
import pathlib
from bot import answer
def answer_counted(messages, tools, replay):
    with pathlib.Path("asked.txt").open("a") as file:
        file.write("x")
    return answer(messages, tools, replay)
"""
    )
    plain_project.variant("v3", "counting:answer_counted")
    plain_project.golden(*CASES)
    with judged(plain_project):
        pass
    for more in ((), ("--llmreplay-resume",)):
        plain_project.run(*only("v3"), "--llmreplay-judge", "never", *more)
        assert len((plain_project.root / "asked.txt").read_text()) == 6


def test_a_mistake_in_rubric_or_judge_is_one_sentence(plain_project):
    plain_project.golden(CASES[0])
    with judged(plain_project):
        rubric = plain_project.root / "configs/rubrics/support.yaml"
        rubric.write_text(RUBRIC.replace("question", "qestion"))
        result = plain_project.run(*only("v2"))
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*did you mean 'question'?*"])
        (plain_project.root / "configs" / "judge.yaml").write_text("kind: judge\ntarget: {type: model}\n")
        result = plain_project.run(*only("v2"))
        assert "judge.yaml: target.model: is missing" in result.stdout.str() + result.stderr.str()
    result = plain_project.run(*only("v2"), "--llmreplay-judge", "nobody.yaml")
    assert "there is no such judge" in result.stdout.str() + result.stderr.str()


def test_the_plan_counts_the_judge(plain_project):
    plain_project.golden(*CASES)
    with judged(plain_project, extra="votes: 3\n") as judge:
        result = plain_project.run(*only("v2"), "--llmreplay-plan")
        assert not judge.requests
    result.stdout.fnmatch_lines(["v2, judge*-* 2 *6 *"])


def test_a_flip_of_the_verdict_alone_is_the_judges(plain_project):
    plain_project.golden(CASES[0])
    with judged(plain_project) as judge:
        calibrate(plain_project)
        plain_project.run(*only("v2"))
        judge.reply = json.dumps(
            {"evidence": [], "decisions": {"repeats": "fail", "polite": "fail"}, "confidence": "low"}
        )
        plain_project.run(*only("v2"), "--llmreplay-record", "all")
    runs = sorted(path.name for path in (plain_project.root / ".pytest_llmreplay" / "runs").iterdir() if path.is_dir())
    program = [sys.executable, "-c", "from pytest_llmreplay.cli.main import main; main()", "compare", *runs]
    done = subprocess.run(program, cwd=plain_project.root, capture_output=True, text=True, check=True)
    assert "regressed ×1: judge, must_pass" in done.stdout
