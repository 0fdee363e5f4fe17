"""How close a replay comes to the limit: whole pytest sessions against bare loops, as ratios within one run.

    python benchmarks/replay.py --bench FOLDER [--n 2000] [--rounds 3] [--only direct,litellm,recorded,xdist]

`--bench` is a folder with the loopback model server `mock_openai.py`, the case generator `gen_cases.py` and the bare
clients `clients.py`. Each session replays n single-turn tool-call cases from golden Parquet, with one deterministic
check each, at 200 ms latency and concurrency 50. Wall is the whole process, start-up included; the bare loop is
measured as a whole process too.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LATENCY_MS = 200
CONCURRENCY = 50
QUIET = ["-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio"]


@dataclass
class Measured:
    """One whole process: seconds of wall and CPU time, peak memory in MB."""

    wall: float
    cpu: float
    rss: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="direct,recorded,xdist,litellm")
    options = parser.parse_args()
    wanted = options.only.split(",")
    work = Path(tempfile.mkdtemp(prefix="llmreplay-bench-"))
    try:
        with endpoint(options.bench) as url:
            Benchmark(options.bench, work, options.n, options.rounds, url).run(wanted)
    finally:
        shutil.rmtree(work)


class Benchmark:
    """A project with n cases, and what is measured on it."""

    def __init__(self, bench: Path, work: Path, n: int, rounds: int, url: str) -> None:
        self.bench, self.work, self.n, self.rounds, self.url = bench.resolve(), work, n, rounds, url
        subprocess.run(
            [sys.executable, self.bench / "gen_cases.py", "--n", str(n), "--max-turns", "1",
             "--out", work / "cases.jsonl", "--tools", work / "tools.json"],
            check=True,
        )  # fmt: skip
        self.write_project()

    def write_project(self) -> None:
        from pytest_llmreplay.model.case import Case
        from pytest_llmreplay.model.conversation import Message, Tool
        from pytest_llmreplay.store.cases import write_cases

        (self.work / "pytest.ini").write_text("[pytest]\n")
        (self.work / "configs").mkdir()
        target = f"{{type: model, model: openai/mock-model, api_base: '{self.url}', max_concurrency: {CONCURRENCY}}}"
        for name, via in (("direct", "openai"), ("litellm", "litellm")):
            stated = target.replace("model,", f"model, via: {via},", 1)
            (self.work / "configs" / f"{name}.yaml").write_text(f"kind: variant\nname: {name}\ntarget: {stated}\n")
        tools = tuple(Tool.from_openai(tool) for tool in json.loads((self.work / "tools.json").read_text()))
        cases = (
            Case(
                case_id=line["id"], suite="bench", kind="incident", status="open", turn=1, tools=tools,
                messages=(Message("system", line["system"]), Message("user", line["turns"][0]["user"])),
                expect={"calls": {"expected": [
                    {"name": line["turns"][0]["expected_tool"], "args": line["turns"][0]["expected_args"]}
                ]}},
            )
            for line in map(json.loads, (self.work / "cases.jsonl").open())
        )  # fmt: skip
        write_cases(self.work / "golden" / "bench.parquet", cases)

    def run(self, wanted: list[str]) -> None:
        limit = -(-self.n // CONCURRENCY) * LATENCY_MS / 1000
        print(f"n = {self.n}, {LATENCY_MS} ms, concurrency {CONCURRENCY}: latency x ceil(n / c) = {limit:.2f} s")
        floor = self.rounds_of(lambda: self.bare("raw_aiohttp"))
        self.show("bare aiohttp loop", floor, floor)
        if "direct" in wanted:
            self.show("pytest, direct", self.rounds_of(lambda: self.session("direct")), floor)
        if "recorded" in wanted:
            self.session("direct")
            empty = self.rounds_of(self.empty_items)
            self.show("empty pytest items", empty, empty)
            recorded = self.rounds_of(lambda: self.session("direct", keep=True))
            self.show("pytest, recorded", recorded, empty)
            over = (median(recorded).cpu - median(empty).cpu) * 1000 / self.n
            print(f"  CPU over empty items: {over:.2f} ms a case (start-up included)")
        if "xdist" in wanted:
            plain = self.rounds_of(lambda: self.session("direct"))
            self.show("pytest, direct, -n 2", self.rounds_of(lambda: self.session("direct", "-n2")), plain)
        if "litellm" in wanted:
            bare = self.rounds_of(lambda: self.bare("litellm"))
            self.show("bare litellm loop", bare, bare)
            self.show("pytest, litellm", self.rounds_of(lambda: self.session("litellm")), bare)

    def rounds_of(self, measure: Callable[[], Measured]) -> list[Measured]:
        measure()
        return [measure() for _ in range(self.rounds)]

    def show(self, name: str, runs: list[Measured], floor: list[Measured]) -> None:
        middle, base = median(runs), median(floor)
        print(
            f"{name:24} wall {middle.wall:7.2f} s  cpu {middle.cpu * 1000 / self.n:6.2f} ms a case  "
            f"{middle.rss:5.0f} MB  wall ratio {middle.wall / base.wall:.3f}",
            flush=True,
        )

    def session(self, variant: str, *extra: str, keep: bool = False) -> Measured:
        if not keep:
            shutil.rmtree(self.work / ".pytest_llmreplay", ignore_errors=True)
        command = [sys.executable, "-m", "pytest", *QUIET, "golden", "--llmreplay-variant", f"configs/{variant}.yaml"]
        command += ["--llmreplay-record", "none"] if keep else []
        return self.measured([*command, *extra], expected=f"{self.n} passed")

    def bare(self, client: str) -> Measured:
        return self.measured([sys.executable, str(self.bench / "clients.py"), client], expected="RESULT")

    def empty_items(self) -> Measured:
        folder = self.work / "empty"
        folder.mkdir(exist_ok=True)
        (folder / "conftest.py").write_text(EMPTY_ITEMS)
        (folder / "x.cases").write_text("")
        (folder / "pytest.ini").write_text("[pytest]\n")
        return self.measured([sys.executable, "-m", "pytest", *QUIET, str(folder)], expected=f"{self.n} passed")

    def measured(self, command: list[str], *, expected: str) -> Measured:
        environ = {
            **os.environ, "BENCH_N": str(self.n), "BENCH_C": str(CONCURRENCY), "BENCH_URL": self.url,
            "BENCH_CASES": str(self.work / "cases.jsonl"), "BENCH_TOOLS": str(self.work / "tools.json"),
            "OPENAI_API_KEY": "sk-mock",
        }  # fmt: skip
        # As on a machine of one's own: with bytecode kept and output buffered, for both sides of every ratio.
        environ = {
            name: value
            for name, value in environ.items()
            if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
        }
        out = self.work / "out.txt"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        with out.open("w") as file:
            process = subprocess.Popen(command, cwd=self.work, env=environ, stdout=file, stderr=subprocess.STDOUT)
            _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        text = out.read_text()
        if status != 0 or expected not in text:
            raise SystemExit(f"{' '.join(command)} did not end as it should:\n{text[-3000:]}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Measured(wall, cpu, used.ru_maxrss / 1024)


EMPTY_ITEMS = """
import os, pytest

class Case(pytest.Item):
    def runtest(self): pass
    def reportinfo(self): return self.path, 0, self.name

class CaseFile(pytest.File):
    def collect(self):
        for i in range(int(os.environ["BENCH_N"])):
            yield Case.from_parent(self, name="case-%06d" % i)

def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".cases":
        return CaseFile.from_parent(parent, path=file_path)
"""


def median(runs: list[Measured]) -> Measured:
    # By hand, since the folder of this script has a `statistics.py` of its own.
    return Measured(*(sorted(getattr(run, name) for run in runs)[len(runs) // 2] for name in ("wall", "cpu", "rss")))


@contextmanager
def endpoint(bench: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(bench / "mock_openai.py"), "--port", str(port), "--latency-ms", str(LATENCY_MS)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/stats", timeout=1).read()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
