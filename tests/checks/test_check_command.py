"""`pytest-llmreplay check`, as it is called."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from pytest_llmreplay.cli.check import check
from pytest_llmreplay.model.errors import UserError

EXPECT = """
kind: expectations
expect:
  calls:
    expected:
      - {name: get_support_hours, args: {department: {one_of: [support, care]}}}
    forbidden: [search_products]
"""
RIGHT = [{"name": "get_support_hours", "arguments": '{"department": "care"}'}]
WRONG = [{"name": "search_products", "arguments": '{"q": "hours"}'}]
PARAMETERS = {"type": "object", "properties": {"department": {"type": "string"}}}
TOOLS = [{"type": "function", "function": {"name": "get_support_hours", "parameters": PARAMETERS}}]


@pytest.fixture
def run(tmp_path):
    def call(*arguments, calls=RIGHT, expect=EXPECT, stdin=None, **files):
        (tmp_path / "E.yaml").write_text(expect)
        (tmp_path / "C.json").write_text(calls if isinstance(calls, str) else json.dumps(calls))
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_bytes(text if isinstance(text, bytes) else text.encode())
        words = [str(tmp_path / word) if word.endswith((".yaml", ".json", ".jsonl")) else word for word in arguments]
        done = CliRunner().invoke(check, words, input=stdin)
        if isinstance(done.exception, UserError):
            raise done.exception
        return done

    return call


BOTH = ("--expect", "E.yaml", "--calls", "C.json")


def test_as_expected(run):
    done = run(*BOTH)
    assert done.exit_code == 0
    assert done.stdout.startswith("passed: 1 call, 1 call expected, order at_least\nnext: ")


def test_not_as_expected_fits_on_a_screen_and_says_why(run):
    done = run(*BOTH, calls=WRONG)
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "expected  get_support_hours(department=one_of('support', 'care'))",
        "          never search_products",
        "called    search_products(q='hours')",
        "forbidden_call: search_products(q='hours') was called, and search_products is forbidden",
        "wrong_name: another tool was called",
        "    expected get_support_hours(department=one_of('support', 'care'))",
        "    actual   search_products(q='hours')",
        "next: mend the prompt, the tool or the expectation; --json shows every detail",
    ]


def test_json(run):
    data = json.loads(run(*BOTH, "--json", calls=WRONG).stdout)
    assert data["passed"] is False
    assert data["codes"] == ["forbidden_call", "wrong_name"]
    assert data["failures"][1]["path"] == "expected[0].name"
    assert data["assignment"] == {}
    assert set(data["diagnostics"]) == {"precision", "recall", "f1", "lcs"}
    passed = json.loads(run(*BOTH, "--json").stdout)
    assert passed["passed"] is True
    assert passed["assignment"] == {"0": 0}


def test_unmeasured_is_neither_green_nor_red(run):
    done = run(*BOTH, "--tools", "T.json", T_json="[]")
    assert done.exit_code == 10
    assert "stale_tool: get_support_hours is expected, but no longer offered" in done.stdout


@pytest.mark.parametrize("tools", [json.dumps(TOOLS), json.dumps({"tools": TOOLS})])
def test_tools(run, tools):
    assert run(*BOTH, "--tools", "T.json", T_json=tools).exit_code == 0
    assert run(*BOTH, "--tools", "T.yaml", T_yaml=f"kind: tools\ntools: {json.dumps(TOOLS)}").exit_code == 0


@pytest.mark.parametrize(
    "calls",
    [
        {"role": "assistant", "content": None, "tool_calls": RIGHT},
        {"calls": RIGHT},
        {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": RIGHT}]},
        [{"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": RIGHT[0]}]}],
    ],
)
def test_what_may_stand_in_the_calls_file(run, calls):
    assert run(*BOTH, calls=calls).exit_code == 0


def test_standard_input(run):
    assert run("--expect", "E.yaml", "--calls", "-", stdin=json.dumps(RIGHT)).exit_code == 0
    line = json.dumps({"id": 1, "calls": RIGHT, "expect": {"calls": {"max_calls": 1}}})
    assert run("--batch", "-", stdin=line + "\n").exit_code == 0


def test_parts_that_calls_say_nothing_of_are_named(run):
    done = run(*BOTH, expect="calls: {max_calls: 1}\nanswer: {regex: x}\nlimits: {steps: 1}")
    assert done.exit_code == 0
    assert "not looked at here, for there are only calls: answer, limits" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "files", "message"),
    [
        ((), {}, "--expect and --calls are both needed"),
        (("--expect", "E.yaml"), {}, "--expect and --calls are both needed"),
        ((*BOTH, "--batch", "b.jsonl"), {}, "--batch stands alone"),
        (BOTH, {"expect": "calls: {expcted: []}"}, "did you mean 'expected'?"),
        (BOTH, {"expect": "answer: {regex: x}"}, "says nothing of the calls"),
        (BOTH, {"expect": "kind: variant\nname: x"}, "must be 'expectations' here"),
        (BOTH, {"expect": "calls: ["}, "is not YAML"),
        (BOTH, {"expect": "calls: {expected: [{name: f, args: {a: {regex: '('}}}]}"}, "is not a regular expression"),
        (BOTH, {"calls": "[{"}, "is not JSON"),
        (BOTH, {"calls": [{"arguments": "{}"}]}, "a tool call has no name"),
        (BOTH, {"calls": "5"}, "must be a list of tool calls"),
        ((*BOTH, "--tools", "T.json"), {"T_json": "5"}, "must be a list of tools"),
        ((*BOTH, "--tools", "T.json"), {"T_json": '[{"parameters": {}}]'}, "a tool has no name"),
        ((*BOTH, "--tools", "T.yaml"), {"T_yaml": "kind: variant"}, "must be 'tools' here"),
        (("--expect", "nope.yaml", "--calls", "C.json"), {}, "cannot be read"),
        (("--batch", "nope.jsonl"), {}, "cannot be read"),
    ],
)
def test_a_mistake_is_one_sentence(run, arguments, files, message):
    with pytest.raises(UserError) as caught:
        run(*arguments, **files)
    assert message in str(caught.value)


def line(identity, calls, **expect):
    return json.dumps({"id": identity, "calls": calls, "expect": {"calls": expect}})


def test_batch_answers_line_by_line_in_the_same_order(run):
    expected = [{"name": "get_support_hours"}]
    lines = [line("a", RIGHT, expected=expected), line(2, WRONG, expected=expected), line(None, [], order="none")]
    done = run("--batch", "b.jsonl", b_jsonl="\n".join(lines))
    rows = [json.loads(text) for text in done.stdout.splitlines()]
    assert [(row["id"], row["passed"], row["codes"]) for row in rows] == [
        ("a", True, []),
        (2, False, ["wrong_name"]),
        (None, True, []),
    ]
    assert set(rows[1]) == {"id", "passed", "codes", "failures"}
    assert set(rows[1]["failures"][0]) == {"code", "path", "expected", "actual", "message"}
    assert done.exit_code == 1
    assert done.stderr.strip() == "1 failed, 2 passed"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("5", "not a JSON object"),
        ('{"id": 7, "calls": []}', "expect: is missing"),
        ('{"id": 7, "expect": {"calls": {"max_calls": 1}}}', "calls: is missing"),
        ('{"id": 7, "calls": [], "expct": {}}', "did you mean 'expect'?"),
        ('{"id": 7, "calls": [], "expect": {}}', "is empty"),
        ('{"id": 7, "calls": [], "expect": {"limits": {"steps": 1}}}', "says nothing of the calls"),
        ('{"id": 7, "calls": [], "expect": {"calls": {"max_cals": 1}}}', "did you mean 'max_calls'?"),
        ('{"id": 7, "calls": [5], "expect": {"calls": {"max_calls": 1}}}', "is not a tool call"),
        ('{"id": 7, "calls": 5, "expect": {"calls": {"max_calls": 1}}}', "must be a list"),
        ('{"id": 7, "calls": [], "expect": {"calls": {"max_calls": 1}}, "tools": 5}', "must be a list of tools"),
        ('{"id": 7, "calls": [], "expect": {"calls": {"max_calls": 1}}, "tools": [{}]}', "a tool has no name"),
        ("[" * 100000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_a_line_that_cannot_be_used_says_so_and_the_rest_goes_on(run, text, message):
    text = text if isinstance(text, bytes) else text.encode()
    good = line("good", RIGHT, max_calls=1).encode()
    done = run("--batch", "b.jsonl", b_jsonl=b"\n".join([good, text, b"", good]))
    assert done.exit_code == 2
    first, bad, last = [json.loads(answer) for answer in done.stdout.splitlines()]
    assert first == last == {"id": "good", "passed": True, "codes": [], "failures": []}
    assert bad["passed"] is False
    assert bad["codes"] == ["unreadable"]
    assert "b.jsonl:2: " in bad["failures"][0]["message"]
    assert message in bad["failures"][0]["message"]


def test_a_line_met_before_is_still_refused_when_it_lacks_its_calls(run):
    expect = {"calls": {"max_calls": 1}}
    lines = [json.dumps(row) for row in ({"calls": [], "expect": expect}, {"expect": expect})]
    done = run("--batch", "b.jsonl", b_jsonl="\n".join(lines))
    assert [json.loads(answer)["codes"] for answer in done.stdout.splitlines()] == [[], ["unreadable"]]


def test_equal_numbers_of_another_type_are_another_expectation(run):
    lines = [line(value, [{"name": "f", "arguments": {"a": 1}}], expected=[{"name": "f", "args": {"a": value}}])
             for value in (1, True, 1.0)]  # fmt: skip
    done = run("--batch", "b.jsonl", b_jsonl="\n".join(lines))
    assert [json.loads(answer)["passed"] for answer in done.stdout.splitlines()] == [True, False, True]


def test_unmeasured_lines_and_parts_that_were_not_looked_at(run):
    stale = json.dumps(
        {"id": 1, "calls": [], "expect": {"calls": {"called": {"f": 1}}, "answer": {"regex": "x"}}, "tools": []}
    )
    done = run("--batch", "b.jsonl", b_jsonl=stale)
    assert done.exit_code == 10
    assert json.loads(done.stdout)["codes"] == ["stale_tool"]
    assert "only calls: answer" in done.stderr


def test_the_program_is_quick_to_answer_and_loads_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys; from pytest_llmreplay.cli.check import check;"
        "print([n for n in ('pydantic', 'jsonschema', 'pyarrow', 'yaml') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
