"""`docs/promote.md`: from each of five vendors' files to a case that fails on what production did, in one command."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from pytest_llmreplay.store.cases import read_cases
from tests.shared_data import shared
from tests.traces.vendor import TRACE, langfuse_before, langsmith, lines, serving_vendor

ROOT = Path(__file__).parents[2]
CAPTURES = ROOT / "tests" / "traces" / "captures"
PAGE = (ROOT / "docs" / "promote.md").read_text(encoding="utf-8").split("## From five vendors", 1)[1].split("\n## ")[0]
FILES = dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
COMMANDS = re.findall(r"^pytest-llmreplay (promote .*)$", PAGE, re.MULTILINE)
PYTEST = re.findall(r"^\$ pytest (.*)$", PAGE, re.MULTILINE)
EXPORTS = {
    "langfuse": ("langfuse", "langfuse"),
    "langsmith": ("langsmith_wrap", "langsmith_wrap"),
    "opentelemetry": ("otel_genai_latest", "otel_genai_latest"),
    "openinference": ("openinference_openai", "openinference_openai"),
    "litellm": ("litellm", "litellm"),
}
"""The documented folder with the sample beside the checkout, and the project's own capture."""


@pytest.fixture
def project(program_in, monkeypatch):
    monkeypatch.setenv("PYTEST_LLMREPLAY_REDACTION_KEY", "a key for the tests only")
    (program_in.root / "configs").mkdir()
    return program_in


def promoted(project, command, source):
    """Run the command as it is written over a copy of `source`; the case and what was said."""
    export = command.split()[1]
    shutil.copytree(source, project.root / export)
    for name, text in FILES.items():
        (project.root / name).write_text(text.replace("exports/langfuse", export), encoding="utf-8")
    said = project(*command.split()).output
    (path,) = (project.root / "golden").rglob("*.parquet")
    (case,) = read_cases(path)
    return case, said


def test_the_page_shows_the_five_vendors():
    assert [command.split()[1] for command in COMMANDS] == [f"exports/{name}" for name in EXPORTS]
    assert len(PYTEST) == 1
    assert yaml.safe_load(FILES["configs/v1.yaml"])["target"]["type"] == "traces"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: Path(command.split()[1]).name)
def test_the_sample_of_each_vendor_becomes_a_case_that_fails_on_production(project, command):
    sample, _ = EXPORTS[Path(command.split()[1]).name]
    case, said = promoted(project, command, shared("samples", sample))
    assert "proof: fails on production (forbidden_call, wrong_name)" in said
    assert "1 case written" in said
    assert (case.kind, case.status, case.turn) == ("incident", "open", 2)
    assert case.recorded_results[-1].name == "update_shipping_address"
    assert "12 Elm Street" not in repr(case)
    printed = project.pytest(*PYTEST[0].split(), "-rx")
    assert "1 xfailed" in printed
    assert "known, still failing" in printed


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: Path(command.split()[1]).name)
def test_the_projects_own_capture_of_each_vendor_does_too(project, command):
    """The customer of the captures says goodbye last: no order was looked up then, so the same expectation fails."""
    _, capture = EXPORTS[Path(command.split()[1]).name]
    case, said = promoted(project, command, CAPTURES / capture)
    assert "proof: fails on production (missing_call)" in said
    assert (case.kind, case.status, case.turn) == ("incident", "open", 3)


@pytest.mark.parametrize("name", ["langfuse", "langsmith"])
def test_the_same_from_the_vendors_own_api(project, name, monkeypatch):
    """`promote langfuse:TRACE_ID` and `langsmith:RUN_ID`, when the export has not run yet."""
    runs = lines("langsmith_wrap", "runs.jsonl")
    address = f"langfuse:{TRACE}" if name == "langfuse" else f"langsmith:{runs[0]['id']}"
    (project.root / "expect.yaml").write_text(FILES["expect.yaml"], encoding="utf-8")
    with serving_vendor(monkeypatch) as vendor:
        vendor.answer = langfuse_before(lines("langfuse", "traces.jsonl")) if name == "langfuse" else langsmith(runs)
        said = project("promote", address, "--expect", "expect.yaml", "--residual", "keep").output
    assert "proof: fails on production (forbidden_call, wrong_name)" in said
    (path,) = (project.root / "golden").rglob("*.parquet")
    (case,) = read_cases(path)
    assert (case.suite, path.parent.name, case.provenance.source_file) == (name, name, address)
