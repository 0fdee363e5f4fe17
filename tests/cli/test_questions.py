"""The questions of `promote` on a real terminal: a pseudo-terminal whose other end the test holds."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pytest_llmreplay.store.cases import read_cases
from tests.cli.conftest import conversation

ROOT = Path(__file__).parents[2]
TOOLS = [{"name": "order", "parameters": {"type": "object"}}]


class Terminal:
    """The program on a pseudo-terminal; `answer` waits for a question and types."""

    def __init__(self, root, *arguments):
        self._master, slave = pty.openpty()
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_LLMREPLAY_REDACTION_KEY": "k" * 20}
        program = "from pytest_llmreplay.cli.main import main; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            cwd=root, env=environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.seen = ""
        self._read_to = 0

    def answer(self, question, typed=""):
        deadline = time.monotonic() + 30
        while not re.search(question, self.seen[self._read_to :]):
            assert time.monotonic() < deadline, f"never asked {question!r}:\n{self.seen}"
            assert self._more(), f"ended before it asked {question!r}:\n{self.seen}"
        self._read_to = len(self.seen)
        os.write(self._master, (typed + "\n").encode())

    def end(self):
        while self._more():
            pass
        code = self._process.wait(10)
        os.close(self._master)
        return code

    def _more(self):
        if not select.select([self._master], [], [], 30)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the other end is closed
            return False
        self.seen += data.decode()
        return bool(data)


@pytest.fixture
def terminal(program_in):
    return lambda *arguments: Terminal(program_in.root, "promote", "log.jsonl", "--out", "golden/a.parquet", *arguments)


def cases(program_in):
    return read_cases(program_in.root / "golden/a.parquet")


def test_enter_takes_every_proposal(program_in, log, terminal):
    log(conversation("t-1", tools=TOOLS, intent="tracking"))
    program = terminal()
    for question in (r"category \(.*\) \[reliability\]:", r"stage \(.*\) \[tool\]:", r"severity \(.*\) \[medium\]:",
                     r"intent .*\[tracking\]:", r"summary .*\[unknown tool:", r"owner .*:", r"due .*:"):  # fmt: skip
        program.answer(question)
    assert program.end() == 0, program.seen
    [case] = cases(program_in)
    assert (case.failure_category, case.failure_stage, case.severity) == ("reliability", "tool", "medium")
    assert case.intent == "tracking"
    assert case.summary.startswith("unknown tool: ")
    assert (case.owner, case.due) == (None, None)


def test_answers_are_taken_checked_and_redacted_alike(program_in, log, terminal):
    log(conversation("t-1", "I am Zoltanka, mia.li@example.org", tools=TOOLS))
    program = terminal()
    program.answer("Which are", "all")
    program.answer("category", "nonsense")
    program.answer("category", "quality")
    program.answer("stage", "retrieval")
    program.answer("severity", "critical")
    program.answer("intent", "refund")
    program.answer("summary", "told zoltanka and Kowalczyk, at MIA.LI@example.org")
    program.answer("owner", "ann")
    program.answer("due", "next week")
    program.answer("due", "2w")
    program.answer("Which are", "all")
    assert program.end() == 0, program.seen
    [case] = cases(program_in)
    assert (case.failure_category, case.failure_stage, case.severity) == ("quality", "retrieval", "critical")
    assert (case.intent, case.owner) == ("refund", "ann")
    today = datetime.now().astimezone().date()
    assert case.due in {(today + timedelta(days=14 - n)).isoformat() for n in (0, 1)}
    said = re.fullmatch(r"I am (\[NAME_\w{8}\]), (\[EMAIL_\w{8}\])", case.messages[0].content)
    assert re.fullmatch(rf"told {re.escape(said[1])} and \[NAME_\w{{8}}\], at {re.escape(said[2])}", case.summary)


def test_the_rest_can_be_left_as_proposed_and_a_name_is_asked_about_once(program_in, log, terminal):
    log(*(conversation(f"t-{i}", f"is Zoltanka there? {i} {i * 7}", tools=TOOLS) for i in range(4)))
    program = terminal()
    program.answer("Which are", "none")
    for question in ("category", "stage", "severity", "intent", "summary", "owner", "due"):
        program.answer(question, "ann" if question == "owner" else "")
    program.answer("Label the next one too", "y")
    for question in ("category", "stage", "severity", "intent", "summary", r"owner .*\[ann\]", "due"):
        program.answer(question)
    program.answer("Label the next one too", "n")
    assert program.end() == 0, program.seen
    assert [case.owner for case in cases(program_in)] == ["ann", "ann", None, None]
    assert {case.failure_category for case in cases(program_in)} == {"reliability"}
    assert program.seen.count("Zoltanka") >= 1
    assert program.seen.count("These words may be names") == 1


@pytest.mark.parametrize("options", [("--severity", "low"), ("--control",), ("--dry-run",)])
def test_no_question_where_labels_are_given_or_none_are_needed(program_in, log, terminal, options):
    log(conversation("t-1", tools=TOOLS))
    program = terminal(*options)
    assert program.end() == 0, program.seen
    assert "category (" not in program.seen


def test_an_end_in_the_middle_writes_nothing(program_in, log, terminal):
    log(conversation("t-1", tools=TOOLS))
    program = terminal()
    program.answer("category", "\x04")
    assert program.end() == 1, program.seen
    assert not (program_in.root / "golden").exists()
