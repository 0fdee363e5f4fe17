"""Trouble of every kind: no case is lost, none is doubled, no request is paid twice."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_llmreplay.store.runs import RunStore
from tests.loopback import FaultyModel, ScriptedModel, completion, serving, status
from tests.session.conftest import make_case

CALLS = {"calls": {"expected": [{"name": "order", "args": {}}]}}


def cases(count, text="please order"):
    return [
        make_case(f"case-{i:03d}", f"number {i}: {text}", "order", status="fixed", recorded=False, expect=CALLS)
        for i in range(count)
    ]


def model_variant(project, url, extra=""):
    path = project.root / "configs" / "m.yaml"
    path.write_text(
        f"kind: variant\nname: m\ntarget: {{type: model, model: openai/m, api_base: '{url}/v1', max_concurrency: 20{extra}}}\n"
    )
    return ("golden", "--llmreplay-variant", "configs/m.yaml")


def test_every_case_ends_as_it_does_without_faults(project):
    faults = {"500": 0.05, "429": 0.05, "slow": 0.02, "reset": 0.01, "malformed": 0.05}
    project.golden(*cases(120))
    model = FaultyModel(faults=faults)
    with serving(model.routes()) as url:
        result = project.run(*model_variant(project, url))
    outcomes = RunStore(project.root / ".pytest_llmreplay").load("last")[1]
    assert len({outcome.trial_id for outcome in outcomes}) == len(outcomes) == 120
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    assert {reason.code for outcome in failed for reason in outcome.reasons} == {"malformed_arguments"}
    assert {outcome.status for outcome in outcomes} == {"passed", "failed"}
    assert result.ret == 1
    assert model.answered == 120
    assert model.peak <= 20


def test_refused_credentials_stop_the_run_at_once_with_one_sentence(project):
    project.golden(*cases(60))
    model = ScriptedModel(status(401, {"error": {"message": "Incorrect API key"}}))
    with serving(model.routes()) as url:
        result = project.run(*model_variant(project, url))
    assert result.ret == 10
    assert len(model.requests) <= 20
    statuses = list(project.outcomes().values())
    assert statuses.count("not_run") >= 40
    assert set(statuses) == {"error", "not_run"}
    result.stdout.fnmatch_lines(["  * x the endpoint refused the credentials (HTTP 401): openai/m: Incorrect API key"])


def test_a_budget_stops_new_requests_and_the_rest_is_listed(project):
    project.golden(*cases(60))
    model = FaultyModel(latency_s=0.05)
    with serving(model.routes()) as url:
        arguments = model_variant(project, url, ", prices: {input_per_million: 0, output_per_million: 10000}")
        result = project.run(*arguments, "--llmreplay-max-cost", "0.7")
    # An answer costs 0.07 USD: ten use the budget up, and at most a window of twenty is under way by then.
    assert 10 <= model.requests <= 10 + 20
    statuses = list(project.outcomes().values())
    assert statuses.count("not_run") == 60 - model.requests
    assert result.ret == 10
    result.stdout.fnmatch_lines(["*not run*", "m * 0 *"])


def test_the_gravest_cases_go_first_when_a_budget_is_set(plain_project):
    from dataclasses import replace

    made = [replace(case, severity=("low", "critical")[i % 2]) for i, case in enumerate(cases(40))]
    plain_project.golden(*made)
    model = FaultyModel(latency_s=0.05)
    with serving(model.routes()) as url:
        arguments = model_variant(plain_project, url, ", prices: {input_per_million: 0, output_per_million: 10000}")
        plain_project.run(*arguments, "--llmreplay-max-cost", "0.05")
    outcomes = RunStore(plain_project.root / ".pytest_llmreplay").load("last")[1]
    ran = [outcome.severity for outcome in outcomes if outcome.status == "passed"]
    assert ran.count("critical") > ran.count("low")


def test_a_plan_sends_nothing_and_says_what_would_be_sent(project):
    project.golden(*cases(30))
    model = FaultyModel()
    with serving(model.routes()) as url:
        arguments = model_variant(project, url, ", prices: {input_per_million: 1, output_per_million: 10000}")
        result = project.run(*arguments, "--llmreplay-plan")
    assert model.requests == 0
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["*llmreplay plan*", "*variant*severity*trials*calls*tokens*USD*", "m *30*", "Nothing was sent."]
    )
    assert not (project.root / ".pytest_llmreplay").exists()


def test_a_committed_cassette_answers_where_nothing_may_be_sent(project):
    project.golden(*cases(10))
    model = FaultyModel()
    with serving(model.routes()) as url:
        arguments = model_variant(project, url)
        project.run(*arguments)
    program(project, "cassettes", "commit")
    subprocess.run(["rm", "-r", ".pytest_llmreplay"], cwd=project.root, check=True)
    project.run(*arguments, "--llmreplay-record", "none").assert_outcomes(passed=10)
    assert model.requests == 10
    changed = (project.root / "configs" / "m.yaml").read_text() + "system_prompt: Be kind.\n"
    (project.root / "configs" / "m.yaml").write_text(changed)
    result = project.run(*arguments, "--llmreplay-record", "none")
    result.assert_outcomes(errors=10)
    assert result.ret == 10
    result.stdout.fnmatch_lines(["*record mode is 'none' and this request to openai/m is not recorded; *messages*"])


def program(project, *arguments):
    command = [Path(sys.executable).parent / "pytest-llmreplay", *arguments]
    return subprocess.run(command, cwd=project.root, check=True, capture_output=True, text=True)


def start(project, *arguments):
    quiet = ["-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio"]
    command = [sys.executable, "-m", "pytest", *quiet, *project.arguments, *arguments]
    return subprocess.Popen(command, cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


KILLS = 5


def test_a_killed_run_is_resumed_without_paying_twice(plain_project):
    project, count, window = plain_project, 100, 20
    project.golden(*cases(count))
    model = FaultyModel(latency_s=0.05)
    chance = random.Random(4)
    with serving(model.routes()) as url:
        arguments = model_variant(project, url)
        for attempt in range(KILLS):
            resume = ["--llmreplay-resume"] if attempt else []
            process = start(project, *arguments, *resume)
            target = model.requests + chance.randint(1, 12)
            wait_until(lambda target=target, process=process: model.requests >= target or process.poll() is not None)
            process.kill()
            process.wait()
        result = project.run(*arguments, "--llmreplay-resume")
    result.assert_outcomes(passed=count)
    assert len(project.outcomes()) == count
    assert model.requests <= count + KILLS * window


def test_an_interrupt_stops_starting_and_leaves_a_readable_run(project):
    project.golden(*cases(200))
    model = FaultyModel(latency_s=0.2)
    with serving(model.routes()) as url:
        process = start(project, *model_variant(project, url))
        wait_until(lambda: model.answered >= 20 or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    statuses = list(project.outcomes().values())
    assert len(statuses) == 200
    assert set(statuses) == {"passed", "not_run"}
    assert model.requests < 120


def test_two_sessions_at_once_do_not_disturb_each_other(plain_project):
    plain_project.golden(*cases(40))
    model = FaultyModel(latency_s=0.05)
    with serving(model.routes()) as url:
        arguments = model_variant(plain_project, url)
        both = [start(plain_project, *arguments) for _ in range(2)]
        outputs = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    store = RunStore(plain_project.root / ".pytest_llmreplay")
    assert [len(store.load(run)[1]) for run in store.runs()] == [40, 40]
    plain_project.run(*arguments, "--llmreplay-record", "none").assert_outcomes(passed=40)


def test_a_storm_of_refusals_passes_and_the_pressure_falls(plain_project):
    class Storm(FaultyModel):
        """Refuses everything for a while after the first request."""

        def __init__(self):
            super().__init__(latency_s=0.02)
            self.until = None
            self.in_storm = []

        async def _answer(self, request):
            now = time.monotonic()
            self.until = self.until or now + 2.0
            if now < self.until:
                self.in_storm.append(now)
                return await status(429)(request)
            return await super()._answer(request)

        def routes(self):
            from aiohttp import web

            return [web.post("/v1/chat/completions", self._answer)]

    plain_project.golden(*cases(60))
    storm = Storm()
    with serving(storm.routes()) as url:
        plain_project.run(*model_variant(plain_project, url)).assert_outcomes(passed=60)
    first = sum(moment < storm.in_storm[0] + 0.5 for moment in storm.in_storm)
    last = sum(moment >= storm.in_storm[0] + 1.5 for moment in storm.in_storm)
    assert last < first / 4, (first, last)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_project_that_cannot_be_written_says_so(plain_project):
    plain_project.golden(*cases(1))
    model = ScriptedModel(completion())
    plain_project.root.chmod(0o500)
    try:
        with serving(model.routes()) as url:
            result = plain_project.run(*model_variant(plain_project, url))
    finally:
        plain_project.root.chmod(0o700)
    assert result.ret == 4
    assert "Traceback" not in result.stderr.str()
