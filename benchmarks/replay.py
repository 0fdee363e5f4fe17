"""How close a replay comes to the limit: whole pytest sessions against bare loops, as ratios within one run.

    python benchmarks/replay.py --bench FOLDER [--only direct,recorded,…] [--rounds 3] [--scale 1]

`--bench` is a folder with the loopback model server `mock_openai.py`, the case generator `gen_cases.py` and the bare
clients `clients.py`. Sessions replay single-turn tool-call cases from golden Parquet, with one deterministic check
each, at 200 ms latency and concurrency 50; what a figure is measured against is measured in turns with it. Wall and CPU
time are those of the whole process, start-up included; figures are medians. `--scale 0.1` takes a tenth of the cases:
then figures that start-up dominates say little.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tabulate import tabulate

LATENCY_MS = 200
CONCURRENCY = 50
QUIET = ["-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio"]
SMALL, MIDDLE, LARGE, HUGE = 200, 2_000, 10_000, 100_000
PYTEST = [sys.executable, "-m", "pytest"]
# As `collect.py` of the folder with the model server makes them.
ITEMS = """
import os, pytest

class Case(pytest.Item):
    def __init__(self, *, case, **kwargs):
        super().__init__(**kwargs)
        self.case = case
    def runtest(self): pass
    def reportinfo(self): return self.path, 0, self.name

class CaseFile(pytest.File):
    def collect(self):
        for number, name in enumerate(NAMES):
            yield Case.from_parent(self, name=name, case={"id": number})

def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".cases":
        return CaseFile.from_parent(parent, path=file_path)
