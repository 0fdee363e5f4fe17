"""Planted credentials: in headers, keys, cookies, URLs and what servers repeat of them. None reaches a file or a screen."""

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
from aiohttp import web

from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import Message
from tests.fault_runs import fault_cases
from tests.loopback import FaultyModel, completion, serving

PLANTED = {
    "OPENAI_API_KEY": "planted-model-key-1",
    "BOT_TOKEN": "planted-bot-token-2",
    "URL_PART": "planted-in-url-3",
}
COOKIE = "planted-cookie-4"
APP = """
kind: variant
name: app
target:
  type: http
  url: "{url}/chat?api_key=${{URL_PART}}"
  headers: {{Authorization: "Bearer ${{BOT_TOKEN}}"}}
  side_effects: accepted
  version: "1"
  body: {{text: "{{{{ user }}}}"}}
  response: {{answer: text}}
replay: {{mode: conversation}}
"""
IN_BASE = "planted-in-base-5"
MODEL = "kind: variant\nname: m\ntarget: {{type: model, model: openai/m, api_base: '{url}/v1?sig=planted-in-base-5'}}\n"
LEAKY = """
import os

def answer(messages, tools, replay):
    raise RuntimeError("cannot log in with " + os.environ["BOT_TOKEN"])
"""


class Talkative:
    """Answers every other request, and repeats all that it was sent in the error of the rest."""

    def __init__(self):
        self.sent = []

    def routes(self):
        return [web.post("/chat", self.chat), web.post("/v1/chat/completions", self.model)]

    async def chat(self, request):
        self.sent.append((str(request.url), dict(request.headers)))
        response = web.json_response({"text": "fine"})
        if (await request.json())["text"].startswith("odd") and "sid" in request.cookies:
            response = web.json_response({"error": f"{request.url} {dict(request.headers)}"}, status=400)
        response.set_cookie("sid", COOKIE)
        return response

    async def model(self, request):
        self.sent.append((str(request.url), dict(request.headers)))
        if "odd" in (await request.text()):
            said = f"key {request.headers.get('Authorization')} at {request.url} is odd"
            return web.json_response({"error": {"message": said}}, status=400)
        return web.json_response(completion("fine"))


def talks():
    for number in range(4):
        word = "odd" if number % 2 else "even"
        messages = (Message("user", f"{word} {number}"), Message("assistant", "hi"), Message("user", f"{word} again"))
        yield Case(
            f"talk-{number}", "s", "control", "fixed", messages, 2, expect={"answer": {"contains_all": ["fine"]}}
        )


def test_planted_credentials_reach_no_file_and_no_screen(plain_project, monkeypatch):
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    root, server = plain_project.root, Talkative()
    plain_project.golden(*talks())
    with serving(server.routes()) as url:
        (root / "configs" / "app.yaml").write_text(APP.format(url=url))
        (root / "configs" / "m.yaml").write_text(MODEL.format(url=url))
        (root / "leaky.py").write_text(LEAKY)
        plain_project.variant("own", "leaky:answer")
        variants = [f"--llmreplay-variant=configs/{name}.yaml" for name in ("app", "m", "own")]
        result = plain_project.run("golden", "-v", "-rA", "--junitxml=junit.xml", "--showlocals", *variants)
    assert set(plain_project.outcomes().values()) == {"passed", "error"}
    assert "HTTP 400" in result.stdout.str()
    assert "cannot log in with ***" in result.stdout.str()
    screens = [result.stdout.str(), result.stderr.str()]
    for arguments in (
        ["cassettes", "commit"], ["cassettes", "show"], ["cassettes", "show", "--json"], ["doctor"],
        ["report", "--html", "page.html", "--candidate", "app", "--baseline", "m"],
        ["report", "--junit", "again.xml", "--candidate", "app", "--baseline", "m"],
    ):  # fmt: skip
        command = [Path(sys.executable).parent / "pytest-llmreplay", *arguments]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        screens += [done.stdout, done.stderr]
    sent = str(server.sent)
    for secret in (*PLANTED.values(), COOKIE):
        assert secret in sent, "the test sends what it looks for"
        assert not any(secret in screen for screen in screens)
    files = [path for path in root.rglob("*") if path.is_file() and path.parent.name != "configs"]
    assert {"page.html", "again.xml", "junit.xml", "recorded.parquet", "outcomes.parquet"} <= {p.name for p in files}
    for path in files:
        text = (
            str(pq.read_table(path).to_pylist()) if path.suffix == ".parquet" else path.read_bytes().decode("latin-1")
        )
        assert not [secret for secret in (*PLANTED.values(), COOKIE, IN_BASE) if secret in text], path


def test_nor_do_the_journals_of_a_run_that_is_under_way(plain_project, monkeypatch):
    """Before they are sealed, what they hold is on the disk as it is."""
    from tests.fault_runs import VARIANT, start, wait_until, write_project

    monkeypatch.setenv("OPENAI_API_KEY", PLANTED["OPENAI_API_KEY"])
    model, root = FaultyModel(latency_s=0.2), plain_project.root
    with serving(model.routes()) as url:
        write_project(root, fault_cases(100), url)
        process = start(root, *VARIANT)
        wait_until(lambda: model.answered >= 40 or process.poll() is not None)
        process.kill()
        process.communicate()
    journals = list((root / ".pytest_llmreplay").rglob("*.journal"))
    assert len(journals) == 2
    assert all(path.stat().st_size > 1000 and b"planted" not in path.read_bytes() for path in journals)
