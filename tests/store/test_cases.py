import threading
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.model.errors import InfrastructureError, Problems, UserError
from pytest_llmreplay.store.cases import (
    BadCase,
    BadRow,
    CaseEntry,
    CaseFile,
    CaseLabels,
    case_schema,
    find_case,
    golden_files,
    is_case_file,
    read_cases,
    read_index,
    rewrite_cases,
    write_cases,
)


def small(number, **changes):
    return replace(Case(f"c{number}", "s", "control", "fixed", (Message("user", f"hi {number}"),), 1), **changes)


@pytest.fixture
def golden(tmp_path):
    return tmp_path / "golden" / "a.parquet"


def spoil(path, column, values):
    """Replace a column of a golden file by other values, as another program might."""
    table = pq.read_table(path)
    index = table.schema.get_field_index(column)
    values = values if isinstance(values, pa.Array) else pa.array(values, table.schema.field(column).type)
    pq.write_table(table.set_column(index, column, values), path)


def test_every_field_of_a_case_has_a_column():
    assert set(case_schema().names) == set(Case.__dataclass_fields__) | {"content_digest"}


def test_a_case_survives(golden, case):
    write_cases(golden, [case, small(1)])
    assert read_cases(golden) == [case, small(1)]
    assert read_cases(golden)[0].content_digest == case.content_digest
    assert pq.read_table(golden, columns=["content_digest"]).to_pylist()[0]["content_digest"] == case.content_digest


def test_tools_not_known_and_no_tools_are_told_apart(golden):
    write_cases(golden, [small(1, tools=None), small(2, tools=())])
    assert [c.tools for c in read_cases(golden)] == [None, ()]
    assert pq.read_table(golden)["tools"].to_pylist() == [None, []]


def test_the_footer_says_what_the_file_is(golden, tmp_path):
    write_cases(golden, [small(1)])
    assert is_case_file(golden)
    assert pq.read_metadata(golden).metadata[b"llmreplay.kind"] == b"cases"
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), other)
    assert not is_case_file(other)


def test_an_unreadable_file_is_one_sentence(tmp_path):
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(UserError, match=r"x\.parquet: cannot be read") as caught:
        is_case_file(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"gone\.parquet: cannot be read: No such file"):
        is_case_file(tmp_path / "gone.parquet")


def test_a_file_cut_short_is_one_sentence(golden):
    write_cases(golden, [small(n) for n in range(300)])
    golden.write_bytes(golden.read_bytes()[:-100])
    with pytest.raises(UserError, match="cannot be read"):
        read_index(golden)


def test_a_newer_file_is_refused(golden):
    write_cases(golden, [small(1)])
    table = pq.read_table(golden)
    metadata = {**table.schema.metadata, b"llmreplay.schema_version": b"9"}
    pq.write_table(table.replace_schema_metadata(metadata), golden)
    with pytest.raises(UserError, match="case schema 9; this program knows 1; upgrade"):
        read_index(golden)


def test_an_existing_file_is_refused_unless_told(golden):
    write_cases(golden, [small(1)])
    with pytest.raises(UserError, match="exists already"):
        write_cases(golden, [small(2)])
    write_cases(golden, [small(2)], replace=True)
    assert read_cases(golden) == [small(2)]


def test_equal_ids_are_refused_and_nothing_is_written(golden):
    with pytest.raises(UserError, match="two cases have the id 'c1'"):
        write_cases(golden, [small(1), small(1)])
    assert not golden.exists()


def test_an_unsound_case_is_refused(golden):
    with pytest.raises(UserError, match="the case 'c1' is not sound: turn: is 2, but the conversation has 1 turns"):
        write_cases(golden, [small(1, turn=2)])
    with pytest.raises(UserError, match="status"):
        write_cases(golden, [small(1, status="new")])
    with pytest.raises(UserError, match="cannot be stored"):
        write_cases(golden, [small(1, vars={"a": object()})])


def test_row_groups_are_small(golden):
    write_cases(golden, [small(n) for n in range(600)])
    metadata = pq.read_metadata(golden)
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [512, 88]


def test_the_index_holds_the_flat_columns(golden, case):
    write_cases(golden, [case, *(small(n) for n in range(300))])
    entries = read_index(golden)
    assert entries[0] == CaseEntry(
        case.case_id,
        CaseLabels("support", "incident", "open", "high", "quality", "tool", "human", ("v1", "naïve")),
        0,
    )
    assert entries[300] == CaseEntry("c299", CaseLabels("s", "control", "fixed", None, None, None, None, ()), 300)


