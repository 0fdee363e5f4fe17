"""Airline support by real agents: one agent's conversations are promoted, two agents' logs are compared."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.shared_data import shared

WRITE_TOOLS = [
    "book_reservation", "cancel_reservation", "send_certificate", "update_reservation_baggages",
    "update_reservation_flights", "update_reservation_passengers",
]  # fmt: skip


def expectation(actions):
    """The expected actions of a task as an expectation; a task without any must change nothing."""
    if not actions:
        return {"calls": {"scope": "conversation", "forbidden": WRITE_TOOLS}}
    return {"calls": {"scope": "conversation", "expected": [expected_call(action) for action in actions]}}


def expected_call(action):
    call = {"name": action["name"], "args": {name: {"equals": value} for name, value in action["arguments"].items()}}
    compared = action.get("compare_args")
    if compared is None:
        return call
    return {**call, "keys": compared} if compared else {"name": action["name"], "match": "ignore"}


def with_expectations(source, out):
    table = pq.read_table(source)
    expect = [json.dumps(expectation(json.loads(text))) for text in table["expected_actions"].to_pylist()]
    pq.write_table(table.append_column("expect", pa.array(expect)), out)
    return table.to_pylist()


def traces_variant(name, run_id, logs, **more):
    target = {"type": "traces", "logs": str(logs), "on": "task_id", "where": f"run_id = '{run_id}'", **more}
    return f"kind: variant\nname: {name}\ntarget: {json.dumps(target)}\n"


@pytest.fixture
def airline(shell):
    rows = with_expectations(shared("data", "traces_airline_tau2.parquet"), shell.root / "log.parquet")
    shell.write("configs/v1.yaml", traces_variant("gpt-4o", "tau2_airline_gpt-4o", "../log.parquet"))
    shell.write("configs/v2.yaml", traces_variant("sonnet", "tau2_airline_claude-sonnet-4-5", "../log.parquet"))
    return rows


def promote(shell, where, **options):
    more = [word for name, value in options.items() for word in (f"--{name}", value)]
    return shell.program(
        "promote",
        "log.parquet",
        "--where",
        where,
        "--expect-column",
        "expect",
        "--out",
        "golden/airline.parquet",
        "--allow-passing",
        "--store-personal-data",
        "invented customers",
        *more,
    )


@pytest.mark.parametrize("workers", [[], ["-n2"]])
def test_two_agents_on_the_same_tasks(shell, airline, workers):
    done = promote(shell, "run_id = 'tau2_airline_gpt-4o'")
    assert "50 cases written to golden/airline.parquet: 50 open incidents" in done.stdout
    assert "Text is stored as logged" in done.stderr
    shell.pytest("golden", "--llmreplay-baseline", "gpt-4o", *workers)
    outcomes = shell.outcomes()
    assert len(outcomes) == 100
    assert {outcome.status for outcome in outcomes} == {"passed", "failed"}
    flags = upstream_flags(airline)
    seen = 0
    for outcome in outcomes:
        expected = flags[outcome.variant, task_of(outcome)]
        assert list(outcome.matched) == expected, outcome.trial_id
        seen += len(expected)
    assert seen == sum(len(flag) for (variant, _), flag in flags.items() if variant in ("gpt-4o", "sonnet"))
    assert seen > 250


def task_of(outcome):
    return outcome.case_id.rpartition("-")[0].split("-")[-2]


def upstream_flags(rows):
    names = {"tau2_airline_gpt-4o": "gpt-4o", "tau2_airline_claude-sonnet-4-5": "sonnet"}
    return {
        (names[row["run_id"]], row["task_id"]): [
            check["action_match"] for check in json.loads(row["reward_info"])["action_checks"] or []
        ]
        for row in rows
        if row["run_id"] in names
    }


def test_four_logged_trials_of_each_task(shell):
    rows = with_expectations(shared("data", "traces_airline_tau1.parquet"), shell.root / "log.parquet")
    shell.write("configs/v1.yaml", traces_variant("gpt-4o", "tau1_airline_gpt-4o", "../log.parquet", trial="trial"))
    promote(shell, "trial = 0")
    shell.pytest("golden", "--llmreplay-trials", "4")
    outcomes = shell.outcomes()
    assert len(outcomes) == len(rows) == 200
    calls = {(row["task_id"], row["trial"] + 1): row["n_tool_calls"] for row in rows}
    assert len(calls) == 200
    assert {outcome.trial for outcome in outcomes} == {1, 2, 3, 4}
    assert {outcome.status for outcome in outcomes} == {"passed", "failed"}


def test_without_the_trial_column_several_rows_fit_and_that_is_trouble(shell):
    with_expectations(shared("data", "traces_airline_tau1.parquet"), shell.root / "log.parquet")
    shell.write("configs/v1.yaml", traces_variant("gpt-4o", "tau1_airline_gpt-4o", "../log.parquet"))
    promote(shell, "trial = 0 AND task_id = '3'")
    done = shell.pytest("golden", code=10)
    assert "trial:" in done.stdout
    assert [outcome.status for outcome in shell.outcomes()] == ["error"]


def test_every_conversation_of_the_logs_can_be_promoted_and_nothing_is_dropped(shell):
    for name in ("traces_airline_tau1", "traces_airline_tau2", "traces_sgd"):
        log = shared("data", f"{name}.parquet")
        rows = pq.read_table(log, columns=["messages"]).num_rows
        done = shell.program("promote", str(log), "--residual", "keep", "--out", f"golden/{name}.parquet")
        assert f"{rows} cases written" in done.stdout
        assert "redacted: " in done.stdout


def test_a_redacted_case_compares_with_a_log_that_is_redacted_alike(shell, airline, monkeypatch):
    """The agent that the cases came from does on its redacted log what the cases say it did."""
    monkeypatch.setenv("PYTEST_LLMREPLAY_REDACTION_KEY", "00" * 32)
    where = "run_id = 'tau2_airline_gpt-4o' AND task_id IN ('7', '8', '9', '12', '14')"
    shell.program(
        "promote", "log.parquet", "--where", where, "--expect-column", "expect", "--allow-passing",
        "--residual", "keep", "--out", "golden/airline.parquet",
    )  # fmt: skip
    shell.pytest("golden", "--llmreplay-variant", "configs/v1.yaml")
    flags = upstream_flags(airline)
    outcomes = shell.outcomes()
    assert len(outcomes) == 5
    for outcome in outcomes:
        assert list(outcome.matched) == flags["gpt-4o", task_of(outcome)], outcome.trial_id
