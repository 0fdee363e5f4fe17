"""Runs that end early: interrupts, -x and --maxfail, crashed workers. What was measured stays and can be read."""

import signal

import pytest

from tests.fault_runs import VARIANT, WINDOW, fault_cases, finish, outcomes, start, wait_until, write_project
from tests.loopback import FaultyModel, serving


def test_an_interrupt_stops_starting_and_keeps_what_is_under_way(project):
    model = FaultyModel(latency_s=0.5)
    with serving(model.routes()) as url:
        write_project(project.root, fault_cases(200), url)
        process = start(project.root, *VARIANT, *project.arguments)
        wait_until(lambda: model.answered >= 20 or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        output = finish(process)
    assert process.returncode == 2, output
    assert "waiting for the answers under way; interrupt again to end at once" in output
    statuses = list(project.outcomes().values())
    assert len(statuses) == 200
    assert set(statuses) == {"passed", "not_run"}
    assert model.requests < 150
    assert statuses.count("passed") == model.requests == model.answered


def test_a_second_interrupt_ends_at_once_and_the_run_is_readable_and_resumed(plain_project):
    model, root = FaultyModel(latency_s=30), plain_project.root
    with serving(model.routes()) as url:
        write_project(root, fault_cases(40), url)
        process = start(root, *VARIANT)
        wait_until(lambda: model.requests >= WINDOW or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        for line in process.stdout:
            if "interrupt again" in line:
                break
        process.send_signal(signal.SIGINT)
        output = finish(process, 15)
    assert process.returncode == 2, output
    assert "Traceback" not in output
    assert model.requests == WINDOW
    assert not [outcome for outcome in outcomes(root) if outcome.status == "passed"]
    quick = FaultyModel()
    with serving(quick.routes()) as url:
        write_project(root, fault_cases(40), url)
        plain_project.run(*VARIANT, "--llmreplay-resume").assert_outcomes(passed=40)


@pytest.mark.parametrize(("stop", "failed"), [("-x", 1), ("--maxfail=3", 3)])
def test_stopping_at_failures_wastes_at_most_what_was_under_way_and_keeps_it(plain_project, stop, failed):
    model = FaultyModel(latency_s=0.1)
    with serving(model.routes()) as url:
        write_project(plain_project.root, fault_cases(400, failing_every=4), url)
        result = plain_project.run(*VARIANT, stop)
        assert result.ret == 1
        assert result.parseoutcomes()["failed"] == failed
        statuses = list(plain_project.outcomes().values())
        assert len(statuses) == 400
        assert statuses.count("not_run") == 400 - model.answered > 0
        assert model.requests == model.answered
        plain_project.run(*VARIANT, "--llmreplay-resume")
    assert set(plain_project.outcomes().values()) == {"passed", "failed"}
    assert model.requests == 400


CRASH = """
import os
from pathlib import Path

def pytest_runtest_call(item):
    if "case-0005" in item.nodeid and not Path("crashed").exists():
        Path("crashed").touch()
        os._exit(1)
"""


def test_a_crashed_worker_takes_no_outcome_with_it(pytester):
    model, root = FaultyModel(latency_s=0.02), pytester.path
    with serving(model.routes()) as url:
        write_project(root, fault_cases(30), url)
        (root / "conftest.py").write_text(CRASH)
        output = finish(process := start(root, *VARIANT, "-n2"))
    assert "crashed while running" in output
    assert process.returncode == 1, output
    assert {outcome.trial_id: outcome.status for outcome in outcomes(root)} == {
        (f"case-{i:04d}", "m", 1): "passed" for i in range(30)
    }
    assert model.requests == 30
