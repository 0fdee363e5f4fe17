"""The fixture `llmreplay_trial`: one's own assertions on finished trials."""

from tests.session.conftest import CASES, make_case

TEST = """
def test_answer(llmreplay_trial):
    trial = llmreplay_trial
    assert trial.case.case_id == trial.outcome.case_id
    assert trial.variant.name in ("v1", "v2")
    assert trial.trajectory.messages[-1].role == "assistant"
    assert trial.tool_calls, "no tool was called"
    assert "it says" in trial.answer
"""


def test_a_test_gets_every_finished_trial_of_the_projects_suites(project):
    project.golden(*CASES)
    project.pytester.makepyfile(test_own=TEST)
    result = project.run("test_own.py", "--llmreplay-baseline", "v1")
    result.assert_outcomes(passed=6, xfailed=2)
    assert result.ret == 0


def test_a_failed_assertion_is_added_to_the_outcome(project):
    from pytest_llmreplay.store.runs import RunStore

    project.golden(CASES[2])
    project.pytester.makepyfile(test_own="def test_it(llmreplay_trial): assert llmreplay_trial.answer == 'nice'")
    result = project.run("test_own.py", "--llmreplay-variant", "configs/v2.yaml")
    result.assert_outcomes(failed=1)
    assert result.ret == 1
    _, [outcome] = RunStore(project.root / ".pytest_llmreplay").load("last")
    assert outcome.status == "failed"
    assert [reason.code for reason in outcome.reasons] == ["own_assertion"]
    assert "nice" in outcome.reasons[0].message
    result.stdout.fnmatch_lines(["variant  passed  failed*", "v2 * 0 * 1 *"])


def test_a_test_that_breaks_is_red_even_on_an_open_case(project):
    project.golden(CASES[0])
    project.pytester.makepyfile(test_own="def test_it(llmreplay_trial): raise KeyError('typo')")
    project.run("test_own.py", "--llmreplay-variant", "configs/v2.yaml").assert_outcomes(failed=1)


def test_tests_and_golden_items_that_ask_for_the_same_trial_share_it(project):
    project.pytester.makepyfile(
        counting="import pathlib\n\ndef answer(messages, tools, replay):\n"
        "    with pathlib.Path('calls.txt').open('a') as f: f.write('x')\n    return 'hello'\n"
    )
    project.variant("v3", "counting:answer")
    project.golden(make_case("c-1", "say hello", "order", expect={"answer": {"equals": "hello"}}))
    project.pytester.makepyfile(test_own="def test_it(llmreplay_trial): assert llmreplay_trial.answer == 'hello'")
    result = project.run("golden", "test_own.py", "--llmreplay-variant", "configs/v3.yaml")
    result.assert_outcomes(passed=2)
    assert (project.root / "calls.txt").read_text() == "x"


def test_the_suites_of_the_ini_key_are_used(project):
    project.golden(*CASES)
    (project.root / "golden").rename(project.root / "suites")
    project.pytester.makeini("[pytest]\nllmreplay_golden = suites\n")
    project.pytester.makepyfile(test_own="def test_it(llmreplay_trial): assert llmreplay_trial.outcome")
    project.run("test_own.py", "--llmreplay-variant", "configs/v2.yaml").assert_outcomes(passed=4)


def test_trouble_is_an_error_of_the_set_up(project):
    project.golden(make_case("boom-1", "boom order", "order"))
    project.pytester.makepyfile(test_own="def test_it(llmreplay_trial): pass")
    result = project.run("test_own.py", "--llmreplay-variant", "configs/v2.yaml")
    result.assert_outcomes(errors=1)
    assert result.ret == 10
