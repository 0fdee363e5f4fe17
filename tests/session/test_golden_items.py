"""Golden files as tests: what is collected, what is red, what the exit code says."""

import pytest

from tests.session.conftest import CASES, SETTLED, make_case

BASELINE = ("--llmreplay-baseline", "v1")


def test_every_open_or_fixed_case_runs_on_every_variant(project):
    project.golden(*CASES)
    result = project.run("golden", *BASELINE)
    result.assert_outcomes(passed=6, xfailed=2)
    assert result.ret == 0
    assert project.outcomes() == {
        (case_id, variant, 1): "failed" if (variant, case_id[:4]) == ("v1", "hard") else "passed"
        for case_id in ("hard-1", "hard-2", "easy-1", "easy-2")
        for variant in ("v1", "v2")
    }


def test_an_open_case_that_fails_on_a_candidate_is_known_and_one_that_passes_is_reported(project):
    project.golden(*CASES)
    result = project.run("golden", "--llmreplay-variant", "configs/v1.yaml", "-rx")
    result.assert_outcomes(passed=2, xfailed=2)
    result.stdout.fnmatch_lines(["XFAIL golden/support.parquet::hard-1*v1-1* - known, still failing*"])
    assert result.ret == 0
    result = project.run("golden", "--llmreplay-variant", "configs/v2.yaml")
    result.stdout.fnmatch_lines(["Open incidents on v2: 2 now pass, 0 are known and still fail"])


def test_a_fixed_case_and_a_control_that_fail_on_a_candidate_are_red(project):
    project.variant("v3", "bot:answer_worse")
    project.golden(*CASES)
    result = project.run(
        "golden", "--llmreplay-variant", "configs/v1.yaml", "--llmreplay-variant", "configs/v3.yaml", *BASELINE
    )
    result.assert_outcomes(passed=4, failed=2, xfailed=2)
    result.stdout.fnmatch_lines(["next: pytest-llmreplay baseline accept *"])
    assert result.ret == 1
    result.stdout.fnmatch_lines(["Regressed: these must pass and do not", "  easy-1 * (control): missing_call*"])


def test_the_baselines_failures_are_known(project):
    project.golden(make_case("hard-9", "hard order", "order", status="fixed"))
    result = project.run("golden", *BASELINE, "-rx")
    result.assert_outcomes(passed=1, xfailed=1)
    result.stdout.fnmatch_lines(["XFAIL * - still fails on v1, known*"])


def test_trouble_is_an_error_and_the_session_is_unmeasurable(project):
    project.golden(make_case("boom-1", "boom order", "order"), CASES[3])
    result = project.run("golden", "--llmreplay-variant", "configs/v2.yaml")
    result.assert_outcomes(passed=1, errors=1)
    assert result.ret == 10
    result.stdout.fnmatch_lines(["*callable_raised: bot:answer raised RuntimeError: the database is down*"])
    assert project.outcomes()["boom-1", "v2", 1] == "error"


def test_trouble_beside_a_failure_is_a_failure(project):
    project.variant("v3", "bot:answer_worse")
    project.golden(make_case("boom-1", "boom order", "order"), CASES[3])
    assert project.run("golden", "--llmreplay-variant", "configs/v3.yaml").ret == 1


def test_a_failing_test_of_another_kind_beside_trouble_is_a_failure(project):
    project.golden(make_case("boom-1", "boom order", "order"))
    project.pytester.makepyfile(test_other="def test_red(): assert False")
    assert project.run("golden", "test_other.py", "--llmreplay-variant", "configs/v2.yaml").ret == 1


def test_what_cannot_be_measured_is_skipped_and_the_session_says_so(project):
    project.golden(
        make_case("hole-1", "give me a refund", "refund", recorded=False, expect={"answer": {"contains_any": ["ok"]}})
    )
    result = project.run("golden", "--llmreplay-variant", "configs/v2.yaml", "-rs")
    result.assert_outcomes(skipped=1)
    assert result.ret == 10
    result.stdout.fnmatch_lines(
        [
            "*refund: no recorded result in 1 case; add one:",
            "*pytest-llmreplay golden stub hole-1 refund=JSON",
        ]
    )


