"""Progress on a terminal, and an interruption in the middle of it, as a person sees them."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading

import numpy as np
import pyarrow.parquet as pq
import pytest

from pytest_llmreplay.cli.progress import display
from pytest_llmreplay.mine.caches import user_caches
from pytest_llmreplay.model.conversation import Conversation, Message, Tool, ToolCall
from pytest_llmreplay.traces import write_conversations

PROGRAM = """
import signal
from pytest_llmreplay.cli.main import main

# Tests that a shell runs in the background ignore interrupts, and so would the program.
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""
COMMAND = [sys.executable, "-c", PROGRAM]


class OnTerminal:
    """The program with a terminal as its standard error, and what it drew there."""

    def __init__(self, root, *arguments):
        above, below = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=below,
            env=environment,
            text=True,
        )
        os.close(below)
        self._drawn = bytearray()
        self._seen = threading.Condition()
        self._reader = threading.Thread(target=self._read, args=(above,), daemon=True)
        self._reader.start()

    def _read(self, above):
        while True:
            try:
                part = os.read(above, 65536)
            except OSError:  # the other side was closed
                part = b""
            with self._seen:
                self._drawn += part
                self._seen.notify_all()
            if not part:
                return

    def interrupt_at(self, text):
        with self._seen:
            assert self._seen.wait_for(lambda: text in self._drawn, 60), self._drawn.decode()
        self.process.send_signal(signal.SIGINT)

    def end(self):
        """Its code, what it printed, and what it drew."""
        printed, _ = self.process.communicate(timeout=120)
        self._reader.join(10)
        return self.process.returncode, printed, re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self._drawn.decode())


@pytest.fixture(scope="module")
def said():
    """Few talks, so that their intents are found soon, with so many turns that all other work takes a moment."""
    return [
        Conversation(
            f"t{n}",
            tuple(
                message
                for turn in range(40)
                for message in (
                    Message("user", f"{('refund', 'parcel', 'password')[n % 3]} {n * turn} please, order {n}, {turn}"),
                    Message("assistant", None, tool_calls=(ToolCall("c", "order", "{}"),)),
                    Message("tool", "ok", tool_call_id="c"),
                    Message("assistant", "" if n % 7 == 0 and turn == 39 else f"Done with {n}."),
                )
            ),
            (Tool("order", None, '{"type": "object", "required": ["number"]}'),),
            model="m",
            started_at=f"2026-03-{1 + n % 20:02}",
        )
        for n in range(150)
    ]


@pytest.fixture
def logged(program_in, said):
    write_conversations(program_in.root / "logs.parquet", said)
    return program_in


def test_a_terminal_sees_how_far_how_fast_and_how_long_still(logged):
    code, printed, drawn = OnTerminal(logged.root, "triage", "logs.parquet", "--suggest", "2", "--json").end()
    assert code == 0
    assert json.loads(printed)["failing"]["count"] == 22
    for work in ("looking for failures", "counting", "reading what users said", "looking for ways of failing"):
        assert re.search(rf"{work} [^\n]*150/150", drawn), work
    assert re.search(r"looking at the calls of failures [^\n]*22/22", drawn)
    assert re.search(r"embedding what users said [^\n]*6000/6000 +[\d,.]+/s +\d:\d\d:\d\d", drawn)


def test_a_pipe_sees_nothing_of_it(logged):
    done = subprocess.run(
        [*COMMAND, "triage", "logs.parquet", "--by", "model", "--json"],
        cwd=logged.root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    with display() as shown, shown.polling("nothing", 3, lambda: pytest.fail("nobody sees it")):
        pass


ASKED = ("triage", "logs.jsonl", "--intents", "intents.parquet", "--suggest", "2", "--json")
KEPT = ("logs.jsonl", "logs.parquet", "pytest.ini")


@pytest.fixture(scope="module")
def undisturbed(said, tmp_path_factory):
    """What the command prints when nobody interrupts it."""
    root = tmp_path_factory.mktemp("undisturbed")
    (root / "pytest.ini").write_text("[pytest]\n")
    (root / "logs.jsonl").write_text("".join(map(as_logged, said)))
    environment = {**os.environ, "XDG_CACHE_HOME": str(root / "cache")}
    done = subprocess.run([*COMMAND, *ASKED], cwd=root, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def as_logged(talk):
    messages = [
        {
            "role": message.role,
            "content": message.content,
            "tool_call_id": message.tool_call_id,
            "tool_calls": [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in message.tool_calls
            ],
        }
        for message in talk.messages
    ]
    function = {"name": "order", "parameters": json.loads(talk.tools[0].parameters)}
    row = {"id": talk.conversation_id, "messages": messages, "tools": [{"type": "function", "function": function}]}
    return json.dumps({**row, "model": talk.model, "started_at": talk.started_at}) + "\n"


def whole(entry):
    """Reads all of a cached file."""
    if entry.kind in ("logs", "turns"):
        assert pq.read_table(entry.path).num_rows
    elif entry.kind == "problems":
        json.loads(entry.path.read_text())
    else:
        assert entry.kind.startswith("vectors")
        count, dimensions = np.fromfile(entry.path, np.int64, 2)
        assert entry.path.stat().st_size == 16 + count * (8 + 4 + dimensions)


@pytest.mark.parametrize("work", ["reading logs.jsonl, in MB", "reading what users said", "embedding what users said"])
def test_an_interruption_of_what_is_kept_leaves_the_caches_whole(logged, said, undisturbed, work):
    (logged.root / "logs.jsonl").write_text("".join(map(as_logged, said)))
    running = OnTerminal(logged.root, *ASKED)
    running.interrupt_at(work.encode())
    code, printed, drawn = running.end()
    assert (code, printed) == (1, "")
    assert "Aborted!" in drawn
    assert "Traceback" not in drawn
    left = user_caches().entries()
    assert not [entry.path for entry in left if entry.path.name.endswith(".tmp")]
    for entry in left:
        whole(entry)
    assert {path.name for path in logged.root.iterdir()} <= {"intents.parquet", *KEPT}
    assert logged(*ASKED).stdout == undisturbed
    assert {(entry.kind, entry.key) for entry in left} <= {(entry.kind, entry.key) for entry in user_caches().entries()}
