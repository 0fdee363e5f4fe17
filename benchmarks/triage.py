"""Triage at size: a regression that was planted is the top line, and with nothing planted there is none.

    python benchmarks/triage.py [--conversations 200000] [--seed 1] [--simulations 400]

Users of the example's shop are dissatisfied with 4 % of the conversations at random. In the planted log they are
dissatisfied with 12 % of those that call `order` under prompt version v2 from 2026-02-03 on, which both had been there
since the beginning. The command runs in a process of its own, whose time and memory are printed. The simulations count
how often triage reports a finding, a tool or a change in a log of 3,000 conversations in which nothing is planted.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

DAY, TOOL, VERSION = "2026-02-03", "order", "v2"
FAILING, REGRESSION = 0.04, 0.12
MOST_MEMORY_MB = 2000
PROGRAM = "from pytest_llmreplay.cli.main import main; main()"
ROOT = Path(__file__).parents[1]


def generated(path: Path, conversations: int, seed: int, *, planted: bool) -> None:
    """Write a log, in a process of its own, so that its memory does not count."""
    command = [sys.executable, "-m", "benchmarks.make_logs", "--out", str(path), "--conversations", str(conversations)]
    command += ["--seed", str(seed), "--failing", str(FAILING)]
    command += ["--regression", DAY, TOOL, VERSION, str(REGRESSION)] if planted else []
    subprocess.run(command, check=True, cwd=ROOT)


def triaged(path: Path, caches: Path) -> dict[str, Any]:
    """What the command says."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(caches)}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "triage", str(path), "--json"],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{time.perf_counter() - began:,.0f} s, at most {memory:,.0f} MB in any process so far")
    found: dict[str, Any] = json.loads(done.stdout)
    print(f"top line: {found['top']}\n{found['verdict']['sentence']}")
    return found


def is_planted(finding: dict[str, Any]) -> bool:
    """Whether a finding is the planted regression, to the day."""
    conditions = {(one["dimension"], one["value"]) for one in finding["conditions"]}
    return conditions == {("tool", TOOL), ("prompt_version", VERSION)} and finding["since"] == DAY


def false_alarms(simulations: int) -> int:
    """How many of some logs in which nothing is planted are said to have something."""
    from pytest_llmreplay.mine.triage.analyse import triage
    from tests.mine.triage_facts import alarming, log_of

    return sum(alarming(triage(log_of(seed), failed_means="", reasons={})) for seed in range(simulations))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--simulations", type=int, default=400)
    arguments = parser.parse_args()
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        for planted in (True, False):
            print("\nplanted" if planted else "\nnothing planted", flush=True)
            log = Path(folder) / f"{planted}.parquet"
            generated(log, arguments.conversations, arguments.seed + planted, planted=planted)
            findings = triaged(log, Path(folder) / "caches")["findings"]
            if planted and not (findings and is_planted(findings[0])):
                failures.append("the planted regression is not the top line")
            if not planted and findings:
                failures.append("something was found where nothing is planted")
            log.unlink()
    if resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024 > MOST_MEMORY_MB:
        failures.append(f"more than {MOST_MEMORY_MB:,} MB of memory")
    alarms = false_alarms(arguments.simulations)
    print(f"\n{alarms} of {arguments.simulations} simulated logs without a cause raise an alarm")
    if alarms > 0.05 * arguments.simulations:
        failures.append("more than 5 % false alarms")
    if failures:
        sys.exit("; ".join(failures))


if __name__ == "__main__":
    main()