def test_a_failing_item_shows_all_that_is_needed_to_understand_and_repeat_it(project):
    project.variant("v3", "bot:answer_worse")
    project.golden(CASES[2])
    result = project.run("golden", "--llmreplay-variant", "configs/v3.yaml")
    result.stdout.fnmatch_lines(
        [
            "case       easy-1 (control, fixed)",
            "variant    v3, trial 1: failed",
            "user       easy, give me a refund",
            "expected   refund(*",
            "called     (no tool)",
            "answer     I do not know.",
            "because",
            "  missing_call: *",
            "diverged   turn 1, call 1",
            "  recorded refund({})",
            "  now      (no call)",
            "reproduce  pytest 'golden/support.parquet::easy-1[[]v3-1[]]' --llmreplay-variant configs/v3.yaml",
        ]
    )


def test_the_command_that_reproduces_an_item_reproduces_it(plain_project):
    plain_project.variant("v3", "bot:answer_worse")
    plain_project.golden(*CASES)
    result = plain_project.run("golden/support.parquet::easy-1[v3-1]", "--llmreplay-variant", "configs/v3.yaml")
    result.assert_outcomes(failed=1)


def test_hostile_text_is_escaped(project):
    project.golden(make_case("evil-1", "easy \x1b[31m\u202e order", "order", status="fixed"))
    project.variant("v3", "bot:answer_worse")
    result = project.run("golden", "--llmreplay-variant", "configs/v3.yaml", "--color=no")
    assert "\x1b" not in result.stdout.str()
    assert "\u202e" not in result.stdout.str()
    assert r"easy \x1b[31m\u202e order" in result.stdout.str()


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (("-k", "hard-1"), 1),
        (("-k", "vip"), 1),
        (("-m", "llmreplay(severity='high')"), 1),
        (("-m", "llmreplay(status='fixed')"), 2),
        (("-m", "llmreplay(variant='v1')"), 0),
    ],
)
def test_selection(plain_project, selection, expected):
    plain_project.golden(*CASES)
    result = plain_project.run("golden", "--llmreplay-variant", "configs/v2.yaml", *selection)
    result.assert_outcomes(passed=expected, deselected=4 - expected)
    if expected:
        assert len(plain_project.outcomes()) == expected


def test_collect_only_replays_nothing_and_ids_are_sorted(project):
    project.golden(*reversed(CASES))
    project.pytester.makeconftest(SETTLED)
    result = project.run("golden", "--collect-only", "-q")
    lines = [line for line in result.stdout.lines if "::" in line]
    assert lines == sorted(lines)
    assert lines[0] == "golden/support.parquet::easy-1[v1-1]"
    assert [path.name for path in (project.root / ".pytest_llmreplay").iterdir() if path.is_dir()] == ["collected"]


def test_stop_at_the_first_failure_leaves_a_readable_run(project):
    project.variant("v3", "bot:answer_worse")
    project.golden(*CASES)
    result = project.run("golden", "--llmreplay-variant", "configs/v3.yaml", "-x")
    assert result.ret in (1, 2)
    assert result.parseoutcomes().get("failed") == 1
    assert len(project.outcomes()) == 4


def test_last_failed_runs_only_what_failed(pytester):
    from tests.session.conftest import ReplayProject

    project = ReplayProject(pytester, [])
    project.variant("v3", "bot:answer_worse")
    project.golden(*CASES)
    first = pytester.runpytest_subprocess("golden", "--llmreplay-variant", "configs/v3.yaml")
    first.assert_outcomes(passed=2, failed=2)
    again = pytester.runpytest_subprocess("golden", "--llmreplay-variant", "configs/v3.yaml", "--lf")
    again.assert_outcomes(failed=2)


def test_trials_are_items_of_their_own(project):
    project.golden(CASES[2])
    result = project.run("golden", "--llmreplay-trials", "3", "--llmreplay-variant", "configs/v2.yaml")
    result.assert_outcomes(passed=3)
    assert set(project.outcomes()) == {("easy-1", "v2", trial) for trial in (1, 2, 3)}


