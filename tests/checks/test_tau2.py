"""tau2: every `action_match` flag of five runs, reproduced by one-to-one matching."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache

import pyarrow.parquet as pq
import pytest

from pytest_llmreplay.checks import check_trajectory, match_calls
from pytest_llmreplay.model.conversation import Message, turns_of
from pytest_llmreplay.model.expectation import parse_expectation
from pytest_llmreplay.model.trajectory import Trajectory, TurnReplay
from tests.shared_data import shared

RUNS = ["gpt-4o", "claude-sonnet-4-5", "gpt-4.1", "gpt-4.1-sft", "qwen2.5-7b"]


def expected_call(action):
    """tau2 compares the arguments named in `compare_args`; null means all of them, an empty list none."""
    arguments, compared = action["arguments"], action.get("compare_args")
    if compared is not None and not compared:
        return {"name": action["name"], "match": "ignore"}
    args = {name: {"equals": value} for name, value in arguments.items()}
    if compared is None:
        return {"name": action["name"], "args": args}
    args |= {name: {"absent": True} for name in compared if name not in arguments}
    return {"name": action["name"], "args": args, "keys": compared}


@cache
def rows():
    path = shared("data", "traces_airline_tau2.parquet")
    return pq.read_table(path, columns=["run_id", "task_id", "messages", "reward_info"]).to_pylist()


def checked(run):
    """Actions with upstream's flag, and the messages, of every conversation of a run that has any."""
    for row in rows():
        checks = (json.loads(row["reward_info"]) or {}).get("action_checks") if row["reward_info"] else None
        if row["run_id"] == f"tau2_airline_{run}" and checks:
            messages = tuple(Message.from_openai(message) for message in json.loads(row["messages"]))
            yield row["task_id"], [c["action"] for c in checks], [c["action_match"] for c in checks], messages


def trajectory_of(messages):
    turns = tuple(
        TurnReplay(turn.number, messages[: turn.start + 1], messages[turn.start + 1 : turn.stop])
        for turn in turns_of(messages)
    )
    return Trajectory(turns, failing_turn=len(turns))


@pytest.mark.parametrize("run", RUNS)
def test_every_flag_of_a_run(run):
    found = 0
    for task, actions, flags, messages in checked(run):
        calls = {"scope": "conversation", "order": "at_least", "expected": [expected_call(a) for a in actions]}
        report = check_trajectory(parse_expectation({"calls": calls}), trajectory_of(messages), None)
        assert list(report.matched) == flags, task
        assert bool(report.failures) == (not all(flags)), task
        found += len(flags)
    assert found


def test_there_are_542_flags_of_both_kinds():
    flags = Counter(flag for run in RUNS for _, _, flags, _ in checked(run) for flag in flags)
    assert sum(flags.values()) == 542
    assert min(flags.values()) > 50


def test_match_calls_takes_the_messages_as_they_are_logged():
    row = next(row for row in rows() if row["reward_info"] and json.loads(row["reward_info"]).get("action_checks"))
    checks = json.loads(row["reward_info"])["action_checks"]
    result = match_calls(json.loads(row["messages"]), [expected_call(check["action"]) for check in checks])
    assert [index in result.assignment for index in range(len(checks))] == [check["action_match"] for check in checks]
