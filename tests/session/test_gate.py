"""The gate inside pytest: it decides the exit code, confirms red cases, and compares with an accepted baseline."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.session.conftest import CASES, make_case

FLAKY = '''
import pathlib
from bot import answer

def answer_once_wrong(messages, tools, replay):
    """Wrong the first time it is asked, right ever after."""
    seen = pathlib.Path("asked.txt")
    if messages[-1]["role"] == "user" and not seen.exists():
        seen.write_text("x")
        return "I do not know."
    return answer(messages, tools, replay)
'''


def policy(project, text=""):
    (project.root / "configs" / "gate.yaml").write_text(f"kind: gate\n{text}")
    return ("--llmreplay-baseline", "v1", "--llmreplay-gate", "configs/gate.yaml")


def only(*names):
    return [word for name in names for word in ("--llmreplay-variant", f"configs/{name}.yaml")]


def test_a_candidate_that_breaks_nothing_passes(project):
    project.golden(*CASES)
    result = project.run("golden", *only("v1", "v2"), *policy(project))
    assert result.ret == 0
    result.stdout.fnmatch_lines(["gate on v2", "*pass*"])


def test_a_candidate_that_breaks_a_control_is_a_regression(project):
    project.variant("v3", "bot:answer_worse")
    project.golden(*CASES)
    result = project.run("golden", *only("v1", "v3"), *policy(project))
    assert result.ret == 1
    result.stdout.fnmatch_lines(["gate on v3", "*regression*", "*easy-1*"])


def test_what_the_gate_tolerates_does_not_fail_the_session(project):
    project.golden(*CASES, make_case("boom-1", "boom order", "order"))
    strict = project.run("golden", *only("v1", "v2"), *policy(project))
    assert strict.ret == 10
    tolerant = project.run(
        "golden", *only("v1", "v2"), *policy(project, "max_error_share: 0.5\nmax_unmeasured_share: 0.5\n")
    )
    assert tolerant.ret == 0


def test_in_statistical_mode_single_failures_are_left_to_the_gate(project):
    project.variant("v3", "bot:answer_worse")
    project.golden(*CASES)
    text = "mode: statistical\nnon_inferiority_margin: 0.9\nmin_cases: 1\n"
    result = project.run("golden", *only("v1", "v3"), *policy(project, text), "-rx")
    result.assert_outcomes(passed=4, xfailed=4)
    result.stdout.fnmatch_lines(["XFAIL *easy-1*v3-1* - left to the gate*"])


@pytest.mark.parametrize(("confirm", "code"), [(0, 1), (3, 0)])
def test_a_red_case_is_confirmed_before_it_counts(project, confirm, code):
    project.pytester.makepyfile(flaky=FLAKY)
    project.variant("v3", "flaky:answer_once_wrong", "replay: {max_steps: 4}\n")
    project.golden(make_case("only-1", "give me a refund", "refund", status="fixed", kind="control"))
    result = project.run("golden", *only("v1", "v3"), *policy(project, f"confirm: {confirm}\n"))
    assert result.ret == code
    assert set(project.outcomes()) == {("only-1", "v1", 1), ("only-1", "v3", 1)}


def test_a_gate_without_a_baseline_is_a_mistake(plain_project):
    plain_project.golden(*CASES)
    policy(plain_project)
    result = plain_project.run("golden", "--llmreplay-gate", "configs/gate.yaml")
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*a gate compares with a baseline; add --llmreplay-baseline NAME*"])


def test_an_accepted_baseline_is_compared_with_and_not_replayed(project):
    project.golden(*CASES)
    project.run("golden", *only("v1"))
    command = [Path(sys.executable).parent / "pytest-llmreplay", "baseline", "accept", "--yes"]
    subprocess.run(command, cwd=project.root, check=True, capture_output=True)
    result = project.run("golden", *only("v2"), "--llmreplay-baseline", "accepted")
    assert result.ret == 0
    assert {variant for _, variant, _ in project.outcomes()} == {"v2"}
    result.stdout.fnmatch_lines(["accepted (baseline) * 2 * 2 *", "accepted -> v2", "*2 * 0 * 2 * 0 *"])


def test_a_variant_that_is_the_accepted_one_passes_unchanged_without_a_call(project):
    config = project.root / "configs" / "v2.yaml"
    config.write_text(config.read_text().replace("'bot:answer'", "'bot:answer', version: '1'"))
    project.golden(CASES[2], CASES[3])
    project.run("golden", *only("v2"))
    command = [Path(sys.executable).parent / "pytest-llmreplay", "baseline", "accept", "--yes"]
    subprocess.run(command, cwd=project.root, check=True, capture_output=True)
    (project.root / "bot.py").write_text("def answer(messages, tools, replay):\n    raise RuntimeError('asked')\n")
    result = project.run("golden", *only("v2"), "--llmreplay-baseline", "accepted")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["unchanged: 2 trials as accepted, in all that they depend on; not replayed"])


@pytest.mark.parametrize(
    ("stated", "unchanged"), [("", False), (", digest: [../bot.py]", False), (", digest: [../other.py]", True)]
)
def test_code_that_may_have_changed_is_replayed_though_the_variant_is_as_accepted(plain_project, stated, unchanged):
    plain_project.pytester.makepyfile(other="")
    config = plain_project.root / "configs" / "v2.yaml"
    config.write_text(config.read_text().replace("'bot:answer'", f"'bot:answer'{stated}"))
    plain_project.golden(CASES[2])
    plain_project.run("golden", *only("v2"))
    command = [Path(sys.executable).parent / "pytest-llmreplay", "baseline", "accept", "--yes"]
    subprocess.run(command, cwd=plain_project.root, check=True, capture_output=True)
    with (plain_project.root / "bot.py").open("a") as file:
        file.write("\n# changed\n")
    result = plain_project.run("golden", *only("v2"), "--llmreplay-baseline", "accepted")
    assert ("unchanged: 1 trial" in result.stdout.str()) == unchanged


def test_junit_carries_what_a_dashboard_asks_for(project):
    project.golden(CASES[2])
    project.run("golden", *only("v2"), "--junitxml", "junit.xml")
    text = (project.root / "junit.xml").read_text()
    assert 'name="llmreplay' in text
    assert "easy-1" in text