def test_odd_text_survives_in_the_index(golden):
    odd = small(1, case_id="c\ud83d\ufdd0", suite="\udfff", intent="", tags=("\ud800", ""))
    write_cases(golden, [odd, small(2)])
    entry = read_index(golden)[0]
    labels = entry.labels
    assert (entry.case_id, labels.suite, labels.intent, labels.tags) == (odd.case_id, odd.suite, odd.intent, odd.tags)
    assert CaseFile(golden).load(0) == odd


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("case_id", None, "is missing"),
        ("case_id", "", "is empty"),
        ("case_id", "c0", "repeats that of row 1"),
        ("suite", None, "is missing"),
        ("kind", "accident", "is 'accident'; allowed: incident, control"),
        ("status", None, "is missing"),
        ("severity", "awful", "is 'awful'; allowed: critical, high, medium, low"),
        ("failure_stage", "", "is ''; allowed: retrieval, tool, prompt, model, guardrail"),
    ],
)
def test_a_bad_row_is_named_and_the_rest_is_read(golden, column, value, reason):
    write_cases(golden, [small(n) for n in range(3)])
    values = pq.read_table(golden)[column].to_pylist()
    spoil(golden, column, [values[0], value, values[2]])
    first, bad, last = read_index(golden)
    assert isinstance(bad, BadRow)
    assert (bad.row, bad.field, bad.reason) == (1, column, reason)
    assert (first.case_id, last.case_id) == ("c0", "c2")


@pytest.mark.parametrize(
    ("column", "value", "field", "reason"),
    [
        ("messages", [{"role": None, "content": "x"}], "messages[0].role", "is missing"),
        ("messages", None, "turn", "is 1, but the conversation has 0 turns"),
        ("messages", [None], "messages[0]", "is missing"),
        ("turn", None, "turn", "is missing"),
        ("expect", "{", "expect", "is not JSON"),
        ("vars", "[]", "vars", "is JSON of a list, not of an object"),
        ("vars", "[" * 100_000, "vars", "is not JSON"),
        ("weight", float("nan"), "weight", "is nan, not a number of at least 0"),
        ("schema_version", 2, "schema_version", "newer than this program knows"),
        ("tools", [{"name": "a", "effect": "delete"}], "tools[0].effect", "is 'delete'; allowed: read, write"),
        ("tools", [{"name": "a", "parameters": "{"}], "tools[0].parameters", "is not JSON"),
    ],
)
def test_a_bad_case_says_file_row_field_and_reason(golden, column, value, field, reason):
    write_cases(golden, [small(0), small(1)])
    spoil(golden, column, [pq.read_table(golden)[column].to_pylist()[0], value])
    assert isinstance(read_index(golden)[1], CaseEntry)
    file = CaseFile(golden)
    assert file.load(0) == small(0)
    with pytest.raises(BadCase, match="row 2") as caught:
        file.load(1)
    assert (caught.value.file, caught.value.row, caught.value.field) == (golden, 1, field)
    assert reason in caught.value.reason
    assert isinstance(caught.value, InfrastructureError)
    with pytest.raises(Problems):
        read_cases(golden)


def test_text_that_is_not_utf8_harms_only_its_own_row(golden):
    write_cases(golden, [small(0, title="fine"), small(1, title="broken")])
    broken = pa.StringArray.from_buffers(
        2, pa.py_buffer(bytes([0, 0, 0, 0, 4, 0, 0, 0, 6, 0, 0, 0])), pa.py_buffer(b"fine\xff\xfe")
    )
    spoil(golden, "title", broken)
    file = CaseFile(golden)
    assert file.load(0).title == "fine"
    with pytest.raises(BadCase, match="title: is not UTF-8"):
        file.load(1)


def test_columns_of_other_makes_are_read(golden):
    write_cases(golden, [small(0, tags=("x",)), small(1)])
    spoil(golden, "case_id", pa.array(["c0", "c1"], pa.large_string()))
    spoil(golden, "tags", pa.array([["x"], None], pa.large_list(pa.large_string())))
    spoil(golden, "kind", pa.array(["control", "control"]).dictionary_encode())
    assert [(e.case_id, e.labels.tags, e.labels.kind) for e in read_index(golden)] == [
        ("c0", ("x",), "control"),
        ("c1", (), "control"),
    ]
    assert read_cases(golden) == [small(0, tags=("x",)), small(1)]


