import datetime as dt
import json

import pytest

from tests.cli.conftest import conversation
from tests.cli.test_compare import jsonl, run_of
from tests.compare.build import many, rows

CONTROL = {"kind": "control", "case_status": "fixed", "severity": "high"}
GOOD = rows({f"c{i:02}": ("P", "P", CONTROL) for i in range(20)})
BAD = rows({**{f"c{i:02}": ("P", "P", CONTROL) for i in range(20)}, "broken": ("P", "F", CONTROL)})
UNCLEAR = rows({**{f"c{i:02}": ("P", "P", CONTROL) for i in range(20)}, "lost": ("P", "U", CONTROL)})


@pytest.fixture
def gated(program_in):
    (program_in.root / "configs").mkdir()

    def policy(text="kind: gate\n"):
        (program_in.root / "configs" / "gate.yaml").write_text(text)

    policy()
    program_in.policy = policy
    return program_in


@pytest.mark.parametrize(
    ("made", "code", "head"),
    [(GOOD, 0, "GATE: PASS"), (BAD, 1, "GATE: REGRESSION"), (UNCLEAR, 10, "GATE: UNMEASURABLE")],
)
def test_the_exit_code_says_what_the_head_says(gated, made, code, head):
    assert gated("gate", jsonl(gated.root, made), code=code).stdout.startswith(head)


def test_the_decision_as_json_names_the_rule_and_the_command(gated):
    made = [{**row, "case_file": "golden/a.parquet"} for row in BAD]
    info = {"baseline": "v1", "variants": {"v1": {"file": "configs/v1.yaml"}, "v2": {"file": "configs/v2.yaml"}}}
    run_of(gated.root, made, "r1", **info)
    found = json.loads(gated("gate", "--json", code=1).stdout)
    assert (found["decision"], found["rule"], found["exit_code"]) == ("regression", "max_regressions", 1)
    assert [item["case_id"] for item in found["red"]] == ["broken"]
    command = "pytest 'golden/a.parquet::broken[v2-1]' --llmreplay-variant configs/v2.yaml"
    assert found["reproduce"] == {"broken": command}
    assert f"reproduce: {command}" in gated("gate", code=1).stdout


def test_a_missing_or_mistaken_policy_is_one_sentence(gated):
    name = jsonl(gated.root, GOOD)
    gated.policy("kind: gate\nmax_regresions: 1\n")
    assert "did you mean 'max_regressions'?" in gated.mistake("gate", name)
    gated.policy("kind: gate\nmode: statistical\n")
    assert "mode statistical needs non_inferiority_margin" in gated.mistake("gate", name)
    (gated.root / "configs/gate.yaml").unlink()
    assert "there is no gate policy" in gated.mistake("gate", name)
    assert "there is no gate policy" in gated.mistake("gate", name, "--policy", "other.yaml")


def test_several_candidates_need_a_name(gated):
    name = jsonl(gated.root, [*GOOD, *(r for r in rows({"c00": ("P", "P")}, candidate="v3") if r["variant"] == "v3")])
    assert "allowed: v2, v3" in gated.mistake("gate", name)
    assert gated("gate", name, "--candidate", "v2").stdout.startswith("GATE: PASS")


def test_the_evidence_holds_what_an_auditor_asks_for(gated):
    made = [{**r, "variant_digest": f"d-{r['variant']}", "case_digest": "c", "live_share": 0.5} for r in BAD]
    models = {"v1": {"model": "openai/gpt-a"}, "v2": {"model": "openai/gpt-b"}}
    run_of(gated.root, made, "r1", baseline="v1", variants=models, git_commit="abc")
    (gated.root / "configs/waivers.yaml").write_text(
        "kind: waivers\nwaivers:\n- {case: other, until: 2099-01-01, owner: me, reason: it is}\n"
    )
    gated("gate", "--evidence", "e.json", code=1)
    found = json.loads((gated.root / "e.json").read_text())
    assert found["decision"]["decision"] == "regression"
    assert found["policy"]["max_error_share"] == 0.0
    assert found["baseline"]["variant_digests"] == ["d-v1"]
    assert found["candidate"]["case_digests"]["broken"] == "c"
    assert found["candidate"]["trials"] == 21
    assert found["runs"][0]["variants"]["v2"]["model"] == "openai/gpt-b"
    assert found["live_share"] == 0.5
    assert found["waivers"][0]["case"] == "other"
    assert found["versions"]["pytest-llmreplay"]
    assert dt.datetime.fromisoformat(found["decided_at"]).tzinfo is not None
    gated("gate", "--evidence", "again.json", code=1)
    again = json.loads((gated.root / "again.json").read_text())
    assert again["outcomes_digest"] == found["outcomes_digest"]
    assert again["policy_digest"] == found["policy_digest"]


