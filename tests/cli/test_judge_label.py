"""`judge label` on a real terminal, blind and resumable; `judge agree`."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_llmreplay.judge.labelled import material_of_item
from pytest_llmreplay.judge.labelling import items_of, labelled_row
from pytest_llmreplay.judge.labels import labels_of
from pytest_llmreplay.model.outcome import Outcome
from pytest_llmreplay.store.cases import write_cases
from pytest_llmreplay.store.label_files import read_columns
from pytest_llmreplay.store.runs import RunStore
from tests.session.conftest import make_case

RUBRIC = """kind: rubric
criteria:
  - {id: helps, question: "Does the answer help?"}
"""
CASES = [make_case(f"case-{i}", "where is my order", "order", intent="order") for i in range(2)]


def outcome(case, variant, answer, **more):
    return Outcome(
        case.case_id, variant, 1, "failed", answer=answer, calls=(("order", '{"id": 1}'),),
        case_digest=case.content_digest, **more,
    )  # fmt: skip


OUTCOMES = [
    outcome(CASES[0], "secret-v1", "It is \x1b[31mred"),
    outcome(CASES[0], "secret-v2", "It is on its way"),
    outcome(CASES[1], "secret-v1", "We open at 9"),
    outcome(CASES[1], "secret-v2", "We open at 9"),
    Outcome(CASES[1].case_id, "secret-v3", 1, "error"),
]


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "configs" / "rubrics").mkdir(parents=True)
    (tmp_path / "configs" / "rubrics" / "support.yaml").write_text(RUBRIC)
    write_cases(tmp_path / "golden" / "suite.parquet", CASES)
    with RunStore(tmp_path / ".pytest_llmreplay").start() as run:
        for one in OUTCOMES:
            run.add(one)
        run.seal()
    return tmp_path


def at_a_terminal(keys, *options):
    """What the program shows to a person who presses these keys, each with return."""
    mine, theirs = pty.openpty()
    os.write(mine, "".join(f"{key}\n" for key in keys).encode())
    root = str(Path(__file__).resolve().parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", "from pytest_llmreplay.cli.main import main; main()", "judge", "label", *options],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "PYTHONPATH": root},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(mine, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(mine)
    assert process.wait(60) == 0, shown.decode()
    return shown.decode().replace("\r\n", "\n")


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_labels_are_collected_blind_and_can_be_gone_on_with(project):
    first = at_a_terminal(["p", "x", "q"])
    assert "3 answers, 0 of them labelled" in first
    assert "is not one of" in first
    assert len(rows(project / "labels.jsonl")) == 1
    second = at_a_terminal(["s", "f"])
    assert "3 answers, 1 of them labelled" in second
    assert "--- 1 of 2" in second
    labels = rows(project / "labels.jsonl")
    assert [row["label"] for row in labels] == ["pass", "fail"]
    assert "next: pytest-llmreplay judge calibrate labels.jsonl" in second
    for shown in (first, second):
        assert "secret-v" not in shown
        assert "failed" not in shown
        assert "helps: Does the answer help?" in shown
        assert "\x1b[31m" not in shown
    assert "secret-v" not in (project / "labels.jsonl").read_text()


def test_what_was_collected_is_what_calibrate_takes(project, program_in):
    at_a_terminal(["p", "f", "p"])
    labels = labels_of(read_columns(project / "labels.jsonl"), "labels.jsonl")
    verdicts = "".join(
        json.dumps({"item_id": item.item_id, "verdict": "pass"}) + "\n" for item in labels.items.values()
    )
    (project / "verdicts.jsonl").write_text(verdicts)
    found = program_in(
        "judge", "calibrate", "labels.jsonl", "--verdicts", "verdicts.jsonl", "--slice", "intent", "--json"
    )
    assert json.loads(found.stdout)["groups"]["all"]["n"] == 3


def test_a_labelled_row_reads_back_as_what_was_shown():
    cases = {case.case_id: case for case in CASES}
    for item in items_of(OUTCOMES, cases, {CASES[0].case_id: "It is blue."}):
        row = {name: [cell] for name, cell in labelled_row(item, "pass").items()}
        (read,) = labels_of(row, "labels.jsonl").items.values()
        assert material_of_item(read, "labels.jsonl") == item.material


def test_an_answer_given_twice_is_labelled_once_and_a_changed_case_not_at_all():
    cases = {case.case_id: case for case in CASES}
    assert len(items_of(OUTCOMES, cases, {})) == 3
    changed = make_case("case-1", "something else", "order")
    assert len(items_of(OUTCOMES, {**cases, "case-1": changed}, {})) == 2


def test_without_a_terminal_nothing_is_asked(program_in, project):
    assert "there is no terminal to ask on" in program_in.mistake("judge", "label")


def test_two_people_are_measured_against_each_other(program_in, project):
    for name, labels in (("a", ["pass", "pass", "fail", "fail"]), ("b", ["pass", "fail", "fail", "fail"])):
        lines = [json.dumps({"item_id": f"i{i}", "label": word}) for i, word in enumerate(labels)]
        (project / f"{name}.jsonl").write_text("\n".join(lines))
    found = json.loads(program_in("judge", "agree", "a.jsonl", "b.jsonl", "--json").stdout)
    assert found["groups"]["all"]["kappa"] == 0.5
    assert [row["item_id"] for row in found["disagreements"]] == ["i1"]
    assert "next: talk about" in program_in("judge", "agree", "a.jsonl", "b.jsonl").output