def test_ini_keys_do_what_the_options_do(project):
    project.golden(*CASES)
    project.pytester.makeini(
        "[pytest]\nllmreplay_variants = configs/v1.yaml\n    configs/v2.yaml\nllmreplay_baseline = v1\nllmreplay_trials = 2\n"
    )
    result = project.run("golden")
    result.assert_outcomes(passed=12, xfailed=4)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--llmreplay-variant", "configs/v9.yaml"),
            "*configs/v9.yaml: there is no such variant file; did you mean 'configs/v*.yaml'?*",
        ),
        (("--llmreplay-variant", "v2"), "*v2: there is no such variant file; did you mean 'configs/v2.yaml'?*"),
        (("--llmreplay-baseline", "v9"), "*the baseline is not among the variants (found 'v9'); allowed: v1, v2*"),
        (("--llmreplay-trials", "0"), "*--llmreplay-trials is 0; allowed: a whole number from 1*"),
        (("--llmreplay-cassettes", "golden/casettes"), "*--llmreplay-cassettes is '*casettes', which does not exist"),
    ],
)
def test_a_mistake_in_the_options_is_one_sentence(plain_project, arguments, sentence):
    plain_project.golden(*CASES)
    result = plain_project.run("golden", *arguments)
    assert result.ret == 2
    result.stdout.fnmatch_lines([sentence])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_a_target_that_cannot_be_set_up_is_one_sentence(plain_project):
    plain_project.variant("v3", "bot:no_such_function")
    plain_project.golden(*CASES)
    result = plain_project.run("golden", "--llmreplay-variant", "configs/v3.yaml")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*'bot:no_such_function' cannot be imported*"])


def test_parquet_that_holds_no_cases_is_left_alone(project):
    import pyarrow as pa
    import pyarrow.parquet as pq

    project.golden(CASES[2])
    pq.write_table(pa.table({"x": [1]}), project.root / "golden" / "other.parquet")
    project.run("golden", "--llmreplay-variant", "configs/v2.yaml").assert_outcomes(passed=1)


def test_a_file_that_is_no_parquet_is_a_collection_error(plain_project):
    plain_project.golden(CASES[2])
    (plain_project.root / "golden" / "broken.parquet").write_bytes(b"PAR1 no")
    result = plain_project.run("golden", "--llmreplay-variant", "configs/v2.yaml")
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*broken.parquet: *"])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_a_run_says_what_produced_it(project):
    project.golden(*CASES)
    project.run("golden", *BASELINE)
    info = project.run_info()
    assert info["baseline"] == "v1"
    assert set(info["variants"]) == {"v1", "v2"}
    assert info["variants"]["v1"]["file"] == "configs/v1.yaml"
    assert info["versions"]["pytest"] == pytest.__version__


@pytest.mark.parametrize("in_ci", [True, False])
def test_on_github_what_a_model_wrote_is_fenced(project, monkeypatch, in_ci):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    if in_ci:
        monkeypatch.setenv("CI", "true")
    else:
        monkeypatch.delenv("CI", raising=False)
    project.variant("v3", "bot:answer_worse")
    bot = project.root / "bot.py"
    bot.write_text(bot.read_text().replace("I do not know.", "no\\n::error::not a command"))
    project.golden(*CASES)
    expect = {"answer": {"equals": "yes"}}
    project.golden(make_case("easy-3", "easy", "order", kind="control", expect=expect), name="more.parquet")
    result = project.run("golden", "--llmreplay-variant", "configs/v3.yaml")
    fence, loose, fenced = None, [], []
    for line in result.outlines:
        if fence is None and line.startswith("::stop-commands::"):
            fence = line.removeprefix("::stop-commands::")
        elif line == f"::{fence}::":
            fence = None
        else:
            (loose if fence is None else fenced).append(line)
    assert any("::error::not a command" in line for line in fenced)
    assert not any("not a command" in line for line in loose)


@pytest.mark.parametrize("in_ci", [True, False])
def test_the_short_summary_names_outcome_and_reasons_in_one_line(project, monkeypatch, in_ci):
    if in_ci:
        monkeypatch.setenv("CI", "true")
    else:
        monkeypatch.delenv("CI", raising=False)
    project.variant("v3", "bot:answer_worse")
    project.golden(*CASES)
    result = project.run("golden", "--llmreplay-variant", "configs/v3.yaml", "--junitxml", "j.xml")
    last = result.outlines[
        result.outlines.index(next(line for line in result.outlines if "short test summary" in line)) :
    ]
    assert [line for line in last if line.startswith("FAILED")] == [
        "FAILED golden/support.parquet::easy-1[v3-1] - failed: missing_call",
        "FAILED golden/support.parquet::easy-2[v3-1] - failed: missing_call",
    ]
    assert sum("reproduce  pytest" in line for line in result.outlines) == 2
    assert project.root.joinpath("j.xml").read_text().count('message="failed: missing_call"') == 2
