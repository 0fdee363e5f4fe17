import json

import pytest
from aiohttp import web

from pytest_llmreplay.store.cases import read_cases
from tests.cli.conftest import conversation
from tests.loopback import ScriptedModel, completion, serving, status

EXPECT = {"answer": {"contains_any": ["4417"]}}
GOOD, BAD = completion("Your order 4417 was sent."), completion("Which order?")


@pytest.fixture
def promote(program_in, log):
    log(conversation("t-1", expect=EXPECT))
    (program_in.root / "configs").mkdir()

    def run(url, *options, code=0, extra=""):
        (program_in.root / "configs/v1.yaml").write_text(
            f"kind: variant\nname: v1\ntarget: {{type: model, model: openai/m, api_base: '{url}/v1'{extra}}}\n"
        )
        arguments = ("--expect-column", "expect", "--reproduce", "5", "--variant", "v1", "--out", "golden/a.parquet")
        return program_in("promote", "log.jsonl", *arguments, *options, code=code)

    return run


def note(program_in):
    [case] = read_cases(program_in.root / "golden/a.parquet")
    return {name: value for name, value in case.metadata["proof"]["reproduced"].items() if name != "variant_digest"}


def test_a_case_that_fails_here_says_how_often(program_in, promote):
    model = ScriptedModel(GOOD, BAD, BAD, GOOD, BAD)
    with serving(model.routes()) as url:
        result = promote(url)
    assert "reproduced on v1: fails 3 of 5 times" in result.output
    assert note(program_in) == {"variant": "v1", "trials": 5, "failed": 3, "passed": 2}
    assert len(model.requests) == 5


def test_a_case_that_never_fails_here_is_written_and_says_so(program_in, promote):
    with serving(ScriptedModel(GOOD).routes()) as url:
        result = promote(url)
    assert "not reproducible here: passes 5 of 5 times on v1" in result.output
    assert note(program_in) == {"variant": "v1", "trials": 5, "failed": 0, "passed": 5}


def test_trouble_on_the_way_is_no_failure(program_in, promote):
    with serving(ScriptedModel(BAD, status(400, {"error": {"message": "no"}}), status(400), GOOD).routes()) as url:
        result = promote(url)
    assert "reproduced on v1: fails 1 of 3 times (2 errors)" in result.output
    assert note(program_in) == {"variant": "v1", "trials": 5, "failed": 1, "passed": 2, "error": 2}
    assert "on v1: " in result.stderr


def test_nothing_measured_is_neither_and_the_program_says_so_with_its_exit_code(program_in, promote):
    with serving(ScriptedModel(status(400, {"error": {"message": "no"}})).routes()) as url:
        result = promote(url, code=10)
    assert "not measured on v1: 5 errors" in result.output
    assert "1 case written" in result.output
    assert note(program_in)["failed"] == 0


def test_recordings_answer_before_the_model_is_asked(program_in, promote):
    model = ScriptedModel(BAD)
    with serving(model.routes()) as url:
        promote(url)
        (program_in.root / "golden/a.parquet").unlink()
        promote(url, "--record", "none")
        assert len(model.requests) == 5
        (program_in.root / "golden/a.parquet").unlink()
        promote(url, "--record", "all")
    assert len(model.requests) == 10


def test_the_budget_is_kept(program_in, promote):
    model = ScriptedModel(BAD)
    prices = ", max_concurrency: 1, prices: {input_per_million: 100000, output_per_million: 100000}"
    with serving(model.routes()) as url:
        result = promote(url, "--max-cost", "2", extra=prices)
    assert len(model.requests) == 2
    assert "fails 2 of 2 times (3 not run)" in result.output
    assert "--max-cost USD raises the budget" in result.stderr
    (program_in.root / "golden/a.parquet").unlink()
    (program_in.root / "pytest.ini").write_text("[pytest]\nllmreplay_max_cost = 0\n")
    with serving(ScriptedModel(BAD).routes()) as url:
        assert "not measured on v1: 5 not run" in promote(url, "--record", "all", code=10, extra=prices).output


def test_what_cannot_be_reproduced(program_in, log):
    log(conversation("t-1"))
    (program_in.root / "configs").mkdir()
    (program_in.root / "configs/v1.yaml").write_text(
        "kind: variant\nname: v1\ntarget: {type: callable, function: 'bot:answer'}\n"
    )
    (program_in.root / "bot.py").write_text("def answer(messages, tools, replay):\n    return 1 / 0\n")
    options = ("promote", "log.jsonl", "--out", "golden/a.parquet")
    assert "belong together" in program_in.mistake(*options, "--reproduce", "2")
    assert "did you mean 'v1'?" in program_in.mistake(
        *options,
        "--reproduce",
        "2",
        "--variant",
        "v11",
    )
    result = program_in(*options, "--reproduce", "2", "--variant", "configs/v1.yaml")
    assert "not replayed: 1 cases without an expectation" in result.stderr
    (program_in.root / "golden/a.parquet").unlink()
    log(conversation("t-1", expect=json.dumps(EXPECT)))
    result = program_in(*options, "--expect-column", "expect", "--reproduce", "2", "--variant", "v1", code=10)
    assert "division by zero" in result.stderr


def test_a_dry_run_sends_nothing(program_in, promote):
    asked = []

    async def answer(request):
        asked.append(request)
        return web.json_response(GOOD)

    with serving([web.post("/v1/chat/completions", answer)]) as url:
        promote(url, "--dry-run")
    assert asked == []
