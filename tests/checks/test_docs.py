"""`docs/checks.md` is true: every example runs, the truth table and the codes are those of the code."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import pytest_llmreplay.checks
from pytest_llmreplay.checks import check_trajectory, match_calls
from pytest_llmreplay.checks.codes import CODES
from pytest_llmreplay.cli.check import check
from pytest_llmreplay.model.expectation import parse_expectation
from pytest_llmreplay.model.matchers import MATCHER_WORDS
from tests.checks.build import says, trial, turn
from tests.checks.truth_table import truth_table

PAGE = (Path(__file__).parents[2] / "docs" / "checks.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLES = [yaml.safe_load(text) for language, text in BLOCKS if language == "yaml"]
CALL_OPTIONS = ("match", "keys", "occurrence")
CALLS_OPTIONS = ("coerce", "null_is_absent")


def block(language: str) -> str:
    return next(text for found, text in BLOCKS if found == language)


def between(start: str, end: str) -> str:
    return PAGE.split(f"<!-- {start}", 1)[1].split("-->\n", 1)[1].split(f"\n<!-- {end} -->", 1)[0]


def call_of(written):
    if isinstance(written, str):
        return {"name": written, "arguments": "{}"}
    ((name, arguments),) = written.items()
    return {"name": name, "arguments": json.dumps(arguments)}


def offered(example):
    if "effects" in example:
        return [{"name": name, "effect": effect} for name, effect in example["effects"].items()]
    if "parameters" in example:
        return [{"name": "tool", "parameters": {"type": "object", "properties": example["parameters"]}}]
    return None


def verdict(example, case):
    """Whether one of an example's cases passes."""
    if "answer" in example:
        expectation = parse_expectation({"answer": example["answer"]})
        return not check_trajectory(expectation, trial(turn(says(text=case))), None).failures
    if "args" in example:
        options = {key: example[key] for key in CALL_OPTIONS if key in example}
        calls = {key: example[key] for key in CALLS_OPTIONS if key in example}
        calls["expected"] = [{"name": "tool", "args": example["args"], **options}]
        return match_calls([{"name": "tool", "arguments": json.dumps(case)}], calls, tools=offered(example)).passed
    return match_calls([call_of(each) for each in case], example["calls"], tools=offered(example)).passed


@pytest.mark.parametrize("example", EXAMPLES, ids=[str(example)[:60] for example in EXAMPLES])
def test_every_yaml_example_runs(example):
    if "expect" in example:
        parse_expectation(example)
        return
    assert set(example) <= {
        "args",
        "calls",
        "answer",
        "parameters",
        "effects",
        "passes",
        "fails",
        *CALL_OPTIONS,
        *CALLS_OPTIONS,
    }
    assert example["passes"]
    assert example["fails"]
    assert [case for case in example["passes"] if not verdict(example, case)] == []
    assert [case for case in example["fails"] if verdict(example, case)] == []


def test_every_matcher_word_and_every_key_has_an_example():
    shown = json.dumps([example for example in EXAMPLES if "passes" in example])
    assert [word for word in MATCHER_WORDS if f'"{word}"' not in shown] == []
    everything = json.dumps(EXAMPLES)
    for model in ("CallsExpectation", "ExpectedCall", "AnswerExpectation"):
        fields = getattr(pytest_llmreplay.model.expectation, model).model_fields
        for name, field in fields.items():
            assert f'"{field.alias or name}"' in everything or f"`{name}" in PAGE, name


def test_every_python_example_runs():
    namespace: dict[str, object] = {}
    blocks = [text for language, text in BLOCKS if language == "python"]
    assert len(blocks) >= 4
    for text in blocks:
        exec(compile(text, "docs/checks.md", "exec"), namespace)


def test_the_truth_table_is_the_matchers():
    assert between("truth table", "end of the truth table") == truth_table()


def test_the_codes_are_the_programs():
    rows = [f"| `{code}` | {meaning} |" for code, meaning in CODES.items()]
    assert between("codes", "end of the codes") == "\n".join(["| code | meaning |", "| --- | --- |", *rows])


def test_every_code_that_is_given_is_listed_and_every_listed_code_is_given():
    texts: set[str] = set()
    given: set[str] = set()
    for path in Path(pytest_llmreplay.checks.__file__).parent.glob("*.py"):
        if path.name == "codes.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts |= {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("Reason", "Difference")
            ):
                code = node.args[1 if node.func.id == "Reason" else 0]
                given |= {code.value} if isinstance(code, ast.Constant) else set()
    assert given <= CODES.keys()
    assert CODES.keys() <= texts


def test_the_command_line_example_prints_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expectation = next(example for example in EXAMPLES if "expect" in example)
    del expectation["expect"]["calls"]["schema"]
    Path("E.yaml").write_text(yaml.safe_dump(expectation), encoding="utf-8")
    Path("C.json").write_text(block("json"), encoding="utf-8")
    command, _, output = block("console").partition("\n")
    done = CliRunner().invoke(check, command.removeprefix("$ pytest-llmreplay check ").split())
    assert done.stdout == output
    assert done.exit_code == 1
