import pytest

from pytest_llmreplay.compare import compare_outcomes
from tests.compare.build import rows

GOOD = [["hours", '{"department": "support"}'], ["lookup", '{"id": "1"}']]


def flip(passing, failing, *, reasons=(), outcomes=("P", "F"), answers=("a", "a")):
    """The flip of one case: `passing` and `failing` are the calls of the two sides."""
    made = rows({"case": outcomes})
    passes = 0 if made[0]["status"] == "passed" else 1
    made[passes].update(calls=passing, answer=answers[0])
    made[1 - passes].update(calls=failing, answer=answers[1], reasons=list(reasons))
    return compare_outcomes(made, baseline="v1", candidate="v2").flips[0]


def reason(check, code, message=""):
    return {"check": check, "code": code, "message": message, "path": "", "expected": None, "actual": None}


def test_another_tool_is_routing_with_the_first_call_that_differs():
    found = flip(GOOD, [["search", "{}"], GOOD[1]], reasons=[reason("calls", "wrong_name")])
    assert (found.direction, found.cause, found.code, found.tool) == ("regressed", "routing", "wrong_name", "hours")
    assert found.detail == "call 1: search instead of hours"


def test_a_fixed_case_is_attributed_to_what_the_baseline_did_wrong():
    found = flip(GOOD, GOOD[:1], reasons=[reason("calls", "missing_call")], outcomes=("F", "P"))
    assert (found.direction, found.cause, found.tool) == ("fixed", "routing", "lookup")
    assert found.detail == "call 2: lookup is missing"


def test_an_extra_call_is_routing():
    found = flip(GOOD, [*GOOD, ["delete_user", "{}"]], reasons=[reason("calls", "unexpected_write")])
    assert (found.cause, found.tool, found.detail) == ("routing", "delete_user", "call 3: delete_user is extra")


def test_the_same_tools_with_other_arguments_are_arguments_and_say_which():
    worse = [["hours", '{"department": "sales", "day": 1}'], GOOD[1]]
    found = flip(GOOD, worse, reasons=[reason("calls", "value_error"), reason("calls", "unexpected_argument")])
    assert (found.cause, found.code, found.tool) == ("arguments", "value_error", "hours")
    assert found.detail == 'call 1, hours: department "sales" instead of "support"; day 1 instead of absent'


def test_a_wrong_call_beside_a_wrong_argument_is_routing():
    found = flip(GOOD, [], reasons=[reason("calls", "value_error"), reason("calls", "missing_call")])
    assert found.cause == "routing"


def test_arguments_that_are_not_json_are_shown_as_they_are():
    found = flip(GOOD, [["hours", "{department: support"], GOOD[1]], reasons=[reason("calls", "malformed_arguments")])
    assert found.cause == "arguments"
    assert found.detail == 'call 1, hours: {department: support instead of {"department":"support"}'


def test_equal_calls_written_differently_are_equal():
    spelled = [["hours", '{ "department":"support" }'], {"name": "lookup", "arguments": {"id": "1"}}]
    found = flip(GOOD, spelled, reasons=[reason("answer", "contains_any", "no opening hours")], answers=("a", "b"))
    assert (found.cause, found.code, found.tool, found.detail) == (
        "answer", "contains_any", "lookup", "no opening hours"
    )  # fmt: skip


def test_a_failed_answer_after_other_calls_is_routing():
    found = flip(GOOD, [["search", "{}"]], reasons=[reason("answer", "contains_any")])
    assert (found.cause, found.code) == ("routing", "contains_any")


@pytest.mark.parametrize(("answers", "cause"), [(("a", "a"), "judge"), (("a", "b"), "answer")])
def test_only_another_verdict_on_the_same_trajectory_is_the_judges(answers, cause):
    assert flip(GOOD, GOOD, reasons=[reason("rubric", "must_pass")], answers=answers).cause == cause


def test_a_limit_is_a_limit():
    assert flip(GOOD, GOOD, reasons=[reason("limits", "latency_s")]).cause == "limits"


def test_ones_own_assertion_after_the_same_calls_is_about_the_answer():
    assert flip(GOOD, GOOD, reasons=[reason("own_assertion", "own_assertion")]).cause == "answer"


def test_without_calls_the_reasons_alone_are_believed():
    assert flip(None, None, reasons=[reason("calls", "wrong_name")]).cause == "routing"
    assert flip(None, None, reasons=[reason("rubric", "must_pass")]).cause == "unknown"
    assert flip(None, None).cause == "unknown"


@pytest.mark.parametrize(("outcomes", "count"), [(("P", "E"), 1), (("E", "F"), 1), (("P", "U"), 0), (("E", "E"), 0)])
def test_a_measurement_lost_to_an_error_is_infrastructure(outcomes, count):
    made = rows({"case": outcomes, "other": ("P", "P")})
    for row in made:
        if row["status"] == "error":
            row["reasons"] = [reason("replay", "timeout", "no reply within 60 s")]
    flips = compare_outcomes(made, baseline="v1", candidate="v2").flips
    assert [(f.direction, f.cause, f.code, f.detail) for f in flips] == [
        ("lost", "infrastructure", "timeout", "no reply within 60 s")
    ] * count


def test_a_flaky_case_flips_when_its_pass_rate_moves():
    comparison = compare_outcomes(
        rows({"down": ("PPP", "PPF"), "same": ("PPF", "FPP"), "up": ("FFF", "PFF")}), baseline="v1", candidate="v2"
    )
    assert [(f.case_id, f.direction, f.label) for f in comparison.flips] == [
        ("down", "regressed", "flaky"),
        ("up", "fixed", "flaky"),
    ]


def test_ten_regressions_with_one_cause_are_one_line():
    made = rows({f"case-{i:02}": ("P", "F") for i in range(10)})
    made += rows({"up": ("F", "P"), "odd": ("P", "F")})
    for row in made:
        passed = row["status"] == "passed"
        row["calls"] = [["hours" if passed else "search", "{}"]]
        row["reasons"] = (
            [] if passed else [reason("calls", "forbidden_call" if row["case_id"] == "odd" else "wrong_name")]
        )
    clusters = compare_outcomes(made, baseline="v1", candidate="v2").clusters
    detail = "call 1: search instead of hours"
    assert [cluster.line for cluster in clusters] == [
        f"regressed ×10: routing, wrong_name, hours ({detail}): case-00, case-01, case-02 and 7 more",
        f"regressed ×1: routing, forbidden_call, hours ({detail}): odd",
        f"fixed ×1: routing, wrong_name, hours ({detail}): up",
    ]
    assert clusters[0].case_ids == tuple(f"case-{i:02}" for i in range(10))


def test_long_text_from_a_model_is_cut():
    found = flip(GOOD, [["x" * 500, "{}"]], reasons=[reason("calls", "wrong_name")])
    assert len(found.detail) < 100