"""
EMPTY_ITEMS = ITEMS.replace("NAMES", 'map("case-%06d".__mod__, range(int(os.environ["BENCH_N"])))')
# Whoever keeps cases in Parquet pays for a library that reads it.
FILE = 'pyarrow.parquet.ParquetFile(os.environ["BENCH_GOLDEN"])'
IDS = f'{FILE}.read(columns=["case_id"], use_threads=False)["case_id"].to_pylist()'
PARQUET_ITEMS = "import pyarrow.parquet" + ITEMS.replace("NAMES", IDS)
# How many rounds small sessions get for each round of a large one: what is measured is a fraction of their start-up.
MORE_ROUNDS = 5


@dataclass
class Measured:
    """One whole process, or the median of several: seconds of wall and CPU time, peak memory in MB."""

    wall: float
    cpu: float
    rss: float


@dataclass
class Project:
    """A folder that `replay_project.py` wrote, with n cases."""

    folder: Path
    n: int


@dataclass
class Figure:
    """A line of the table: what was measured, what it should be at most, and what it is."""

    name: str
    aim: float
    value: float
    unit: str

    def row(self) -> list[str]:
        held = "held" if self.value <= self.aim else "MISSED"
        return [self.name, f"{self.aim:g} {self.unit}", f"{self.value:.3g} {self.unit}", held]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--only", help=f"what to measure, of: {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    wanted = options.only.split(",") if options.only else list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    work = Path(tempfile.mkdtemp(prefix="llmreplay-bench-"))
    figures: list[Figure] = []
    try:
        judge = Path(__file__).with_name("judge_endpoint.py")
        with endpoint(options.bench / "mock_openai.py") as model_url, endpoint(judge) as judge_url:
            urls = model_url, judge_url
            benchmark = Benchmark(options.bench.resolve(), work, urls, options.rounds, options.scale)
            for part in wanted:
                figures += PARTS[part](benchmark)
    finally:
        shutil.rmtree(work)
        print(tabulate([figure.row() for figure in figures], headers=["", "at most", "is", ""], disable_numparse=True))


class Benchmark:
    """The projects, and the processes that are measured on them."""

    def __init__(self, bench: Path, work: Path, urls: tuple[str, str], rounds: int, scale: float) -> None:
        self.bench, self.work, (self.url, self.judge_url), self.rounds, self.scale = bench, work, urls, rounds, scale
        for name, conftest in (("empty", EMPTY_ITEMS), ("ids", PARQUET_ITEMS)):
            folder = work / name
            folder.mkdir()
            (folder / "conftest.py").write_text(conftest)
            (folder / "x.cases").write_text("")
            (folder / "pytest.ini").write_text("[pytest]\n")

    @cache  # noqa: B019 (lives as long as the program)
    def project(self, kind: str, n: int) -> Project:
        project = Project(self.work / f"{kind}-{n}", max(1, int(n * self.scale)))
        script = Path(__file__).with_name("replay_project.py")
        where = ["--bench", self.bench, "--folder", project.folder, "--url", self.url, "--judge-url", self.judge_url]
        size = ["--n", str(project.n), "--concurrency", str(CONCURRENCY)]
        subprocess.run([sys.executable, script, kind, *where, *size], check=True)
        return project

    def session(self, project: Project, variant: str, *extra: str) -> Measured:
        """A session from nothing: what an earlier one kept is gone."""
        shutil.rmtree(project.folder / ".pytest_llmreplay", ignore_errors=True)
        return self.later_session(project, variant, *extra)

    def later_session(self, project: Project, variant: str, *extra: str) -> Measured:
        """A session after another one."""
        command = [*PYTEST, *QUIET, "golden", "--llmreplay-variant", f"configs/{variant}.yaml", *extra]
        collected = "--collect-only" in extra
        return self.measured(command, project, "" if collected else f"{project.n} passed", project.folder)

    def recorded(self, project: Project, *extra: str) -> Measured:
        return self.session(project, "direct", "--llmreplay-record", "none", *extra)

    def bare(self, client: str, project: Project) -> Measured:
        return self.measured([sys.executable, str(self.bench / "clients.py"), client], project, "RESULT", self.work)

    def empty_items(self, project: Project, *extra: str) -> Measured:
        expected = "" if "--collect-only" in extra else f"{project.n} passed"
        return self.measured([*PYTEST, *QUIET, ".", *extra], project, expected, self.work / "empty")

    def empty_items_with_ids(self, project: Project, *extra: str) -> Measured:
        """Empty items with the ids of the project's golden file."""
        return self.measured([*PYTEST, *QUIET, ".", *extra], project, f"x.cases: {project.n}", self.work / "ids")

    def side_by_side(self, *measure: Callable[[], Measured], rounds: int | None = None) -> list[Measured]:
        """The medians of what is measured in turns, after a round that warms caches up."""
        rounds = self.rounds if rounds is None else rounds
        runs = [[one() for one in measure] for _ in range(rounds + (rounds > 1))][rounds > 1 :]
        return [median([run[index] for run in runs]) for index in range(len(measure))]

    def measured(self, command: list[str], project: Project, expected: str, folder: Path) -> Measured:
        environ = {
            **os.environ, "BENCH_N": str(project.n), "BENCH_C": str(CONCURRENCY), "BENCH_URL": self.url,
            "BENCH_GOLDEN": str(project.folder / "golden" / "bench.parquet"),
            "BENCH_CASES": str(project.folder / "cases.jsonl"), "BENCH_TOOLS": str(project.folder / "tools.json"),
            # litellm's own loop would wait for the network otherwise.
            "LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_API_KEY": "sk-mock",
        }  # fmt: skip
        # As on a machine of one's own: with bytecode kept and output buffered, for both sides of every ratio.
        for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):
            environ.pop(name, None)
        out = self.work / "out.txt"
        started = time.perf_counter()
        with out.open("w") as file:
            process = subprocess.Popen(command, cwd=folder, env=environ, stdout=file, stderr=subprocess.STDOUT)
            _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        text = out.read_text()
        if status != 0 or expected not in text:
            raise SystemExit(f"{' '.join(command)} did not end as it should:\n{text[-3000:]}")
        run = Measured(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
        shown = " ".join(part.rsplit("/", 1)[-1] for part in command if part not in QUIET)
        print(f"{run.wall:8.2f} s {run.cpu:8.2f} CPU s {run.rss:6.0f} MB  n = {project.n:<7} {shown}", flush=True)
        return run


def direct(benchmark: Benchmark) -> list[Figure]:
    figures = []
    for n, aim in ((MIDDLE, 1.15), (LARGE, 1.10)):
        project = benchmark.project("live", n)
        floor, session = benchmark.side_by_side(
            lambda project=project: benchmark.bare("raw_aiohttp", project),
            lambda project=project: benchmark.session(project, "direct"),
        )
        name = f"direct, {project.n} cases: wall over the bare aiohttp loop"
        figures.append(Figure(name, aim, session.wall / floor.wall, "x"))
    return figures


def litellm(benchmark: Benchmark) -> list[Figure]:
    project = benchmark.project("live", MIDDLE)
    floor, session = benchmark.side_by_side(
        lambda: benchmark.bare("litellm", project), lambda: benchmark.session(project, "litellm")
    )
    name = f"litellm, {project.n} cases: wall over the bare acompletion loop"
    return [Figure(name, 1.10, session.wall / floor.wall, "x")]


def recorded(benchmark: Benchmark) -> list[Figure]:
    project = benchmark.project("recorded", MIDDLE)
    empty, session = benchmark.side_by_side(lambda: benchmark.empty_items(project), lambda: benchmark.recorded(project))
    over = (session.cpu - empty.cpu) * 1000 / project.n
    return [
        Figure(f"recorded, {project.n} cases: CPU over empty pytest items", 0.6, over, "ms a case"),
        Figure(f"recorded, {project.n} cases: wall of the whole process", 3, session.wall, "s"),
    ]


def xdist(benchmark: Benchmark) -> list[Figure]:
    project = benchmark.project("live", MIDDLE)
    plain, shared = benchmark.side_by_side(
        lambda: benchmark.session(project, "direct"), lambda: benchmark.session(project, "direct", "-n2")
    )
    return [Figure(f"direct, {project.n} cases, -n 2: wall over plain", 1.3, shared.wall / plain.wall, "x")]


def steps(benchmark: Benchmark) -> list[Figure]:
    """As many requests as there are for the bare loop, two in each case."""
    floor_project, project = benchmark.project("live", MIDDLE), benchmark.project("steps", MIDDLE // 2)
    floor, session = benchmark.side_by_side(
        lambda: benchmark.bare("raw_aiohttp", floor_project), lambda: benchmark.session(project, "direct")
    )
    name = f"tool loops, {project.n} cases of two requests: wall over the bare aiohttp loop"
    return [Figure(name, 1.15, session.wall / floor.wall, "x")]


def judged(benchmark: Benchmark) -> list[Figure]:
    """The judge is another endpoint: one case is judged while others are answered."""
    floor_project, project = benchmark.project("live", MIDDLE), benchmark.project("judged", MIDDLE)
    floor, session = benchmark.side_by_side(
        lambda: benchmark.bare("raw_aiohttp", floor_project), lambda: benchmark.session(project, "direct")
    )
    name = f"{project.n} cases and a judge for each: wall over the bare aiohttp loop without a judge"
    return [Figure(name, 1.3, session.wall / floor.wall, "x")]


def collect(benchmark: Benchmark) -> list[Figure]:
    """Without xdist a session imports Arrow to replay; one that only collects does so where golden files changed."""
    figures = []
    only = "--collect-only", "-qq"
    for n in (LARGE, HUGE):
        project = benchmark.project("recorded" if n == HUGE else "live", n)
        empty, with_ids, first, again = benchmark.side_by_side(
            lambda project=project: benchmark.empty_items(project, *only),
            lambda project=project: benchmark.empty_items_with_ids(project, *only),
            lambda project=project: benchmark.session(project, "direct", *only),
            lambda project=project: benchmark.later_session(project, "direct", *only),
        )
        for session, which in ((again, "again"), (first, "for the first time")):
            name = f"collecting {project.n} cases {which}, over empty pytest items"
            figures += collected(name, session, empty)
        name = f"collecting {project.n} cases for the first time, over the same with ids read from the file"
        figures += collected(name, first, with_ids)
    return figures


def collected(name: str, session: Measured, floor: Measured) -> list[Figure]:
    return [
        Figure(f"{name}: CPU", 1.3, session.cpu / floor.cpu, "x"),
        Figure(f"{name}: memory", 1.5, session.rss / floor.rss, "x"),
    ]


def flat(benchmark: Benchmark) -> list[Figure]:
    """CPU a case, beyond what a session of one case takes."""
    one, small, large = (benchmark.project("recorded", n) for n in (1, SMALL, LARGE))
    rounds = [*MORE_ROUNDS * [one, small], large]
    *runs, many = benchmark.side_by_side(*(lambda p=p: benchmark.recorded(p) for p in rounds))
    base, few = median(runs[::2]), median(runs[1::2])
    cost_few, cost_many = ((run.cpu - base.cpu) / p.n for run, p in ((few, small), (many, large)))
    name = f"recorded: CPU a case with {large.n} cases over {small.n}, start-up left out"
    return [Figure(name, 1.1, cost_many / cost_few, "x")]


def memory(benchmark: Benchmark) -> list[Figure]:
    project = benchmark.project("recorded", HUGE)
    empty, session = benchmark.side_by_side(
        lambda: benchmark.empty_items(project), lambda: benchmark.recorded(project), rounds=1
    )
    over = (session.cpu - empty.cpu) * 1000 / project.n
    return [
        Figure(f"recorded, {project.n} cases: peak memory", 600, session.rss, "MB"),
        Figure(f"recorded, {project.n} cases: peak memory over empty pytest items", 160, session.rss - empty.rss, "MB"),
        Figure(f"recorded, {project.n} cases: CPU over empty pytest items", 0.6, over, "ms a case"),
    ]


PARTS = {
    "direct": direct,
    "steps": steps,
    "judged": judged,
    "xdist": xdist,
    "recorded": recorded,
    "flat": flat,
    "collect": collect,
    "memory": memory,
    "litellm": litellm,
}


def median(runs: list[Measured]) -> Measured:
    return Measured(*(statistics.median(getattr(run, name) for run in runs) for name in ("wall", "cpu", "rss")))


@contextmanager
def endpoint(script: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(script), "--port", str(port), "--latency-ms", str(LATENCY_MS)]
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
