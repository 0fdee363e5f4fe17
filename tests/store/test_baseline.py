import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.outcome import Outcome, Reason, outcome_row
from pytest_llmreplay.model.verdict import Verdict
from pytest_llmreplay.store.baseline import (
    Origin,
    as_baseline,
    origins_of,
    read_baseline,
    unchanged,
    write_baseline,
)
from pytest_llmreplay.store.cases import golden_files, is_case_file


def outcome(case_id, status="passed", **changes):
    made = Outcome(
        case_id, "v1", 1, status, case_digest=f"digest of {case_id}", variant_digest="v", environment_digest="e"
    )
    return replace(made, **changes)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "golden" / "baseline.parquet"


def test_what_was_accepted_is_read_again(path):
    made = [
        outcome("a", reasons=(Reason("calls", "x", "y"),), tags=("t",), diagnostics={"f1": 0.5}),
        outcome("b", "failed"),
    ]
    assert write_baseline(path, made, {"variant": "v1", "run_id": "r"}) == 2
    assert read_baseline(path) == ({"variant": "v1", "run_id": "r"}, made)


def test_trouble_is_asked_again_and_answers_are_not():
    digests = {"case_digest": "digest of a", "variant_digest": "v", "environment_digest": "e"}
    made = [outcome("a", status) for status in ("passed", "failed", "unmeasured", "error", "not_run")]
    assert [found.status for found in unchanged(made, **digests)] == ["passed", "failed", "unmeasured"]


def test_it_is_no_suite(path):
    write_baseline(path, [outcome("a")], {})
    assert pq.read_metadata(path).metadata[b"llmreplay.kind"] == b"baseline"
    assert not is_case_file(path)
    assert golden_files(path.parent) == []


def test_suites_are_accepted_one_by_one_while_variant_and_environment_stay(path):
    write_baseline(path, [outcome("a"), outcome("b")], {})
    write_baseline(path, [outcome("b", "failed"), outcome("c")], {})
    assert {o.case_id: o.status for o in read_baseline(path)[1]} == {"a": "passed", "b": "failed", "c": "passed"}


@pytest.mark.parametrize("change", ["variant_digest", "environment_digest"])
def test_another_variant_or_environment_takes_the_place_of_all(path, change):
    write_baseline(path, [outcome("a"), outcome("b")], {})
    write_baseline(path, [outcome("b", **{change: "other"})], {})
    assert [o.case_id for o in read_baseline(path)[1]] == ["b"]


def test_a_case_that_changed_since_stands_for_nothing(path):
    found, changed = as_baseline(
        [outcome("a"), outcome("b"), outcome("gone")],
        {"a": Origin("digest of a"), "b": Origin("another"), "new": Origin("x")},
    )
    assert [(o.case_id, o.variant) for o in found] == [("a", "accepted")]
    assert changed == ["b"]


VERDICT = Verdict("passed", "r", "j", "m")


@pytest.mark.parametrize(
    ("compared", "stands"),
    [
        ({}, True),
        ({"rubric_digest": "r", "judge_digest": "j", "power": "counts"}, True),
        ({"rubric_digest": "another"}, False),
        ({"judge_digest": "another"}, False),
        ({"power": "advisory"}, False),
    ],
)
def test_another_rubric_judge_or_power_of_the_judge_stands_for_nothing(compared, stands):
    accepted = outcome("a", verdict=VERDICT, rubric_digest="r", judge_digest="j")
    found, changed = as_baseline([accepted], {"a": Origin("digest of a", **compared)})
    assert (len(found) == 1, changed == ["a"]) == (stands, not stands)


def test_what_a_case_was_made_of_is_gathered_from_all_of_its_outcomes():
    failed = outcome("a", "failed", rubric_digest="r", judge_digest="j")
    advised = outcome("a", verdict=replace(VERDICT, advisory="why"), rubric_digest="r", judge_digest="j")
    assert origins_of(map(outcome_row, [failed, advised])) == {"a": Origin("digest of a", "r", "j", "advisory")}


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({}, 1),
        ({"case_digest": "x"}, 0),
        ({"variant_digest": "x"}, 0),
        ({"environment_digest": "x"}, 0),
    ],
)
def test_only_equal_digests_are_unchanged(asked, count):
    digests = {"case_digest": "digest of a", "variant_digest": "v", "environment_digest": "e", **asked}
    assert len(unchanged([outcome("a"), outcome("b")], **digests)) == count


def test_what_is_no_baseline_is_refused(path, tmp_path):
    with pytest.raises(UserError, match="nothing has been accepted yet"):
        read_baseline(path)
    with pytest.raises(UserError, match="no outcome of the accepted variant"):
        write_baseline(path, [], {})
    other = tmp_path / "other.parquet"
    pq.write_table(pq.read_table(_written(path)).replace_schema_metadata({}), other)
    with pytest.raises(UserError, match="holds no accepted baseline"):
        read_baseline(other)
    newer = {b"llmreplay.kind": b"baseline", b"llmreplay.schema_version": b"99"}
    pq.write_table(pq.read_table(path).replace_schema_metadata(newer), other)
    with pytest.raises(UserError, match="outcome schema 99"):
        read_baseline(other)


def _written(path):
    write_baseline(path, [outcome("a")], json.loads("{}"))
    return path
