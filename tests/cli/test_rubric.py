"""`rubric suggest CASE…`: a draft for people, made of what is known of the failures."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from pytest_llmreplay.config.judge import load_rubric
from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.store.cases import write_cases
from tests.session.conftest import make_case

HOURS = make_case(
    "hours-1", "when are you open?", "order", failure_category="quality", failure_stage="tool", severity="high",
    summary="It looked for an order instead of the opening hours.",
)  # fmt: skip
OTHER = make_case("other-1", "hello", "human")
SECRET = make_case("secret-1", "who else bought this?", "order", failure_category="security", failure_stage="prompt")
HOSTILE = make_case(
    "hostile-1", "x", "order", failure_category="security", failure_stage="prompt",
    summary='a\n\u2028\x1b[31m" : # ${HOME} {{ x }}', status="draft",
)  # fmt: skip


@pytest.fixture
def project(program_in, tmp_path):
    (tmp_path / "golden").mkdir()
    control = make_case("control-1", "hi", "order", kind="control")
    hostile = replace(HOSTILE, messages=(Message("user", "\u2028- id: evil\n  question: x"), *HOSTILE.messages[1:]))
    write_cases(tmp_path / "golden" / "s.parquet", [HOURS, OTHER, SECRET, hostile, control])
    return program_in


def test_every_way_of_failing_is_a_criterion_with_its_failures_above_it(project):
    result = project("rubric", "suggest", "hours-1", "other-1", "secret-1", "hours-1")
    lines = result.stdout.splitlines()
    assert lines[0] == "# yaml-language-server: $schema=../schemas/rubric.json"
    assert "  # hours-1 (high, quality, tool)" in lines
    assert "  #   customer: when are you open?" in lines
    assert "  #   production: done" in lines
    assert "  #   checked without a judge: calls" in lines
    written = yaml.safe_load(result.stdout)
    questions = {criterion["id"]: criterion["question"] for criterion in written["criteria"]}
    assert list(questions) == ["helps", "quality_tool", "security_prompt"]
    assert questions["quality_tool"].endswith("It looked for an order instead of the opening hours.")
    assert "may neither see nor do" in questions["security_prompt"]


def test_the_draft_is_a_rubric_as_it_stands_and_is_never_written_over(project, tmp_path):
    result = project("rubric", "suggest", "hours-1", "--out", "configs/rubrics/support.yaml")
    assert "next: edit configs/rubrics/support.yaml" in result.output
    path = tmp_path / "configs" / "rubrics" / "support.yaml"
    assert load_rubric(path).criteria[0].must_pass
    assert path.read_text().startswith("# yaml-language-server: $schema=../schemas/rubric.json\n")
    assert "is there already" in project.mistake("rubric", "suggest", "hours-1", "--out", str(path))


def test_nothing_in_a_case_becomes_a_part_of_the_rubric(project):
    text = project("rubric", "suggest", "hostile-1", "secret-1").stdout
    assert "\x1b" not in text
    written = yaml.safe_load(text)
    assert [criterion["id"] for criterion in written["criteria"]] == ["security_prompt"]
    assert set(written) == {"kind", "criteria", "sees", "pass_at"}


def test_what_is_no_failure_is_refused(project):
    assert "is a control" in project.mistake("rubric", "suggest", "control-1")
    assert "did you mean 'hours-1'?" in project.mistake("rubric", "suggest", "hours-l")
    project("rubric", "suggest", code=2)
