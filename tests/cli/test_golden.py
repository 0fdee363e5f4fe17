import json
import subprocess
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pytest_llmreplay.model.case import Case, Provenance, RecordedResult
from pytest_llmreplay.model.conversation import Message, Tool, ToolCall
from pytest_llmreplay.store.case_text import case_from_yaml
from pytest_llmreplay.store.cases import read_cases, write_cases

EXPECT = {"calls": {"expected": [{"name": "order", "args": {"order_id": {"equals": "4417"}}, "keys": ["order_id"]}]}}
CASE = Case(
    "t-1-aa",
    "support",
    "incident",
    "draft",
    (
        Message("user", "where is my order?\n\nit is `4417`"),
        Message("assistant", tool_calls=(ToolCall("1", "order", '{"order_id": "4417", "verbose": true}'),)),
        Message("tool", '{"state": "sent"}', tool_call_id="1", name="order"),
        Message("assistant", "It was sent."),
    ),
    1,
    title="Order status",
    tools=(Tool("order", parameters='{"type": "object", "properties": {"order_id": {}}, "required": ["order_id"]}'),),
    recorded_results=(RecordedResult(1, "order", '{"order_id":"4417","verbose":true}', '{"state": "sent"}'),),
    expect=EXPECT,
    metadata={"proposed": "the calls of t-2"},
    provenance=Provenance(trace_id="t-1", promoted_by="ann"),
)


@pytest.fixture
def cases(program_in):
    def write(*cases, name="golden/support.parquet"):
        path = program_in.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_cases(path, cases)
        return path

    return write


def other(case_id, **changes):
    return replace(CASE, case_id=case_id, **changes)


def test_list_and_stats(program_in, cases):
    cases(
        CASE, other("t-2-bb", status="open", severity="high", weight=3.0), other("t-3-cc", suite="else", status="open")
    )
    assert "3 cases" in program_in("golden", "list").output
    rows = [json.loads(line) for line in program_in("golden", "list", "--status", "open", "--json").output.splitlines()]
    assert [(row["case_id"], row["file"]) for row in rows] == [
        ("t-2-bb", "golden/support.parquet"),
        ("t-3-cc", "golden/support.parquet"),
    ]
    assert "1 cases" in program_in("golden", "list", "--suite", "else").output
    found = json.loads(program_in("golden", "stats", "--json").output)
    assert (found["cases"], found["weight"]) == (3, 5.0)
    assert found["status"] == {"open": 2, "draft": 1}
    assert "3 cases, standing for 5 production conversations" in program_in("golden", "stats").output


def test_export_and_import_lose_nothing(program_in, cases):
    path = cases(CASE, other("t-2-bb", title="line\n---\nline"))
    before = read_cases(path)
    text = program_in("golden", "export", str(path)).output
    (program_in.root / "all.yaml").write_text(text)
    assert "0 cases changed, 0 new, 2 as they were" in program_in("golden", "import", "all.yaml").output
    program_in("golden", "export", "--out", "texts")
    assert case_from_yaml((program_in.root / "texts/t-1-aa.yaml").read_text()) == before[0]
    path.unlink()
    assert "2 cases are new" in program_in.mistake("golden", "import", "all.yaml")
    program_in("golden", "import", "all.yaml", "--out", "golden/again.parquet")
    assert read_cases(program_in.root / "golden/again.parquet") == before


def test_import_changes_a_known_case_in_its_place(program_in, cases):
    path = cases(CASE, other("t-2-bb"))
    text = program_in("golden", "export", "t-1-aa").output.replace("Order status", "Another title")
    (program_in.root / "one.yaml").write_text(text)
    assert "1 cases changed" in program_in("golden", "import", "one.yaml").output
    assert [case.title for case in read_cases(path)] == ["Another title", "Order status"]


def test_import_refuses_what_would_not_validate_and_changes_nothing(program_in, cases):
    path = cases(CASE)
    before = path.read_bytes()
    text = program_in("golden", "export", "t-1-aa").output
    (program_in.root / "one.yaml").write_text(text.replace("expected:", "expectd:"))
    assert "did you mean 'expected'?" in program_in.mistake("golden", "import", "one.yaml")
    (program_in.root / "two.yaml").write_text(f"{text}---\n{text}")
    assert "is read twice" in program_in.mistake("golden", "import", "two.yaml")
    assert path.read_bytes() == before


def test_edit_changes_a_case(program_in, cases, editor):
    path = cases(CASE)
    editor("Order status", "Where is it")
    assert "t-1-aa is changed in golden/support.parquet" in program_in("golden", "edit", "t-1-aa").output
    assert read_cases(path)[0].title == "Where is it"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("status: draft", "status: draftt", "allowed: draft"),
        ("case_id: t-1-aa", "case_id: t-9", "the id of a case is fixed"),
        ("expected:", "expectd:", "did you mean 'expected'?"),
    ],
)
def test_an_edit_that_does_not_validate_is_refused_and_its_text_kept(program_in, cases, editor, old, new, sentence):
    path = cases(CASE)
    before = path.read_bytes()
    editor(old, new)
    said = program_in.mistake("golden", "edit", "t-1-aa")
    assert sentence in said
    assert "--from .pytest_llmreplay/edits/t-1-aa.yaml" in said
    assert path.read_bytes() == before
    editor(new, old)
    program_in("golden", "edit", "t-1-aa", "--from", ".pytest_llmreplay/edits/t-1-aa.yaml")
    assert read_cases(path) == [CASE]


