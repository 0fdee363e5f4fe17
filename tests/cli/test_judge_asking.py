"""`judge calibrate LABELS --judge FILE`: a judge over loopback is asked, measured and kept."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from pathlib import Path

import pytest
from aiohttp import web

from pytest_llmreplay.judge.calibration import calibration_problem, read_calibrations
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.providers.local_model import fetch
from tests.loopback import completion, serving, status

RUBRIC = """kind: rubric
criteria:
  - {id: hours, question: "Does the answer name the opening hours?", must_pass: true}
  - {id: polite, question: "Is the answer polite?"}
"""
OTHER = """kind: rubric
criteria:
  - {id: short, question: "Is the answer short?"}
"""
ANSWERS = [("From 9 to 5, dear customer.", "pass"), ("I do not know, dear customer.", "fail")]


class Judge:
    """Decides by what stands in the data line; counts what it was asked."""

    def __init__(self, decide):
        self.decide = decide
        self.prompts = []

    def routes(self):
        return [web.post("/v1/chat/completions", self._answer)]

    async def _answer(self, request):
        body = await request.json()
        self.prompts.append(body)
        question = body["messages"][-1]["content"]
        data = json.loads(re.search(r"^BEGIN \w+\n(.*)\nEND", question, re.MULTILINE)[1])
        said = self.decide(data, body)
        return said if isinstance(said, web.Response) else web.json_response(completion(said))


def verdict(hours, polite=True, quote="customer"):
    decisions = {"hours": "pass" if hours else "fail", "polite": "pass" if polite else "fail"}
    return json.dumps(
        {"evidence": [{"criterion": "hours", "quote": quote}], "decisions": decisions, "confidence": "high"}
    )


def preferred(side):
    return json.dumps({"evidence": [], "preferred": side})


@pytest.fixture
def project(program_in, tmp_path):
    (tmp_path / "configs" / "rubrics").mkdir(parents=True)
    (tmp_path / "configs" / "rubrics" / "support.yaml").write_text(RUBRIC)
    return tmp_path


@pytest.fixture
def labels(project):
    def write(rows, name="labels.jsonl"):
        (project / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return name

    return write


def pointwise(count=10):
    return [
        {"item_id": f"{i}", "label": label, "input": f"when do you open, {i}?", "answer": answer, "language": "en"}
        for i, (answer, label) in enumerate(ANSWERS * (count // 2))
    ]


def write_judge(project, url, more=""):
    target = f"{{type: model, model: openai/judge, api_base: {url}/v1{more}}}"
    (project / "configs" / "judge.yaml").write_text(f"kind: judge\ntarget: {target}\n")


def calibrate(program_in, name, *options, code=0):
    return program_in("judge", "calibrate", name, "--judge", "configs/judge.yaml", *options, code=code)


def test_a_judge_that_agrees_is_kept_and_holds(program_in, project, labels):
    judge = Judge(lambda data, _: verdict("9 to 5" in data["answer"]))
    with serving(judge.routes()) as url:
        write_judge(project, url)
        found = json.loads(calibrate(program_in, labels(pointwise(20)), "--json").stdout)
    group = found["groups"]["all"]
    assert (group["n"], group["accuracy"], group["kappa"], group["repeatability"]) == (20, 1, 1, 1)
    assert found["problem"] is None
    assert found["usage"]["calls"] == len(judge.prompts) == 40
    assert found["slices"]["language"]["en"]["n"] == 20
    (kept,) = read_calibrations(project / found["calibration"])
    assert found["calibration"] == "configs/judge.calibration.json"
    assert (kept.mode, kept.repeats, kept.rubric, kept.labels) == (
        "pointwise",
        2,
        "configs/rubrics/support.yaml",
        "labels.jsonl",
    )
    now = {"today": dt.datetime.now(dt.UTC).date(), "min_kappa": 0.6, "max_age_days": 1}
    digests = {"rubric_digest": kept.rubric_digest, "judge_digest": kept.judge_digest}
    assert calibration_problem(kept, **digests, **now) is None
    assert all(len(digest) == 64 for digest in (kept.label_digest, *digests.values()))


def test_no_label_reaches_the_judge(program_in, project, labels):
    judge = Judge(lambda data, _: verdict("9 to 5" in data["answer"]))
    rows = [
        {**row, "note": "SECRET-NOTE", "slice": "SECRET-SLICE", "item_id": f"SECRET-{i}"}
        for i, row in enumerate(pointwise())
    ]
    with serving(judge.routes()) as url:
        write_judge(project, url)
        calibrate(program_in, labels(rows), "--slice", "slice")
    for body in judge.prompts:
        shown = json.dumps(body["messages"])
        assert "SECRET" not in shown
        assert "label" not in shown


def test_a_judge_that_always_passes_fails_and_says_that_it_is_advisory(program_in, project, labels):
    with serving(Judge(lambda _data, _: verdict(True)).routes()) as url:
        write_judge(project, url)
        result = calibrate(program_in, labels(pointwise()))
        assert "The judge fails: kappa is 0.00" in result.output
        assert "Its verdicts are advisory" in " ".join(result.output.split())
        assert "1: label fail, verdict pass “customer”" in result.output
        calibrate(program_in, "labels.jsonl", "--min-kappa", "0.6", code=1)


def test_a_second_calibration_asks_nothing_and_says_the_same(program_in, project, labels):
    judge = Judge(lambda data, _: verdict("9 to 5" in data["answer"]))
    with serving(judge.routes()) as url:
        write_judge(project, url)
        first = json.loads(calibrate(program_in, labels(pointwise()), "--json").stdout)
        asked = len(judge.prompts)
        second = json.loads(calibrate(program_in, "labels.jsonl", "--json", "--record", "none").stdout)
    assert len(judge.prompts) == asked
    assert (first["groups"], second["usage"]["live_calls"]) == (second["groups"], 0)


def test_repeats_have_seeds_of_their_own_and_show_what_wavers(program_in, project, labels):
    judge = Judge(lambda data, body: verdict(body["seed"] == 1 or "9 to 5" in data["answer"]))
    with serving(judge.routes()) as url:
        write_judge(project, url)
        found = json.loads(calibrate(program_in, labels(pointwise(4)), "--repeats", "3", "--json").stdout)
    assert {body["seed"] for body in judge.prompts} == {1, 2, 3}
    # The two good answers always pass; each of the bad ones passes once in three.
    assert found["groups"]["all"]["repeatability"] == pytest.approx((1 + 1 + 1 / 3 + 1 / 3) / 4)


def test_what_the_judge_says_off_the_menu_is_counted(program_in, project, labels):
    with serving(Judge(lambda _data, _: "satisfied").routes()) as url:
        write_judge(project, url)
        found = json.loads(calibrate(program_in, labels(pointwise(4)), "--json").stdout)
    assert found["off_menu_verdicts"] == {"satisfied": 4}
    assert found["groups"]["all"]["kappa"] is None
    assert "not defined" in found["problem"]


def test_pairs_are_asked_in_both_orders(program_in, project, labels):
    judge = Judge(lambda data, _: preferred("first" if "9 to 5" in json.dumps(data["first"]) else "second"))
    good, bad = (answer for answer, _ in ANSWERS)
    rows = [
        {
            "item_id": f"{i}",
            "label": 1 + i % 2,
            "input": f"when, {i}?",
            "answer_1": [good, bad][i % 2],
            "answer_2": [bad, good][i % 2],
        }
        for i in range(12)
    ]
    with serving(judge.routes()) as url:
        write_judge(project, url)
        found = json.loads(calibrate(program_in, labels(rows), "--repeats", "1", "--json").stdout)
    group = found["groups"]["all"]
    assert (group["n"], group["items"], group["accuracy"], group["order_agreement"]) == (24, 12, 1, 1)
    assert len(judge.prompts) == 24
    assert read_calibrations(project / "configs" / "judge.calibration.json")[0].mode == "pairwise"


def test_a_judge_that_always_prefers_the_first_place_shows_it(program_in, project, labels):
    rows = [{"item_id": f"{i}", "label": 1 + i % 2, "answer_1": f"yes {i}", "answer_2": f"no {i}"} for i in range(6)]
    with serving(Judge(lambda _data, _: preferred("first")).routes()) as url:
        write_judge(project, url)
        found = json.loads(calibrate(program_in, labels(rows), "--json").stdout)
    assert found["groups"]["all"]["accuracy"] == 0.5
    assert found["groups"]["all"]["order_agreement"] <= 0


def test_another_rubric_is_kept_beside_the_first(program_in, project, labels):
    def decide(data, body):
        if "short" in body["messages"][0]["content"]:
            return json.dumps({"evidence": [], "decisions": {"short": "pass"}, "confidence": "low"})
        return verdict("9 to 5" in data["answer"])

    with serving(Judge(decide).routes()) as url:
        write_judge(project, url)
        calibrate(program_in, labels(pointwise(4)))
        (project / "configs" / "rubrics" / "short.yaml").write_text(OTHER)
        said = program_in.mistake("judge", "calibrate", "labels.jsonl", "--judge", "configs/judge.yaml")
        assert "say which rubric to apply; allowed: configs/rubrics/short.yaml, configs/rubrics/support.yaml" in said
        calibrate(program_in, "labels.jsonl", "--rubric", "configs/rubrics/short.yaml")
    kept = read_calibrations(project / "configs" / "judge.calibration.json")
    assert [one.rubric for one in kept] == ["configs/rubrics/short.yaml", "configs/rubrics/support.yaml"]


def test_trouble_on_the_way_keeps_nothing_and_is_not_a_figure(program_in, project, labels):
    with serving(Judge(lambda _data, _: web.json_response({"error": {"message": "no"}}, status=401)).routes()) as url:
        write_judge(project, url)
        result = calibrate(program_in, labels(pointwise(4)), code=10)
    assert "could not be asked, and nothing is kept" in result.output
    assert not (project / "configs" / "judge.calibration.json").exists()


def test_a_budget_that_is_used_up_keeps_nothing_and_what_was_paid_for_is_not_paid_again(program_in, project, labels):
    judge = Judge(lambda data, _: verdict("9 to 5" in data["answer"]))
    prices = ", max_concurrency: 1, prices: {input_per_million: 10000, output_per_million: 0}"
    with serving(judge.routes()) as url:
        write_judge(project, url, prices)
        result = calibrate(program_in, labels(pointwise(4)), "--max-cost", "0.3", code=10)
        paid = len(judge.prompts)
        assert "the budget of 0.3 USD is used up; raise it with --max-cost" in result.output
        assert not (project / "configs" / "judge.calibration.json").exists()
        assert 0 < paid < 8
        calibrate(program_in, "labels.jsonl", "--max-cost", "1")
        assert len(judge.prompts) == 8


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"label": "pass"}, "row 1: answer: is missing"),
        ({"label": "1", "answer": "x"}, "a pointwise label is another (found '1'); allowed: pass, fail"),
        ({"label": "1", "answer_1": "x"}, "row 1: answer_2: is missing"),
        ({"label": "pass", "answer": "x", "order": "AB"}, "order: has no place where the judge is asked"),
        ({"label": "pass", "answer": "x", "messages": "{"}, "row 1: messages: is not JSON"),
        ({"label": "pass", "answer": "x", "messages": [1]}, "row 1: messages: holds something else"),
        ({"label": "pass", "answer": "x", "tool_results": [1]}, "row 1: tool_results: must be a list of"),
        ({"label": "pass", "answer": "x", "documents": [1]}, "row 1: documents: must be a list of"),
        ({"label": "pass", "answer": "x", "reference": 1}, "row 1: reference: must be text"),
    ],
)
def test_an_item_that_cannot_be_judged_is_one_sentence(program_in, project, labels, row, said):
    with serving([web.post("/v1/chat/completions", status(500))]) as url:
        write_judge(project, url)
        name = labels([{"item_id": "a", **row}])
        assert said in program_in.mistake("judge", "calibrate", name, "--judge", "configs/judge.yaml")


def test_without_a_judge_and_without_verdicts_there_is_nothing_to_measure(program_in, labels):
    assert "say what to measure" in program_in.mistake("judge", "calibrate", labels(pointwise(2)))


def test_the_embedded_model_of_the_demo_is_measured_and_fails(program_in, project):
    pytest.importorskip("xllamacpp")
    try:
        fetch()
    except UserError as error:
        pytest.skip(f"the embedded model cannot be had: {error}")
    root = Path(__file__).parents[2]
    for name in ("judge.yaml", "rubrics/support.yaml"):
        shutil.copy(root / "configs" / name, project / "configs" / name)
    four = (root / "examples" / "labels.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)[:4]
    (project / "labels.jsonl").write_text("".join(four), encoding="utf-8")
    result = calibrate(program_in, "labels.jsonl", "--repeats", "1")
    assert "The judge fails: " in result.output
    assert "Its verdicts are advisory" in " ".join(result.output.split())
    (kept,) = read_calibrations(project / "configs" / "judge.calibration.json")
    assert (kept.model, kept.figures.n, kept.figures.off_menu) == ("local/smollm2", 4, 0)
