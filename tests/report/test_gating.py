import datetime as dt

import pytest

from pytest_llmreplay.compare import GatePolicy
from pytest_llmreplay.report.gating import cases_to_confirm, confirmation_of, gate_of, left_to_the_gate
from tests.compare.build import rows
from tests.report.made import CONTROL, compared

MADE = rows({**{f"c{i}": ("P", "P", CONTROL) for i in range(9)}, "red": ("P", "F", CONTROL)})


def test_only_red_cases_are_confirmed_and_only_when_asked():
    assert cases_to_confirm(GatePolicy(confirm=3), compared(MADE)) == ("red",)
    assert cases_to_confirm(GatePolicy(), compared(MADE)) == ()


@pytest.mark.parametrize(("fresh", "decision"), [("PPP", "pass"), ("FFP", "regression"), ("EU", "regression")])
def test_fresh_trials_decide_about_a_red_case(tmp_path, fresh, decision):
    found = [row for row in rows({"red": ("P", fresh)}) if row["variant"] == "v2"]
    confirmations = {"red": confirmation_of(found)}
    told, waivers = gate_of(
        GatePolicy(confirm=3),
        compared(MADE),
        configs=tmp_path,
        golden=[tmp_path / "golden"],
        today=dt.date(2026, 3, 6),
        confirmations=confirmations,
    )
    assert (told.decision, waivers) == (decision, ())


def test_single_failures_are_left_to_the_gate_in_statistical_mode_only():
    statistical = GatePolicy(mode="statistical", non_inferiority_margin=0.05)
    assert left_to_the_gate(statistical, "failed")
    assert not left_to_the_gate(statistical, "error")
    assert not left_to_the_gate(statistical.model_copy(update={"max_regressions": 2}), "failed")
    assert not left_to_the_gate(GatePolicy(), "failed")
    assert not left_to_the_gate(None, "failed")
