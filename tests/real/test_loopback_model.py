"""A real litellm call over loopback: two variants of one model, one of which misroutes a tenth of the messages."""

import json
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.shared_data import shared

CASES = 60


@pytest.fixture
def endpoint():
    pytest.importorskip("httptools")
    server = shared("bench", "mock_openai.py")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(server), "--port", str(port), "--latency-ms", "5"])
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/stats", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("via", ["litellm", "openai"])
def test_the_comparison_finds_exactly_the_misrouted_cases(shell, endpoint, monkeypatch, via):
    sys.path.insert(0, str(shared("bench")))
    try:
        from gen_cases import NAMES, TOOLS, make_case
        from mock_openai import pick_tool
    finally:
        sys.path.pop(0)
    import random

    rng = random.Random(7)
    made = [make_case(index, 1, rng) for index in range(CASES)]
    lines = [
        {
            "conversation_id": case["id"],
            "messages": [
                {"role": "system", "content": case["system"]},
                {"role": "user", "content": case["turns"][0]["user"]},
                {"role": "assistant", "content": "I could not help."},
            ],
            "tools": TOOLS,
            "expect": {"calls": {"order": "any_order", "expected": [
                {"name": case["turns"][0]["expected_tool"], "args": case["turns"][0]["expected_args"]}
            ]}},
        }
        for case in made
    ]  # fmt: skip
    shell.write("log.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    shell.write(
        "configs/v1.yaml",
        f"kind: variant\nname: v1\ntarget: {{type: model, via: {via}, model: openai/mock, api_base: '{endpoint}', api_key_env: MOCK_KEY}}\n",
    )
    shell.write("configs/v2.yaml", "kind: variant\nname: v2\nextends: v1.yaml\ntarget: {model: openai/mock-wrong10}\n")
    monkeypatch.setenv("MOCK_KEY", "sk-planted-secret")
    shell.program("promote", "log.jsonl", "--expect-column", "expect", "--control", "--out", "golden/cases.parquet")
    done = shell.pytest("golden", "--llmreplay-baseline", "v1", code=1)
    misrouted = {
        case["id"] for case in made
        if pick_tool(NAMES, case["turns"][0]["user"], 10) != pick_tool(NAMES, case["turns"][0]["user"])
    }  # fmt: skip
    assert misrouted
    failed = {(o.variant, o.case_id.rpartition("-")[0]) for o in shell.outcomes() if o.status == "failed"}
    assert failed == {("v2", case_id) for case_id in misrouted}
    assert f"{len(misrouted)} failed" in done.stdout
    again = shell.pytest("golden", "--llmreplay-baseline", "v1", "--llmreplay-record", "none", code=1)
    assert f"{len(misrouted)} failed" in again.stdout
    planted = [path for path in shell.root.rglob("*") if path.is_file() and b"sk-planted" in path.read_bytes()]
    assert planted == []
