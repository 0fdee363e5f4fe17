"""`judge pairwise RUN`: two variants of a run side by side, over loopback."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from aiohttp import web

from pytest_llmreplay.model.outcome import Outcome
from pytest_llmreplay.store.cases import write_cases
from pytest_llmreplay.store.runs import RunStore
from tests.loopback import completion, serving
from tests.session.conftest import make_case

RUBRIC = 'kind: rubric\ncriteria:\n  - {id: open, question: "Does it say when the shop opens?"}\n'
WITH_RUBRIC = {"rubric": {"file": "configs/rubrics/support.yaml", "reference": "At nine."}}
NAMES = ("--baseline", "v1", "--candidate", "v2")


def by_content(data):
    good = ["nine" in (data[side]["answer"] or "") for side in ("first", "second")]
    return "tie" if good[0] == good[1] else "first" if good[0] else "second"


class PairJudge:
    def __init__(self, decide=by_content):
        self.decide = decide
        self.requests = []

    async def answer(self, request):
        body = await request.json()
        self.requests.append(body)
        data = json.loads(body["messages"][1]["content"].splitlines()[2])
        said = self.decide(data)
        if said not in ("first", "second", "tie"):
            return web.json_response(completion(said))
        quotes = [{"side": "first", "quote": data["first"]["answer"]}, {"side": "second", "quote": "made up"}]
        return web.json_response(completion(json.dumps({"evidence": quotes, "preferred": said})))


def outcome(case, variant, answer, **changes):
    made = Outcome(case.case_id, variant, 1, "passed", case_file="golden/s.parquet", case_digest=case.content_digest)
    return replace(made, answer=answer, calls=(("order", "{}"),), **changes)


CASES = [make_case(f"case-{n}", "when do you open?", "order", expect=WITH_RUBRIC) for n in range(4)]
BARE = make_case("bare", "when do you open?", "order")
ANSWERS = {
    "case-0": ("I do not know.", "At nine."),
    "case-1": ("At nine o'clock.", "I do not know."),
    "case-2": ("I do not know.", "No idea."),
    "case-3": (None, "At nine."),
    "bare": ("At nine.", "I do not know."),
}


@pytest.fixture
def project(program_in, tmp_path):
    (tmp_path / "configs" / "rubrics").mkdir(parents=True)
    (tmp_path / "configs" / "rubrics" / "support.yaml").write_text(RUBRIC)
    (tmp_path / "golden").mkdir()
    write_cases(tmp_path / "golden" / "s.parquet", [*CASES, BARE])
    with RunStore(tmp_path / ".pytest_llmreplay").start({"variants": {"v1": {}, "v2": {}}}) as run:
        for case in (*CASES, BARE):
            for variant, answer in zip(("v1", "v2"), ANSWERS[case.case_id], strict=True):
                run.add(outcome(case, variant, answer))
    return program_in


@pytest.fixture
def judged(project, tmp_path):
    judge = PairJudge()
    with serving([web.post("/v1/chat/completions", judge.answer)]) as url:
        (tmp_path / "configs" / "judge.yaml").write_text(
            f"kind: judge\ntarget: {{type: model, model: openai/judge, api_base: '{url}/v1'}}\n"
        )
        yield project, judge


def test_every_case_with_a_rubric_that_both_answered_is_judged_in_both_orders(judged):
    program, judge = judged
    result = program("judge", "pairwise", *NAMES)
    assert len(judge.requests) == 6
    lines = result.output.splitlines()
    assert [line.split() for line in lines if line.startswith("pairs")] == [["pairs", "1", "1", "1", "0"]]
    assert "case-0, trial 1: v2" in lines
    assert "case-1, trial 1: v1" in lines
    assert "case-2, trial 1: tie" in lines
    assert "left out: 1 trial without a rubric" in lines
    assert "left out: 1 trial not answered by both" in lines
    assert "Advisory: on pairs, the judge was never calibrated." in lines
    assert lines[-1] == "next: pytest-llmreplay compare last --baseline v1 --candidate v2"
    text = json.dumps(judge.requests)
    assert not [word for word in ("v1", "v2", "case-0", "candidate", "baseline") if f'"{word}' in text]


def test_json_holds_every_choice_with_its_orders_and_quotes(judged):
    program, judge = judged
    judge.decide = lambda _data: "first"
    found = json.loads(program("judge", "pairwise", "last", *NAMES, "--json").stdout)
    assert found["counts"] == {"candidate": 0, "baseline": 0, "tie": 3, "unmeasured": 0}
    assert (found["inconsistent"], found["p_value"]) == (3, 1.0)
    case = found["cases"][0]
    assert (case["preferred"], case["orders"], case["consistent"]) == ("tie", ["baseline", "candidate"], False)
    assert {(quote["text"], quote["found"]) for quote in case["quotes"]} >= {("At nine.", True), ("made up", False)}
    assert found["usage"]["calls"] == 6
    assert found["advisory"] == "the judge was never calibrated"


def test_a_rubric_of_ones_own_reaches_the_cases_without_one(judged):
    program, judge = judged
    program("judge", "pairwise", *NAMES, "--rubric", "configs/rubrics/support.yaml")
    assert len(judge.requests) == 8
    program("judge", "pairwise", *NAMES, "--rubric", "configs/rubrics/support.yaml", "--record", "none")
    assert len(judge.requests) == 8


def test_replies_off_the_menu_are_unmeasured_and_the_exit_code_says_so(judged):
    program, judge = judged
    judge.decide = lambda _data: "the first one is better"
    found = json.loads(program("judge", "pairwise", *NAMES, "--json", code=10).stdout)
    assert found["counts"]["unmeasured"] == 3
    assert {case["text"] for case in found["cases"]} == {"the first one is better"}


def test_trouble_with_the_judge_is_said_a_case(judged):
    program, _ = judged
    found = json.loads(program("judge", "pairwise", *NAMES, "--json", "--record", "none", code=10).stdout)
    assert all("could not be asked" in case["problem"] for case in found["cases"])


def test_mistakes_are_one_sentence(judged, tmp_path):
    program, _ = judged
    assert "allowed: v1, v2" in program.mistake("judge", "pairwise", "--baseline", "v1", "--candidate", "v3")
    assert "the same variant" in program.mistake("judge", "pairwise", "--baseline", "v1", "--candidate", "v1")
    assert "no such judge" in program.mistake("judge", "pairwise", *NAMES, "--judge", "none.yaml")
    write_cases(
        tmp_path / "golden" / "s.parquet", [replace(case, turn=1, vars={"x": 1}) for case in CASES], replace=True
    )
    assert "nothing to judge side by side" in program.mistake("judge", "pairwise", *NAMES)
