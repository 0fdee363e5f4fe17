import json
import xml.etree.ElementTree as ET

from pytest_llmreplay.compare import GatePolicy, Waiver
from pytest_llmreplay.model.conversation import Message, Tool
from pytest_llmreplay.model.variant import ModelTarget, Variant
from pytest_llmreplay.report.changes import changes_text
from pytest_llmreplay.report.commands import reproduce_commands
from pytest_llmreplay.report.evidence import evidence_data
from pytest_llmreplay.report.junit import decision_properties, junit_text, trial_properties
from tests.compare.build import many, rows
from tests.report.made import CONTROL, EVIL, compared, decided, hostile_rows


class TestJunit:
    def test_each_outcome_is_what_pytest_makes_of_it(self):
        open_case = {"kind": "incident", "case_status": "open"}
        made = rows(
            {"a": ("P", "F", CONTROL), "b": ("F", "F", open_case), "c": ("E", "U", CONTROL), "d": ("F", "P", CONTROL)}
        )
        suite = ET.fromstring(junit_text(made, baseline="v1"))[0]
        names = ("tests", "failures", "errors", "skipped")
        assert [suite.get(name) for name in names] == ["8", "1", "1", "4"]
        marks = {
            case.get("name"): [child.tag for child in case if child.tag != "properties"]
            for case in suite.iter("testcase")
        }
        assert marks["a[v2-1]"] == ["failure"]
        assert marks["b[v2-1]"] == marks["d[v1-1]"] == marks["c[v2-1]"] == ["skipped"]
        assert marks["c[v1-1]"] == ["error"]
        assert marks["d[v2-1]"] == []

    def test_hostile_text_is_valid_xml(self):
        text = junit_text(hostile_rows(), baseline="v1", decision=decided(compared(hostile_rows())))
        text.encode("utf-8")
        suite = ET.fromstring(text)[0]
        assert suite.get("failures") == "2"
        assert len(text) < 200_000

    def test_the_properties_name_what_a_dashboard_groups_by(self):
        row = {
            "status": "failed", "variant": "v2", "trial": 1, "severity": "high", "cost_usd": 0.5, "tags": ["vip", "de"],
            "reasons": [{"code": "wrong_name"}, {"code": "wrong_name"}], "intent": None,
        }  # fmt: skip
        assert trial_properties(row) == [
            ("llmreplay.variant", "v2"), ("llmreplay.trial", "1"), ("llmreplay.status", "failed"),
            ("llmreplay.severity", "high"), ("llmreplay.cost_usd", "0.5"), ("llmreplay.tag", "vip"),
            ("llmreplay.tag", "de"), ("llmreplay.code", "wrong_name"),
        ]  # fmt: skip

    def test_the_suite_says_what_the_gate_decided(self):
        found = dict(decision_properties(decided(compared(many(both_pass=5, regressed=1)))))
        assert found["llmreplay.decision"] == "regression"
        assert found["llmreplay.rule"] == "max_regressions"


def variant(name, **changes):
    target = ModelTarget(type="model", model="openai/m", params=changes.pop("params", {}), api_key_env="SECRET_NAME")
    return Variant(name=name, target=target, **changes)


class TestChanges:
    def test_prompt_tools_and_parameters_are_shown_as_differences(self):
        before = variant(
            "v1", system_prompt="Be kind.\nBe brief.", tools=(Tool("a"), Tool("b", "old")), params={"temperature": 0}
        )
        after = variant(
            "v2",
            system_prompt="Be kind.\nBe exact.",
            tools=(Tool("b", "new"), Tool("c", effect="write")),
            params={"temperature": 1},
            examples=(Message("user", "hello"),),
        )
        comparison = compared(many(both_pass=3, fixed=2, regressed=1))
        text = changes_text(before, after, comparison, runs=[{"run_id": "r1", "git_commit": "abc"}])
        for words in (
            "-Be brief.\n+Be exact.", "- removed `a`", "- added `c`", '-  "description": "old"', '+  "description": "new"',
            '-    "temperature": 0', '+    "temperature": 1', '+    "content": "hello"', "commit `abc`",
            "## Cases that it fixed: 2", "- `fx001`", "## Cases that it broke: 1", "- `rg000`",
        ):  # fmt: skip
            assert words in text, words
        assert "SECRET_NAME" not in text

    def test_nothing_changed_is_said(self):
        text = changes_text(variant("v1"), variant("v2"), compared(many(both_pass=3)))
        assert "Nothing that could change an outcome differs" in text

    def test_a_prompt_with_fences_stays_in_its_fence(self):
        text = changes_text(
            variant("v1", system_prompt="x"),
            variant("v2", system_prompt=f"```\n{EVIL}\n````"),
            compared(many(both_pass=1)),
        )
        assert "`````diff" in text
        assert "\x1b" not in text

    def test_tools_as_recorded_are_named_so(self):
        text = changes_text(variant("v1"), variant("v2", tools=(Tool("a"),)), compared(many(both_pass=1)))
        assert "as recorded in each case → `a`" in text


def test_the_evidence_is_plain_data_that_tells_changes_apart():
    def evidence(made, **changes):
        comparison = compared(made)
        given = {
            "policy": GatePolicy(),
            "waivers": [Waiver(case="a", until="2099-01-01", owner="o", reason="r")],
            "rows": made,
            "runs": [{"run_id": "r"}, {}],
            "decided_at": "2026-03-06T17:00:00+00:00",
            "versions": {"python": "3"},
        }
        return evidence_data(decided(comparison), comparison, **{**given, **changes})

    made = [{**row, "case_digest": "c", "variant_digest": row["variant"]} for row in many(both_pass=3)]
    first = evidence(made)
    assert json.loads(json.dumps(first)) == json.loads(json.dumps(evidence(list(reversed(made)))))
    assert first["baseline"]["variant_digests"] == ["v1"]
    assert first["candidate"]["case_digests"] == {"pp000": "c", "pp001": "c", "pp002": "c"}
    assert [run["run_id"] for run in first["runs"]] == ["r"]
    assert evidence(made, policy=GatePolicy(min_cases=2))["policy_digest"] != first["policy_digest"]
    assert evidence(many(both_pass=2, fixed=1))["outcomes_digest"] != first["outcomes_digest"]


def test_the_command_replays_the_first_failing_trial_of_the_candidate():
    made = [{**r, "case_file": "golden/a b.parquet"} for r in rows({"x": ("PPP", "PFF"), "y": ("P", "P")})]
    runs = [{}, {"variants": {"v2": {"file": "configs/v2.yaml"}}}]
    expected = {"x": "pytest 'golden/a b.parquet::x[v2-2]' --llmreplay-variant configs/v2.yaml --llmreplay-trials 2"}
    assert reproduce_commands(made, "v2", runs) == expected
    assert reproduce_commands(made, "v2", [{}]) == {}
    assert reproduce_commands(many(regressed=1), "v2", runs) == {}
