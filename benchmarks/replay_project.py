"""Writes a project for `replay.py`: golden cases, variants, and a cassette that holds every answer.

    python benchmarks/replay_project.py live|steps|judged|recorded --bench FOLDER --folder FOLDER --n 2000 --url URL

A process of its own: the peak memory of what `replay.py` starts begins with that of `replay.py`, which stays small.
In every case one tool is to be called. With `steps` the cases hold results for every tool, so that the model is asked a
second time; with `judged` they name a rubric, and a judge is at `--judge-url`; with `recorded` a cassette holds the
answers of the variant `direct`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_llmreplay.model.case import ANY_ARGUMENTS, Case, RecordedResult
from pytest_llmreplay.model.conversation import Message, Tool, ToolCall
from pytest_llmreplay.model.ports import ModelReply, ModelRequest
from pytest_llmreplay.providers.recorded import plain_request, recording_key, reply_to_record
from pytest_llmreplay.store.cases import write_cases
from pytest_llmreplay.store.recording_files import write_recordings

MODEL = "openai/mock-model"
RUBRIC = "configs/rubric.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("live", "steps", "judged", "recorded"))
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--n", type=int, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--judge-url")
    parser.add_argument("--concurrency", type=int, default=50)
    options = parser.parse_args()
    project = Project(options.folder, options.url)
    project.generate(options.bench, options.n)
    project.write_variants(options.concurrency)
    project.write_cases(with_results=options.kind == "steps", with_rubric=options.kind == "judged")
    if options.kind == "judged":
        project.write_judge(options.judge_url, options.concurrency)
    if options.kind == "recorded":
        project.write_recordings()


class Project:
    """A folder with cases, the variants `direct` and `litellm`, and what the bare clients read."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._url = folder, url
        self._cases_file, self._tools_file = folder / "cases.jsonl", folder / "tools.json"

    def generate(self, bench: Path, n: int) -> None:
        self._folder.mkdir()
        (self._folder / "pytest.ini").write_text("[pytest]\n")
        subprocess.run(
            [sys.executable, bench / "gen_cases.py", "--n", str(n), "--max-turns", "1",
             "--out", self._cases_file, "--tools", self._tools_file],
            check=True,
        )  # fmt: skip

    def write_variants(self, concurrency: int) -> None:
        (self._folder / "configs").mkdir()
        for name, via in (("direct", "openai"), ("litellm", "litellm")):
            target = f"type: model, via: {via}, model: {MODEL}, api_base: '{self._url}', max_concurrency: {concurrency}"
            (self._folder / "configs" / f"{name}.yaml").write_text(
                f"kind: variant\nname: {name}\ntarget: {{{target}}}\n"
            )

    def write_judge(self, url: str, concurrency: int) -> None:
        target = f"type: model, via: openai, model: judge, api_base: '{url}', max_concurrency: {concurrency}"
        (self._folder / "configs" / "judge.yaml").write_text(f"kind: judge\ntarget: {{{target}}}\n")
        (self._folder / RUBRIC).write_text(
            "kind: rubric\ncriteria: [{id: right, question: 'Is it right?', must_pass: true}]\n"
        )

    def write_cases(self, *, with_results: bool, with_rubric: bool) -> None:
        cases = self._cases()
        if with_rubric:
            cases = (replace(case, expect={**case.expect, "rubric": {"file": RUBRIC}}) for case in cases)
        if with_results:
            results = tuple(RecordedResult(1, tool.name, ANY_ARGUMENTS, '{"ok": true}') for tool in self._tools())
            cases = (replace(case, recorded_results=results) for case in cases)
        write_cases(self._folder / "golden" / "bench.parquet", cases)

    def write_recordings(self) -> None:
        cassettes = self._folder / "golden" / "cassettes"
        cassettes.mkdir()
        write_recordings(cassettes / "all.parquet", self._recordings())

    def _tools(self) -> tuple[Tool, ...]:
        return tuple(Tool.from_openai(tool) for tool in json.loads(self._tools_file.read_text()))

    def _cases(self) -> Iterator[Case]:
        tools = self._tools()
        for line in self._lines():
            turn = line["turns"][0]
            call = {"name": turn["expected_tool"], "args": turn["expected_args"]}
            yield Case(
                case_id=line["id"], suite="bench", kind="incident", status="open", turn=1, tools=tools,
                messages=(Message("system", line["system"]), Message("user", turn["user"])),
                expect={"calls": {"expected": [call]}},
            )  # fmt: skip

    def _recordings(self) -> Iterator[dict[str, Any]]:
        provider = f"openai {self._url}"
        for line, case in zip(self._lines(), self._cases(), strict=True):
            turn = line["turns"][0]
            call = ToolCall("call_1", turn["expected_tool"], json.dumps(turn["expected_args"]))
            reply = ModelReply(Message("assistant", tool_calls=(call,)), "tool_calls", 400, 20, None, 0.2)
            request = ModelRequest(MODEL, case.messages, case.tools or ())
            yield {
                "key": recording_key(request, provider=provider, trial=1),
                "provider": provider,
                "model": MODEL,
                "trial": 1,
                "recorded_at": "2026-01-01T00:00:00.000+00:00",
                "request": plain_request(request),
                "response": reply_to_record(reply),
            }

    def _lines(self) -> Iterator[dict[str, Any]]:
        with self._cases_file.open() as file:
            yield from map(json.loads, file)


if __name__ == "__main__":
    main()