def test_a_column_of_a_wrong_type_is_one_sentence(golden):
    write_cases(golden, [small(0), small(1)])
    spoil(golden, "tags", pa.array([1, 2]))
    with pytest.raises(UserError, match="column tags holds int64"):
        read_index(golden)


def test_a_missing_column_is_one_sentence(golden):
    write_cases(golden, [small(0)])
    pq.write_table(pq.read_table(golden).drop_columns(["suite", "turn"]), golden)
    with pytest.raises(UserError, match="lacks the columns suite, turn"):
        read_index(golden)


def test_optional_columns_may_be_missing(golden):
    write_cases(golden, [small(0)])
    pq.write_table(pq.read_table(golden).drop_columns(["tags", "severity", "vars", "provenance"]), golden)
    assert read_index(golden)[0].labels.tags == ()
    assert read_cases(golden) == [small(0)]


def test_an_empty_file_has_no_cases(golden):
    write_cases(golden, [])
    assert read_index(golden) == []
    assert read_cases(golden) == []


def test_threads_load_the_right_cases(golden):
    write_cases(golden, [small(n) for n in range(2000)])
    file = CaseFile(golden)
    wrong = []

    def load(step):
        for row in range(step, 2000, 7):
            if file.load(row).case_id != f"c{row}":
                wrong.append(row)

    threads = [threading.Thread(target=load, args=(step,)) for step in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(file._recent) <= 4


def test_rewriting_changes_only_what_it_is_told(golden, case):
    write_cases(golden, [small(0), case, small(1), small(2)])
    spoil(golden, "status", ["fixed", "open", "nonsense", "fixed"])
    table = pq.read_table(golden).append_column("theirs", pa.array([1, 2, 3, 4]))
    pq.write_table(table, golden)
    changed = rewrite_cases(
        golden, lambda c: None if c.case_id == "c0" else replace(c, status="fixed") if c == case else c
    )
    assert changed == 2
    after = pq.read_table(golden)
    assert after["theirs"].to_pylist() == [2, 3, 4]
    assert after["status"].to_pylist() == ["fixed", "nonsense", "fixed"]
    assert CaseFile(golden).load(0) == replace(case, status="fixed")
    assert after.slice(1).drop_columns(["theirs"]).equals(table.slice(2).drop_columns(["theirs"]))


def test_rewriting_without_a_change_does_not_write(golden):
    write_cases(golden, [small(0)])
    before = golden.stat().st_ino
    assert rewrite_cases(golden, lambda case: case) == 0
    assert golden.stat().st_ino == before


def test_rewriting_refuses_a_repeated_id(golden):
    write_cases(golden, [small(0), small(1)])
    with pytest.raises(UserError, match="would hold the case id 'c1' twice"):
        rewrite_cases(golden, lambda case: replace(case, case_id="c1"))


def test_rewriting_notices_another_writer(golden):
    write_cases(golden, [small(0)])

    def meanwhile(case):
        write_cases(golden, [small(5)], replace=True)
        return replace(case, title="mine")

    with pytest.raises(UserError, match="changed by another program"):
        rewrite_cases(golden, meanwhile)
    assert read_cases(golden) == [small(5)]


def test_golden_files_are_found(golden, tmp_path):
    write_cases(golden, [small(0)])
    write_cases(tmp_path / ".hidden" / "b.parquet", [small(0)])
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    assert golden_files(tmp_path) == [golden]
    assert golden_files([golden, golden.parent]) == [golden]
    with pytest.raises(UserError, match="holds no golden cases"):
        golden_files([tmp_path / "other.parquet"])
    with pytest.raises(UserError, match="does not exist"):
        golden_files([tmp_path / "nowhere"])


def test_a_case_is_found_by_its_id(golden, tmp_path):
    write_cases(golden, [small(0), small(1, case_id="refund-order")])
    assert find_case(tmp_path, "refund-order") == (golden, small(1, case_id="refund-order"))
    with pytest.raises(UserError, match="did you mean 'refund-order'"):
        find_case(tmp_path, "refund-odrer")
    other = golden.with_name("b.parquet")
    write_cases(other, [small(0)])
    with pytest.raises(UserError, match=r"more than one place: .*a\.parquet row 1 and .*b\.parquet row 1"):
        find_case(tmp_path, "c0")