def test_approve_opens_a_draft_and_a_control_is_fixed(program_in, cases):
    path = cases(CASE, other("t-2-bb", kind="control"))
    program_in("golden", "approve", "t-1-aa", "t-2-bb", "--by", "ben")
    first, second = read_cases(path)
    assert (first.status, second.status) == ("open", "fixed")
    assert first.metadata["approval"]["by"] == "ben"
    assert "proposed" not in first.metadata


def test_what_cannot_be_approved(program_in, cases, monkeypatch):
    monkeypatch.delenv("PYTEST_LLMREPLAY_USER", raising=False)
    path = cases(CASE, other("t-2-bb", status="open"), other("t-3-cc", expect={}))
    before = path.read_bytes()
    assert "nobody says who approves" in program_in.mistake("golden", "approve", "t-1-aa")
    assert "only a draft is approved" in program_in.mistake("golden", "approve", "t-1-aa", "t-2-bb", "--by", "ben")
    assert "would pass whatever happens" in program_in.mistake("golden", "approve", "t-3-cc", "--by", "ben")
    arguments = ("golden", "approve", "t-1-aa", "--not-the-promoter", "--by")
    assert "approver and promoter must differ" in program_in.mistake(*arguments, "ann")
    assert path.read_bytes() == before
    program_in(*arguments, "ben")


def test_the_project_can_require_that_approver_and_promoter_differ(program_in, cases, editor):
    path = cases(CASE, other("t-2-bb", provenance=Provenance()))
    before = path.read_bytes()
    (program_in.root / "pytest.ini").write_text("[pytest]\nllmreplay_approver_differs = true\n")
    assert "it is your own promotion" in program_in.mistake("golden", "approve", "t-1-aa", "--by", "ann")
    assert "nobody says who promoted it" in program_in.mistake("golden", "approve", "t-2-bb", "--by", "ann")
    editor("status: draft", "status: open")
    assert "only `golden approve` opens a draft" in program_in.mistake("golden", "edit", "t-1-aa")
    text = program_in("golden", "export", "t-1-aa").output.replace("status: draft", "status: fixed")
    (program_in.root / "one.yaml").write_text(text)
    assert "only `golden approve` opens a draft" in program_in.mistake("golden", "import", "one.yaml")
    assert path.read_bytes() == before
    program_in("golden", "approve", "t-1-aa", "--by", "ben")
    (program_in.root / "pytest.ini").write_text("[pytest]\nllmreplay_approver_differs = maybe\n")
    assert "allowed: true, false" in program_in.mistake("golden", "approve", "t-2-bb", "--by", "ben")


def test_retire_and_prune(program_in, cases):
    path = cases(CASE, other("t-2-bb", expires_at="2020-01-01"), other("t-3-cc", expires_at="2999-01-01"))
    program_in("golden", "retire", "t-1-aa", "--reason", "the tool is gone")
    assert read_cases(path)[0].metadata["retired_because"] == "the tool is gone"
    assert "--expired, --retired or both" in program_in.mistake("golden", "prune")
    assert "add --yes" in program_in.mistake("golden", "prune", "--expired")
    assert "1 cases removed" in program_in("golden", "prune", "--expired", "--yes").output
    assert [case.case_id for case in read_cases(path)] == ["t-1-aa", "t-3-cc"]
    program_in("golden", "prune", "--retired", "--yes")
    assert [case.case_id for case in read_cases(path)] == ["t-3-cc"]
    assert "nothing to prune" in program_in("golden", "prune", "--expired").output


def test_compact_merges_the_files_of_a_suite(program_in, cases):
    cases(CASE, name="golden/support/a.parquet")
    cases(other("t-2-bb"), name="golden/support/b.parquet")
    mixed = cases(other("t-3-cc"), other("t-4-dd", suite="else"), name="golden/mixed.parquet")
    assert "add --yes" in program_in.mistake("golden", "compact", "support")
    program_in("golden", "compact", "support", "--yes")
    assert [c.case_id for c in read_cases(program_in.root / "golden/support.parquet")] == ["t-1-aa", "t-2-bb"]
    assert not list((program_in.root / "golden/support").glob("*.parquet"))
    assert len(read_cases(mixed)) == 2


def test_diff_of_two_files_reads_like_a_review(program_in, cases):
    cases(CASE, other("t-2-bb"), name="a.parquet")
    cases(other("t-1-aa", title="Changed"), other("t-3-cc"), name="b.parquet")
    output = program_in("golden", "diff", "a.parquet", "b.parquet").output
    assert "changed t-1-aa: Changed" in output
    assert "-title: Order status\n+title: Changed" in output
    assert "1 cases added, 1 removed, 1 changed" in output


