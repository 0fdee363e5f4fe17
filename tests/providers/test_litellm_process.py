"""The process in which litellm works: what a lost, noisy or broken one means to those who ask."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_llmreplay.model.errors import AccessDenied, InfrastructureError
from pytest_llmreplay.providers.litellm_process import LitellmProcess

FAKE = """
import asyncio, os, sys, types
print("noise while importing")

class Answer:
    def __init__(self, said): self.said = said
    def model_dump(self): return {"said": self.said}

class Refused(Exception): pass
names = "AuthenticationError PermissionDeniedError Timeout ContentPolicyViolationError APIConnectionError".split()
exceptions = types.SimpleNamespace(**{name: type(name, (Exception,), {}) for name in names})
cut = []

async def acompletion(model, timeout, messages, **rest):
    print("noise while answering")
    if messages == "die": os._exit(3)
    if messages == "refuse": raise exceptions.AuthenticationError("no, sk-planted-0123456789")
    if messages == "cut": return Answer(cut)
    if messages == "odd": return Answer({("no", "key"): 1})
    if messages == "wait":
        try: await asyncio.sleep(60)
        except asyncio.CancelledError:
            cut.append("cut")
            raise
    return Answer([messages, os.getpid()])
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    (tmp_path / "litellm.py").write_text(FAKE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "litellm.py"


def ask(messages, **more):
    return {"model": "m", "timeout": 5, "messages": messages, **more}


async def said(process, messages):
    return (await process.complete(ask(messages)))["response"]["said"]


def closing(conversation):
    async def run():
        process = LitellmProcess()
        try:
            return await conversation(process)
        finally:
            await process.close()

    return asyncio.run(run())


@pytest.mark.usefixtures("fake")
def test_many_are_answered_at_once_by_one_other_process_whatever_it_prints():
    async def conversation(process):
        return await asyncio.gather(*(said(process, f"☃ {number} " + "x" * 100_000) for number in range(20)))

    answers = closing(conversation)
    assert [text.split()[1] for text, _ in answers] == [str(number) for number in range(20)]
    [pid] = {pid for _, pid in answers}
    assert pid != os.getpid()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.usefixtures("fake")
def test_a_lost_process_is_trouble_that_may_pass_and_the_next_request_starts_another():
    async def conversation(process):
        first = (await said(process, "hi"))[1]
        waiting = asyncio.create_task(process.complete(ask("wait")))
        with pytest.raises(InfrastructureError, match="was lost") as caught:
            await process.complete(ask("die"))
        with pytest.raises(InfrastructureError, match="was lost"):
            await waiting
        return caught.value, first, (await said(process, "hi"))[1]

    error, first, second = closing(conversation)
    assert (error.code, error.retryable) == ("connection", True)
    assert first != second


@pytest.mark.usefixtures("fake")
def test_a_request_that_nobody_waits_for_is_cut():
    async def conversation(process):
        await said(process, "hi")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.complete(ask("wait")), 0.2)
        return await said(process, "cut")

    assert closing(conversation) == ["cut"]


@pytest.mark.usefixtures("fake")
def test_refused_credentials_come_through_without_the_key():
    async def conversation(process):
        with pytest.raises(AccessDenied) as caught:
            await process.complete(ask("refuse", api_key="sk-planted-0123456789"))
        return str(caught.value)

    text = closing(conversation)
    assert "refused" in text
    assert "planted" not in text


@pytest.mark.usefixtures("fake")
def test_an_answer_that_json_cannot_hold_is_said():
    async def conversation(process):
        with pytest.raises(InfrastructureError, match="cannot be written as JSON") as caught:
            await process.complete(ask("odd"))
        return caught.value.code, (await said(process, "hi"))[0]

    assert closing(conversation) == ("bad_response", "hi")


def test_a_litellm_that_cannot_be_imported_is_said_to_every_request(fake):
    fake.write_text("import a_module_that_is_missing")

    async def conversation(process):
        return await asyncio.gather(*(process.complete(ask("hi")) for _ in range(2)), return_exceptions=True)

    for error in closing(conversation):
        assert str(error) == "litellm cannot be imported: No module named 'a_module_that_is_missing'"
        assert not error.retryable


@pytest.mark.usefixtures("fake")
def test_a_process_closed_on_one_event_loop_serves_the_next():
    process = LitellmProcess()

    async def once():
        try:
            return await said(process, "hi")
        finally:
            await process.close()

    assert asyncio.run(once())[0] == asyncio.run(once())[0] == "hi"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_it_ends_when_the_process_that_started_it_is_killed(fake):
    program = """
import asyncio, sys
from pytest_llmreplay.providers.litellm_process import LitellmProcess

async def main():
    answer = await (process := LitellmProcess()).complete({"model": "m", "timeout": 5, "messages": "hi"})
    print(answer["response"]["said"][1], flush=True)
    await process.complete({"model": "m", "timeout": 5, "messages": "wait"})

asyncio.run(main())
"""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(fake.parent), *sys.path]))}
    with subprocess.Popen([sys.executable, "-c", program], env=environ, stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and running(pid):
        time.sleep(0.02)
    assert not running(pid)


def running(pid):
    """Whether the process runs; an orphan whose end nobody has asked for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
