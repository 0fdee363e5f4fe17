import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.outcome import Outcome, Reason
from pytest_llmreplay.model.trajectory import Divergence, ToolAnswer
from pytest_llmreplay.model.verdict import Decision, JudgeUsage, Quote, Verdict
from pytest_llmreplay.store.outcomes import (
    outcome_from_record,
    outcome_schema,
    outcome_to_record,
    read_outcomes,
    write_outcome_records,
)

texts = st.text(st.characters(), max_size=8) | st.sampled_from(["\ud83d", "\ufdd0", "\x00", "é"])
maybe = st.none() | texts
reals = st.none() | st.floats(0, 1e6)
counts = st.integers(0, 2**40)
quotes = st.lists(st.builds(Quote, texts, st.booleans()), max_size=2).map(tuple)
verdicts = st.builds(
    Verdict,
    status=st.sampled_from(["passed", "failed", "unmeasured"]),
    rubric_digest=texts,
    judge_digest=texts,
    model=texts,
    decisions=st.lists(st.builds(Decision, texts, st.booleans(), reals, st.floats(0, 1), quotes), max_size=2).map(
        tuple
    ),
    share=reals,
    confidence=st.none() | st.just("low"),
    votes=st.lists(st.just("passed"), max_size=3).map(tuple),
    agreement=reals,
    shown=st.lists(st.just("answer"), max_size=2).map(tuple),
    problem=maybe,
    text=maybe,
    usage=st.builds(JudgeUsage, counts, counts, st.none() | counts, st.none() | counts, reals),
    advisory=maybe,
)
outcomes = st.builds(
    Outcome,
    case_id=texts,
    variant=texts,
    trial=counts,
    status=st.sampled_from(["passed", "failed", "error", "unmeasured", "not_run"]),
    reasons=st.lists(st.builds(Reason, texts, texts, texts, texts, maybe, maybe), max_size=2).map(tuple),
    calls=st.lists(st.tuples(texts, texts), max_size=2).map(tuple),
    matched=st.lists(st.booleans(), max_size=3).map(tuple),
    answer=maybe,
    steps=counts,
    input_tokens=st.none() | counts,
    cost_usd=reals,
    latency_s=reals,
    live_share=reals,
    tool_answers=st.lists(st.builds(ToolAnswer, counts, texts, texts, st.just("stub")), max_size=2).map(tuple),
    divergence=st.none() | st.builds(Divergence, counts, counts, maybe, maybe),
    diagnostics=st.dictionaries(texts, st.floats(allow_nan=False), max_size=2),
    severity=maybe,
    tags=st.lists(texts, max_size=2).map(tuple),
    weight=st.floats(0, 1e6),
    case_digest=texts,
    verdict=st.none() | verdicts,
    judge_calls=counts,
    judge_cost_usd=reals,
)


def test_every_field_has_a_column():
    assert outcome_schema().names == list(Outcome.__dataclass_fields__)


@settings(max_examples=100, deadline=None)
@given(outcomes)
def test_nothing_is_lost(tmp_path_factory, outcome):
    assert outcome_from_record(json.loads(json.dumps(outcome_to_record(outcome)))) == outcome
    path = tmp_path_factory.getbasetemp() / "o.parquet"
    write_outcome_records(path, [outcome_to_record(outcome)])
    assert read_outcomes(path) == [outcome]


def test_a_record_of_a_later_version_is_read_and_an_odd_one_refused():
    record = outcome_to_record(Outcome("c", "v", 1, "passed"))
    assert outcome_from_record({**record, "new": 1}) == Outcome("c", "v", 1, "passed")
    for change in ({"status": "great"}, {"calls": [{"name": "x"}]}, {"case_id": None}, {"reasons": [3]}):
        with pytest.raises(ValueError, match=r"outcome"):
            outcome_from_record({**record, **change})


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "o.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(UserError, match="holds no outcomes"):
        read_outcomes(path)
    write_outcome_records(path, [])
    assert read_outcomes(path) == []
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"llmreplay.schema_version": b"7"}), path)
    with pytest.raises(UserError, match="outcome schema 7"):
        read_outcomes(path)