def test_diff_of_two_revisions_in_markdown(program_in, cases):
    def git(*arguments):
        options = ("-c", "user.name=n", "-c", "user.email=e@x.example", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *options, *arguments], cwd=program_in.root, check=True, capture_output=True)

    git("init", "-q")
    path = cases(CASE)
    git("add", "golden")
    git("commit", "-qm", "one")
    path.unlink()
    cases(replace(CASE, title="a <b> `c` ``` @d"))
    output = program_in("golden", "diff", "--markdown", "HEAD..").output
    assert "<summary><b>changed</b> t-1-aa: a &lt;b&gt; &#96;c&#96; &#96;&#96;&#96; &#64;d</summary>" in output
    assert "````diff" in output
    git("commit", "-qam", "two")
    assert "0 cases added, 0 removed, 1 changed" in program_in("golden", "diff", "HEAD~1..HEAD").output
    assert "git says:" in program_in.mistake("golden", "diff", "nothing..HEAD")
    assert "is no revision" in program_in.mistake("golden", "diff", "--", "--output=x..HEAD")
    assert "two files, or BASE..HEAD" in program_in.mistake("golden", "diff", "HEAD")


MAP = """
kind: migration
tools:
  order:
    name: get_order
    arguments: {order_id: id, verbose: null}
    results: {state: status}
"""


def test_a_changed_tool_is_one_command(program_in, cases):
    path = cases(CASE, other("t-2-bb", expect={"calls": {"forbidden": ["order"]}}))
    (program_in.root / "map.yaml").write_text(MAP)
    output = program_in("golden", "migrate-tools", "map.yaml", "--dry-run").output
    assert "2 of 2 cases change" in output
    assert "+      - name: get_order" in output
    assert read_cases(path)[0] == CASE
    assert "add --yes" in program_in.mistake("golden", "migrate-tools", "map.yaml")
    program_in("golden", "migrate-tools", "map.yaml", "--yes")
    first, second = read_cases(path)
    assert first.case_id == "t-1-aa"
    assert first.messages[1].tool_calls[0] == ToolCall("1", "get_order", '{"id": "4417"}')
    assert (first.messages[2].name, first.messages[2].content) == ("get_order", '{"status": "sent"}')
    assert json.loads(first.tools[0].parameters) == {"type": "object", "properties": {"id": {}}, "required": ["id"]}
    assert first.recorded_results == (RecordedResult(1, "get_order", '{"id":"4417"}', '{"status": "sent"}'),)
    assert first.expect["calls"]["expected"] == [
        {"name": "get_order", "args": {"id": {"equals": "4417"}}, "keys": ["id"]}
    ]
    assert second.expect == {"calls": {"forbidden": ["get_order"]}}


def test_a_map_of_tools_that_no_case_knows_is_a_mistake(program_in, cases):
    cases(CASE)
    (program_in.root / "map.yaml").write_text("kind: migration\ntools: {ordr: {name: x}}\n")
    assert "did you mean 'order'?" in program_in.mistake("golden", "migrate-tools", "map.yaml")
    (program_in.root / "map.yaml").write_text("kind: migration\ntools: {order: {nam: x}}\n")
    assert "did you mean 'name'?" in program_in.mistake("golden", "migrate-tools", "map.yaml")


def test_migrate_says_that_there_is_nothing_to_do(program_in, cases):
    path = cases(CASE)
    before = path.read_bytes()
    assert "1 files, 0 cases changed" in program_in("golden", "migrate").output
    assert path.read_bytes() == before


def test_a_stub_answers_and_replaces_the_one_before(program_in, cases):
    path = cases(CASE)
    program_in("golden", "stub", "t-1-aa", "refund=1")
    program_in("golden", "stub", "t-1-aa", "refund=2")
    assert read_cases(path)[0].recorded_results[1:] == (RecordedResult(1, "refund", "*", "2", "stub"),)
    assert "TOOL=JSON" in program_in.mistake("golden", "stub", "t-1-aa", "refund")
    assert "not JSON" in program_in.mistake("golden", "stub", "t-1-aa", "refund={")


def test_a_file_of_an_older_program_loads_and_is_brought_up_to_date(program_in, cases):
    path = cases(CASE)
    table = pq.read_table(path)
    older = table.drop_columns(["weight", "expires_at", "vars", "steps", "content_digest"])
    numbers = pa.array([0] * older.num_rows, pa.int64())
    older = older.set_column(older.schema.get_field_index("schema_version"), "schema_version", numbers)
    metadata = {b"llmreplay.kind": b"cases", b"llmreplay.schema_version": b"0"}
    pq.write_table(older.replace_schema_metadata(metadata), path)
    assert read_cases(path) == [replace(CASE, schema_version=0)]
    assert "1 cases, 0 variants, 0 problems" in program_in("validate").output
    assert "golden/support.parquet: 1 cases brought to schema 1" in program_in("golden", "migrate").output
    assert read_cases(path) == [CASE]
    assert pq.read_schema(path).metadata[b"llmreplay.schema_version"] == b"1"
    assert pq.read_table(path).column("content_digest").to_pylist() == [CASE.content_digest]
