"""Trouble of every kind: no case is lost, none is doubled, no request is paid twice."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from tests.fault_runs import (
    FAULTS,
    VARIANT,
    WINDOW,
    fault_cases,
    fault_matrix,
    finish,
    kill_and_resume,
    outcomes,
    ride_out_storm,
    start,
    write_project,
)
from tests.loopback import FaultyModel, ScriptedModel, completion, serving, status
from tests.session.conftest import SETTLED

DEAR = ", prices: {input_per_million: 0, output_per_million: 10000}"  # an answer costs 0.07 USD


def test_every_case_ends_as_it_does_without_faults(project):
    found = fault_matrix(project.root, 120, {**FAULTS, "malformed": 0.05}, *project.arguments)
    assert (found.lost, found.doubled, found.changed, found.paid_twice) == (0, 0, 0, 0)
    assert found.malformed > 0
    assert found.requests > 120
    assert found.most_at_once <= WINDOW


def test_refused_credentials_stop_the_run_at_once_with_one_sentence(project):
    model = ScriptedModel(status(401, {"error": {"message": "Incorrect API key"}}))
    with serving(model.routes()) as url:
        write_project(project.root, fault_cases(60), url)
        result = project.run(*VARIANT)
    assert result.ret == 10
    assert len(model.requests) <= WINDOW
    statuses = list(project.outcomes().values())
    assert statuses.count("not_run") >= 60 - WINDOW
    assert set(statuses) == {"error", "not_run"}
    result.stdout.fnmatch_lines(["  * x the endpoint refused the credentials (HTTP 401): openai/m: Incorrect API key"])


def test_a_clients_mistake_is_not_asked_again_and_stops_nobody_else(plain_project):
    too_long = status(400, {"error": {"message": "too long"}})
    model = ScriptedModel(too_long, too_long, completion("hello"))
    with serving(model.routes()) as url:
        write_project(plain_project.root, fault_cases(5), url)
        plain_project.run(*VARIANT)
    assert len(model.requests) == 5
    assert sorted(plain_project.outcomes().values()) == ["error"] * 2 + ["failed"] * 3


def test_an_outage_is_ridden_out_as_long_as_the_option_says(plain_project):
    down = [status(503)] * 12
    for wait, code in (("1ms", 10), ("20m", 1)):
        model = ScriptedModel(*down, completion("hello"))
        with serving(model.routes()) as url:
            write_project(plain_project.root, fault_cases(1), url)
            assert plain_project.run(*VARIANT, "--llmreplay-wait", wait).ret == code
        assert len(model.requests) == (1 if code == 10 else 13)


def test_a_budget_stops_new_requests_and_the_rest_is_listed(project):
    model = FaultyModel(latency_s=0.05)
    with serving(model.routes()) as url:
        write_project(project.root, fault_cases(60), url, DEAR)
        result = project.run(*VARIANT, "--llmreplay-max-cost", "0.7")
    # Ten answers use the budget up, and at most a window is under way by then.
    assert 10 <= model.requests <= 10 + WINDOW
    statuses = list(project.outcomes().values())
    assert statuses.count("not_run") == 60 - model.requests
    assert result.ret == 10
    result.stdout.fnmatch_lines(
        [
            "*not run*",
            "m * 0 *",
            "Not run",
            "  * x the budget of 0.7 USD is used up (* spent); raise it with --llmreplay-max-cost",
            "next: the same command with --llmreplay-resume",
        ]
    )


def test_a_budget_of_tokens_and_a_model_without_a_price(plain_project):
    model = FaultyModel(latency_s=0.05)
    with serving(model.routes()) as url:
        write_project(plain_project.root, fault_cases(60), url)
        result = plain_project.run(*VARIANT, "--llmreplay-max-tokens", "180", "-rs")
    assert 10 <= model.requests <= 10 + WINDOW  # 18 tokens an answer
    assert list(plain_project.outcomes().values()).count("not_run") == 60 - model.requests
    result.stdout.fnmatch_lines(["SKIPPED*the budget of 180 tokens is used up (* spent)*--llmreplay-max-tokens*"])
    said = [line for line in result.outlines if "count 0 USD towards the budget" in line]
    assert said == ["notice: requests to openai/m count 0 USD towards the budget: its price is not known"]


def test_the_gravest_cases_go_first_when_a_budget_is_set(project):
    made = [replace(case, severity=("low", "critical")[i % 2]) for i, case in enumerate(fault_cases(60))]
    model = FaultyModel(latency_s=0.05)
    with serving(model.routes()) as url:
        write_project(project.root, made, url, DEAR)
        (project.root / "pytest.ini").write_text("[pytest]\nllmreplay_max_cost = 0.05\n")
        project.run(*VARIANT)
    ran = [outcome.severity for outcome in outcomes(project.root) if outcome.status == "passed"]
    assert 1 <= len(ran) <= WINDOW
    assert set(ran) == {"critical"}


def test_a_plan_sends_nothing_and_says_what_would_be_sent(project):
    model = FaultyModel()
    with serving(model.routes()) as url:
        write_project(project.root, fault_cases(30), url, ", prices: {input_per_million: 1, output_per_million: 10000}")
        project.pytester.makeconftest(SETTLED)
        result = project.run(*VARIANT, "--llmreplay-plan")
    assert model.requests == 0
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["*llmreplay plan*", "*variant*severity*trials*calls*tokens*USD*", "m *30*", "Nothing was sent."]
    )
    assert not (project.root / ".pytest_llmreplay").exists()


def test_a_committed_cassette_answers_where_nothing_may_be_sent(project):
    model = FaultyModel()
    with serving(model.routes()) as url:
        write_project(project.root, fault_cases(10), url)
        project.run(*VARIANT)
    program(project, "cassettes", "commit")
    subprocess.run(["rm", "-r", ".pytest_llmreplay"], cwd=project.root, check=True)
    project.run(*VARIANT, "--llmreplay-record", "none").assert_outcomes(passed=10)
    assert model.requests == 10
    variant = project.root / "configs" / "m.yaml"
    variant.write_text(variant.read_text() + "system_prompt: Be kind.\n")
    result = project.run(*VARIANT, "--llmreplay-record", "none")
    result.assert_outcomes(errors=10)
    assert result.ret == 10
    result.stdout.fnmatch_lines(["*record mode is 'none' and this request to openai/m is not recorded; *messages*"])


def program(project, *arguments):
    command = [Path(sys.executable).parent / "pytest-llmreplay", *arguments]
    return subprocess.run(command, cwd=project.root, check=True, capture_output=True, text=True)


def test_a_killed_run_is_resumed_without_paying_twice(plain_project):
    found = kill_and_resume(plain_project.root, 100, kills=5, seed=4)
    assert found.lost == 0
    assert found.requests == 100 + found.in_flight
    assert found.most_in_flight <= WINDOW


def test_two_sessions_at_once_do_not_disturb_each_other(plain_project):
    model = FaultyModel(latency_s=0.05)
    root = plain_project.root
    with serving(model.routes()) as url:
        write_project(root, fault_cases(40), url)
        both = [start(root, *VARIANT) for _ in range(2)]
        printed = [finish(process) for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    from pytest_llmreplay.store.runs import RunStore

    store = RunStore(root / ".pytest_llmreplay")
    assert [len(store.load(run)[1]) for run in store.runs()] == [40, 40]
    plain_project.run(*VARIANT, "--llmreplay-record", "none").assert_outcomes(passed=40)


def test_a_storm_of_refusals_passes_and_the_pressure_falls(plain_project):
    storm = ride_out_storm(plain_project.root, 60, 2.0)
    assert storm.not_passed == 0
    assert storm.by_half_second[-1] < storm.by_half_second[0] / 4, storm
