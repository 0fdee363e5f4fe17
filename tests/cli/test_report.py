import xml.etree.ElementTree as ET

from tests.cli.test_compare import jsonl
from tests.compare.build import many, rows


def test_the_page_of_the_last_run_shows_the_conversation_of_the_golden_file(replayed):
    shown = replayed("report").stdout
    path = replayed.root / ".pytest_llmreplay" / "report.html"
    assert f"next: open {path}" in shown
    text = path.read_text()
    assert "What production did then" in text
    assert '"role":"user"' in text
    assert "example_bot:answer_v2" in text


def test_a_case_that_changed_since_the_run_shows_no_conversation(replayed):
    from dataclasses import replace

    from pytest_llmreplay.store.cases import rewrite_cases

    rewrite_cases(
        replayed.root / "golden/example.parquet", lambda c: replace(c, expect={"answer": {"contains_any": ["x"]}})
    )
    replayed("report", "--html", "r.html")
    text = (replayed.root / "r.html").read_text()
    assert '"role":"user"' not in text
    assert "1 cases have changed since the run" in text


def test_the_changes_are_those_that_were_measured(replayed):
    assert "wrote changes.md" in replayed("report", "--export-changes").stdout
    text = (replayed.root / "changes.md").read_text()
    assert '-  "function": "example_bot:answer_v1"' in text
    assert '+  "function": "example_bot:answer_v2"' in text
    assert "## Cases that it fixed: 1" in text
    variant = replayed.root / "configs/v2.yaml"
    variant.write_text(variant.read_text() + "system_prompt: another one\n")
    assert "has changed since the run" in replayed.mistake("report", "--export-changes")
    replayed("report", "--export-changes", "--allow")


def test_bare_outcomes_have_no_changes_and_say_so(program_in):
    name = jsonl(program_in.root, many(both_pass=2))
    assert "nothing says which file" in program_in.mistake("report", name, "--export-changes", "c.md")


def test_junit_counts_what_pytest_counts(replayed):
    replayed("report", "--junit", "j.xml")
    suite = ET.parse(replayed.root / "j.xml").getroot().find("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("2", "0", "1")
    assert suite.find("testcase/skipped").get("type") == "pytest.xfail"


def test_with_a_policy_every_form_shows_the_decision(program_in):
    (program_in.root / "configs").mkdir()
    (program_in.root / "configs/gate.yaml").write_text("kind: gate\n")
    control = {"kind": "control", "case_status": "fixed"}
    name = jsonl(program_in.root, rows({"a": ("P", "F", control)}))
    program_in("report", name, "--html", "r.html", "--markdown", "r.md", "--junit", "r.xml")
    assert "✗ Regression" in (program_in.root / "r.html").read_text()
    assert "❌ regression" in (program_in.root / "r.md").read_text()
    assert 'name="llmreplay.decision" value="regression"' in (program_in.root / "r.xml").read_text()
