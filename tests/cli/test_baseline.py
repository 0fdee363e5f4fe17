import subprocess
import sys

from pytest_llmreplay.store.cases import find_case, rewrite_cases


def the_case(program_in):
    return find_case(program_in.root / "golden", next(iter(_ids(program_in))))[1]


def _ids(program_in):
    from pytest_llmreplay.store.cases import read_cases

    return [case.case_id for case in read_cases(program_in.root / "golden/example.parquet")]


def test_an_open_case_that_the_candidate_passed_becomes_fixed(replayed):
    result = replayed("baseline", "accept", "last", "--yes")
    assert "1 open case passed on v2 and becomes fixed:" in result.output
    assert the_case(replayed).status == "fixed"
    assert "nothing to accept" not in result.output


def test_where_there_is_no_terminal_it_refuses_instead_of_asking(replayed):
    assert "add --yes" in replayed.mistake("baseline", "accept")
    assert the_case(replayed).status == "open"


def test_a_case_that_changed_since_the_run_is_left_alone(replayed):
    from dataclasses import replace

    path = replayed.root / "golden/example.parquet"
    rewrite_cases(path, lambda case: replace(case, expect={"answer": {"contains_any": ["x"]}}))
    result = replayed("baseline", "accept", "--yes")
    assert "is no longer the case that was replayed" in result.stderr
    assert the_case(replayed).status == "open"


def test_an_unknown_run_or_variant_is_refused(replayed):
    assert "no run" in replayed.mistake("baseline", "accept", "nope", "--yes")
    assert "allowed: v1, v2" in replayed.mistake("baseline", "accept", "--variant", "v9", "--yes")


def test_the_accepted_outcomes_stand_for_the_baseline_in_later_runs(replayed):
    import json
    import shutil

    shown = replayed("baseline", "accept", "--yes").output
    assert "golden/baseline.parquet holds 1 accepted outcome." in shown
    (replayed.root / "configs/gate.yaml").write_text("kind: gate\n")
    shutil.copy(replayed.root / "configs/v1.yaml", replayed.root / "configs/v3.yaml")
    text = (replayed.root / "configs/v3.yaml").read_text().replace("name: v1", "name: v3")
    (replayed.root / "configs/v3.yaml").write_text(text)
    command = [sys.executable, "-m", "pytest", "golden/", "--llmreplay-variant", "configs/v3.yaml", "-q"]
    done = subprocess.run([*command, "-p", "no:hypothesispytest"], cwd=replayed.root, capture_output=True, check=False)
    assert done.returncode == 1
    found = json.loads(replayed("gate", "--baseline", "accepted", "--json", code=1).stdout)
    assert (found["decision"], found["rule"]) == ("regression", "max_regressions")
    assert "accepted -> v3" in replayed("compare", "last", "accepted").stdout


def test_a_run_of_the_first_variant_alone_can_be_accepted(replayed):
    command = [sys.executable, "-m", "pytest", "golden/", "--llmreplay-variant", "configs/v1.yaml", "-q"]
    run = [*command, "--llmreplay-baseline", "v1", "-p", "no:hypothesispytest"]
    subprocess.run(run, cwd=replayed.root, capture_output=True, check=True)
    assert "1 outcome of v1 becomes the accepted baseline (1 failed)" in replayed("baseline", "accept", "--yes").output


def test_a_run_that_was_compared_with_the_accepted_baseline_is_so_again_without_being_told(replayed):
    replayed("baseline", "accept", "--yes")
    shown = replayed.pytest("golden/", "--llmreplay-variant", "configs/v2.yaml", "--llmreplay-baseline", "accepted")
    assert "accepted -> v2" in shown
    (replayed.root / "configs/gate.yaml").write_text("kind: gate\n")
    assert "accepted -> v2" in replayed("compare").stdout
    assert replayed("gate").stdout.startswith("GATE: PASS")
    replayed("report", "--html", "report.html")


def test_trouble_is_not_accepted_and_not_taken_for_an_answer(replayed):
    from dataclasses import replace

    from pytest_llmreplay.store.baseline import read_baseline
    from pytest_llmreplay.store.runs import RunStore

    store = RunStore(replayed.root / ".pytest_llmreplay")
    passed = next(outcome for outcome in store.load("last")[1] if outcome.variant == "v2")
    run = store.start({"baseline": "v1", "variants": {}})
    run.add(replace(passed, trial=2))
    run.add(replace(passed, trial=3, status="error"))
    run.seal({})
    shown = replayed("baseline", "accept", "--yes").output
    assert "v2 passed no open case in this run" in shown
    assert "1 outcome of v2 becomes the accepted baseline (1 passed); left out: 1 in trouble or never run" in shown
    _, outcomes = read_baseline(replayed.root / "golden/baseline.parquet")
    assert [outcome.trial for outcome in outcomes] == [2]
