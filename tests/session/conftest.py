"""A project with golden cases and callable variants, run plainly, with `-n 0` and with `-n 2`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np  # noqa: F401 (once a process: pytester unloads what a test has loaded, and numpy loads only once)
import pytest

from pytest_llmreplay.model.case import Case, recorded_results_of
from pytest_llmreplay.model.conversation import Message, Tool
from pytest_llmreplay.store.cases import write_cases
from tests.fakes import calls, says

BOT = '''
import json

def answer(messages, tools, replay):
    """Calls the tool that the user names; `v1` gets every message with "hard" wrong."""
    text = messages[-1]["content"] or ""
    if messages[-1]["role"] == "tool":
        return "it says " + text
    if "boom" in text:
        raise RuntimeError("the database is down")
    return {"tool_calls": [{"id": "c", "function": {"name": text.split()[-1], "arguments": "{}"}}]}

def answer_v1(messages, tools, replay):
    if "hard" in (messages[-1]["content"] or ""):
        return "I do not know."
    return answer(messages, tools, replay)

def answer_worse(messages, tools, replay):
    if "easy" in (messages[-1]["content"] or ""):
        return "I do not know."
    return answer(messages, tools, replay)
'''

# A conftest.py under which golden files that were written a moment ago are kept like older ones.
SETTLED = """
from pytest_llmreplay.store import kept_index

kept_index._TICK_S = -60.0
"""

TOOLS = (Tool("order", effect="read"), Tool("human", effect="write"), Tool("refund", effect="write"))


def make_case(case_id, text, tool, *, status="open", kind="incident", recorded=True, **changes):
    call = calls((tool, "{}"))
    messages = (Message("user", text), call, Message("tool", f"{tool} result", tool_call_id="c0"), says("done"))
    case = Case(
        case_id=case_id,
        suite="support",
        kind=kind,
        status=status,
        messages=messages,
        turn=1,
        tools=TOOLS,
        recorded_results=recorded_results_of(messages) if recorded else (),
        expect={"calls": {"expected": [{"name": tool}]}},
        metadata={"task": case_id},
    )
    return replace(case, **changes)


CASES = [
    make_case("hard-1", "hard, I want a human", "human", severity="high", tags=("vip",)),
    make_case("hard-2", "hard, where is my order", "order"),
    make_case("easy-1", "easy, give me a refund", "refund", status="fixed", kind="control"),
    make_case("easy-2", "easy, where is my order", "order", status="fixed"),
    make_case("draft-1", "a draft about an order", "order", status="draft"),
    make_case("retired-1", "an old order", "order", status="retired"),
]


class ReplayProject:
    """A pytester project; `run` gives pytest's result, `outcomes` what the last run kept."""

    def __init__(self, pytester: pytest.Pytester, arguments: list[str]) -> None:
        self.pytester = pytester
        self.root: Path = pytester.path
        self.arguments = arguments
        pytester.makepyfile(bot=BOT)
        self.variant("v1", "bot:answer_v1")
        self.variant("v2", "bot:answer")

    def variant(self, name: str, function: str, extra: str = "") -> None:
        folder = self.root / "configs"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.yaml").write_text(
            f"kind: variant\nname: {name}\ntarget: {{type: callable, function: '{function}'}}\n{extra}"
        )

    def golden(self, *cases: Case, name: str = "support.parquet") -> Path:
        path = self.root / "golden" / name
        path.parent.mkdir(exist_ok=True)
        write_cases(path, cases, replace=True)
        return path

    def run(self, *arguments: str) -> pytest.RunResult:
        # hypothesis loads itself into every pytest that has it, which is most of what such a run would cost.
        quiet = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio")
        return self.pytester.runpytest_subprocess(*quiet, *self.arguments, *arguments)

    def run_info(self) -> dict:
        return json.loads((self.last_run() / "run.json").read_text())

    def last_run(self) -> Path:
        return max((self.root / ".pytest_llmreplay" / "runs").iterdir())

    def outcomes(self) -> dict[tuple[str, str, int], str]:
        from pytest_llmreplay.store.runs import RunStore

        _, outcomes = RunStore(self.root / ".pytest_llmreplay").load("last")
        return {outcome.trial_id: outcome.status for outcome in outcomes}


@pytest.fixture(autouse=True)
def _one_width_everywhere(monkeypatch):
    """The summary fits itself to the terminal, which is another one on every machine."""
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture(params=["plain", "-n0", "-n2"])
def project(request, pytester):
    return ReplayProject(pytester, [] if request.param == "plain" else [request.param])


@pytest.fixture
def plain_project(pytester):
    """For what does not depend on xdist."""
    return ReplayProject(pytester, [])