def test_on_github_the_summary_and_annotations_are_written_and_text_is_fenced(gated, monkeypatch):
    made = [{**row, "reasons": [{"message": "::error::fake\n%0A::x"}]} for row in BAD]
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(gated.root / "summary.md"))
    lines = gated("gate", jsonl(gated.root, made), code=1).stdout.splitlines()
    assert (gated.root / "summary.md").read_text().startswith("<!-- pytest-llmreplay -->")
    commands, fence = [], None
    for line in lines:
        if fence is None and line.startswith("::stop-commands::"):
            fence = line.removeprefix("::stop-commands::")
        elif line == f"::{fence}::":
            fence = None
        elif fence is None:
            commands.append(line)
    assert fence is None
    assert [command.split(" ")[0] for command in commands] == ["::error", "::error"]
    assert commands[1].startswith("::error title=high%3A broken::")
    assert "%250A" in commands[1]


def test_a_waiver_turns_red_to_green_until_its_day(gated):
    name = jsonl(gated.root, BAD)
    waivers = gated.root / "configs/waivers.yaml"
    waivers.write_text("kind: waivers\nwaivers:\n- {case: broken, until: 2099-01-01, owner: me, reason: Friday}\n")
    shown = gated("gate", name).stdout
    assert "Waived: 1" in shown
    assert "me: Friday" in shown
    waivers.write_text("kind: waivers\nwaivers:\n- {case: broken, until: 2020-01-01, owner: me, reason: Friday}\n")
    assert "expired on 2020-01-01" in gated("gate", name, code=1).stdout


def test_an_open_case_past_its_due_date_is_red(gated, log):
    from dataclasses import replace

    from pytest_llmreplay.store.cases import read_cases, rewrite_cases

    log(conversation("t-1", expect={"calls": {"expected": [{"name": "order"}]}}))
    gated("promote", "log.jsonl", "--expect-column", "expect", "--out", "golden/a.parquet")
    path = gated.root / "golden/a.parquet"
    [case] = read_cases(path)
    rewrite_cases(path, lambda c: replace(c, due="2020-01-31"))
    open_case = {"kind": "incident", "case_status": "open"}
    name = jsonl(gated.root, [*GOOD, *rows({case.case_id: ("F", "F", open_case)})])
    assert "(decided by overdue)" in gated("gate", name, code=1).stdout
    gated.policy("kind: gate\noverdue: ignore\n")
    gated("gate", name)


def test_the_shipped_policy_holds_for_a_healthy_candidate_and_stops_a_broken_one(gated):
    from pathlib import Path

    policy = Path(__file__).parents[2] / "configs" / "gate.yaml"
    assert gated("gate", jsonl(gated.root, GOOD), "--policy", str(policy)).stdout.startswith("GATE: PASS")
    assert gated("gate", jsonl(gated.root, BAD), "--policy", str(policy), code=1).stdout.startswith("GATE: REGRESSION")


def test_without_kinds_what_the_baseline_passed_must_pass(gated):
    broken = gated("gate", jsonl(gated.root, many(both_pass=10, regressed=1)), code=1).stdout
    assert broken.startswith("GATE: REGRESSION")
    assert gated("gate", jsonl(gated.root, many(both_pass=10, both_fail=1))).stdout.startswith("GATE: PASS")
