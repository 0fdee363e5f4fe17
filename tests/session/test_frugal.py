"""What a session does without: modules that nothing needs, and objects that nobody asks for again."""

import json
from pathlib import Path

import pytest

from pytest_llmreplay.model.conversation import Message, ToolCall
from pytest_llmreplay.model.ports import ModelReply, ModelRequest
from pytest_llmreplay.providers.recorded import plain_request, recording_key, reply_to_record
from pytest_llmreplay.store.recording_files import write_recordings
from tests.session.conftest import CASES, SETTLED, make_case

API_BASE = "http://127.0.0.1:9/v1"
MODEL = "anthropic/some-model"
PRICES = "prices: {input_per_million: 1, output_per_million: 1}"
IMPORTED = """
import sys

def pytest_unconfigure():
    print("IMPORTED", *(name for name in ("litellm", "aiohttp") if name in sys.modules), file=sys.__stdout__)
"""
ARROW = """
import pathlib, sys

def pytest_unconfigure(config):
    name = getattr(config, "workerinput", {}).get("workerid", "main")
    pathlib.Path(f"arrow-{name}").write_text(str("pyarrow" in sys.modules))
"""
LITELLM = """
import pathlib

pathlib.Path(__file__).with_name("imported").write_text("")
"""
WAITING = """
import pathlib, time
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish():
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not pathlib.Path("imported").exists():
        time.sleep(0.01)
"""
COUNTED = """
import gc
import pytest
from pytest_llmreplay.model.outcome import Outcome
from pytest_llmreplay.model.trial import Trial

@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish():
    gc.unfreeze()
    gc.collect()
    alive = [type(thing) for thing in gc.get_objects() if isinstance(thing, Outcome | Trial)]
    print("ALIVE", alive.count(Outcome), alive.count(Trial))
"""


def model_variant(project, via, extra=PRICES):
    for path in (project.root / "configs").glob("*.yaml"):
        path.unlink()
    target = f"type: model, model: {MODEL}, via: {via}, api_base: '{API_BASE}', {extra}"
    (project.root / "configs" / "m.yaml").write_text(f"kind: variant\nname: m\ntarget: {{{target}}}\n")


def record(project, cases, via):
    provider = f"{via} {API_BASE}"

    def recordings():
        for case in cases:
            first = ModelReply(
                Message("assistant", tool_calls=(ToolCall("c", case.messages[1].tool_calls[0].name, "{}"),))
            )
            second = ModelReply(Message("assistant", "done"))
            asked = case.messages[:1]
            answered = (*asked, first.message, Message("tool", case.messages[2].content, tool_call_id="c"))
            for messages, reply in ((asked, first), (answered, second)):
                request = ModelRequest(MODEL, messages, case.tools)
                yield {
                    "key": recording_key(request, provider=provider, trial=1), "provider": provider, "model": MODEL,
                    "trial": 1, "recorded_at": "2026-01-01T00:00:00.000+00:00", "request": plain_request(request),
                    "response": reply_to_record(reply),
                }  # fmt: skip

    folder = project.root / "golden" / "cassettes"
    folder.mkdir(parents=True)
    write_recordings(folder / "all.parquet", recordings())


@pytest.mark.parametrize("via", ["openai", "litellm"])
@pytest.mark.parametrize("mode", ["none", "new_episodes"])
def test_nothing_that_sends_is_imported_when_all_is_recorded(plain_project, via, mode):
    plain_project.golden(*CASES[:4])
    record(plain_project, CASES[:4], via)
    model_variant(plain_project, via)
    plain_project.pytester.makeconftest(IMPORTED)
    result = plain_project.run("golden", "--llmreplay-record", mode)
    result.assert_outcomes(passed=4)
    assert "IMPORTED" in result.outlines


@pytest.mark.parametrize(
    ("via", "arguments", "recorded", "imported"),
    [
        ("litellm", [], False, True),
        ("litellm", ["--llmreplay-record", "all"], True, True),
        ("openai", [], False, False),
        ("litellm", [], True, False),
        ("litellm", ["--llmreplay-record", "none"], False, False),
        ("litellm", ["--collect-only"], False, False),
        ("litellm", ["--llmreplay-plan"], False, False),
    ],
)
def test_litellm_is_imported_ahead_only_where_a_request_will_surely_need_it(
    plain_project, monkeypatch, via, arguments, recorded, imported
):
    monkeypatch.setenv("PYTHONPATH", str(plain_project.root), prepend=":")
    (plain_project.root / "litellm.py").write_text(LITELLM)
    plain_project.golden(CASES[0])
    if recorded:
        record(plain_project, CASES[:1], via)
    model_variant(plain_project, via)
    # The session would be over before the import has begun.
    plain_project.pytester.makeconftest(IMPORTED + WAITING if imported else IMPORTED)
    result = plain_project.run("golden", "--llmreplay-max-cost", "0", "--llmreplay-wait", "0s", *arguments)
    assert not any(line.startswith("IMPORTED") and "litellm" in line for line in result.outlines)
    assert (plain_project.root / "imported").exists() == imported


def test_arrow_is_imported_only_where_golden_files_changed_or_are_replayed(project):
    project.golden(*CASES)
    record(project, CASES[:1], "openai")
    project.pytester.makeconftest(SETTLED + ARROW)
    imported = []
    for arguments in (["--collect-only"], ["--collect-only"], []):
        assert project.run("golden", *arguments).ret == 0
        told = project.root.glob("arrow-*")
        imported.append({path.name.removeprefix("arrow-"): path.read_text() for path in told})
    # xdist collects in its workers, but for --collect-only.
    of_workers = {"gw0": "False", "gw1": "False"} if "-n2" in project.arguments else {}
    assert imported == [{"main": "True"}, {"main": "False"}, {"main": "True", **of_workers}]


def test_finished_trials_are_not_kept_in_memory(plain_project):
    cases = [make_case(f"c-{i:03}", "where is my order", "order") for i in range(300)]
    plain_project.golden(*cases)
    (plain_project.root / "configs" / "v1.yaml").unlink()
    plain_project.variant("v2", "bot:answer")
    text = Path(plain_project.root / "configs" / "v2.yaml").read_text()
    (plain_project.root / "configs" / "v2.yaml").write_text(
        text.replace("bot:answer'", "bot:answer', max_concurrency: 2")
    )
    plain_project.pytester.makeconftest(COUNTED)
    result = plain_project.run("golden", "-s")
    result.assert_outcomes(passed=300)
    [line] = [line for line in result.outlines if line.startswith(("ALIVE", ".ALIVE")) or "ALIVE" in line]
    outcomes, trials = map(int, line.split("ALIVE")[1].split())
    assert outcomes <= 16
    assert trials <= 16
    assert len(plain_project.outcomes()) == 300


def test_the_summary_of_a_run_counts_what_is_on_the_disk(plain_project):
    plain_project.golden(*CASES[:4])
    result = plain_project.run("golden", "--llmreplay-variant", "configs/v1.yaml")
    assert any(line.split()[:3] == ["v1", "2", "2"] for line in result.outlines)
    result.stdout.fnmatch_lines(["Open incidents on v1: 0 now pass, 2 are known and still fail"])
    assert json.loads((plain_project.last_run() / "run.json").read_text())["trials"] == 4
