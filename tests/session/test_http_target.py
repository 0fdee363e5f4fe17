"""A deployed application replayed by its own API, from `pytest golden/` on."""

import pytest

from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.store.recordings import RecordingStore
from tests.application import Application
from tests.fakes import says
from tests.loopback import serving

VARIANT = """
kind: variant
name: app
target:
  type: http
  url: {url}/{path}
  {accepted}
  version: "1"
  session: {{open: {{url: "{url}/login", headers: {{Authorization: "Bearer ${{BOT_TOKEN}}"}}}}, id: data.session.id}}
  body: {{text: "{{{{ user }}}}", session: "{{{{ session }}}}"}}
  response: {{answer: {answer}, tools: trace, name: tool, arguments: input{stream}}}
replay: {{mode: conversation}}
"""
ARGUMENTS = ("golden", "--llmreplay-variant", "configs/app.yaml")


def conversation(number):
    messages = (Message("user", f"hello {number}"), says("hi"), Message("user", "again"), says("hi again"))
    expect = {
        "calls": {"scope": "conversation", "order": "strict", "expected": [
            {"name": "look", "args": {"n": 1}}, {"name": "look", "args": {"n": 2}}
        ]},
        "answer": {"contains_all": [f"['hello {number}', 'again']"]},
    }  # fmt: skip
    return Case(f"talk-{number}", "s", "incident", "fixed", messages, 2, expect=expect)


def write_variant(project, url, *, path="chat", answer="reply.text", stream="", accepted="side_effects: accepted"):
    text = VARIANT.format(url=url, path=path, answer=answer, stream=stream, accepted=accepted)
    (project.root / "configs" / "app.yaml").write_text(text)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_an_application_with_login_session_and_streaming(project, monkeypatch, stream):
    monkeypatch.setenv("BOT_TOKEN", "token-123456")
    project.golden(*(conversation(number) for number in range(6)))
    application = Application()
    way = {"path": "stream", "answer": "delta", "stream": ", stream: sse"} if stream else {}
    with serving(application.routes()) as url:
        write_variant(project, url, **way)
        project.run(*ARGUMENTS).assert_outcomes(passed=6)
    assert len(application.said) == 6
    recordings = RecordingStore(project.root / ".pytest_llmreplay" / "recordings")
    assert {entry.provider for entry in recordings.entries()} == {f"{url}/{way.get('path', 'chat')}"}
    monkeypatch.delenv("BOT_TOKEN")
    project.run(*ARGUMENTS, "--llmreplay-record", "none").assert_outcomes(passed=6)


def test_it_is_refused_until_the_side_effects_are_accepted(plain_project):
    plain_project.golden(conversation(1))
    application = Application()
    with serving(application.routes()) as url:
        write_variant(plain_project, url, accepted="")
        result = plain_project.run(*ARGUMENTS)
    assert result.ret == 4
    assert application.said == {}
    [line] = [line for line in result.errlines if line.startswith("ERROR: ")]
    assert "app.yaml: target.side_effects: a deployed application runs its tools for real; if that may happen" in line
