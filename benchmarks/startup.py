"""What the installed and unused plugin costs: an empty pytest session with it and without it.

    python benchmarks/startup.py [--rounds 15]

Prints CPU seconds of the whole process, medians of alternating runs, and their differences. Aim for the plugin alone:
0.05 s. Plugins of pytest that come with a dependency are loaded in every session too, and told apart.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

QUIET = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:hypothesispytest"]
PLUGIN = ("-p", "no:llmreplay")
# Of litellm's dependencies; a test sees to it that there is no other.
BROUGHT = ("-p", "no:anyio")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_empty.py").write_text("def test_empty(): pass\n")
        Path(folder, "pytest.ini").write_text("[pytest]\n")
        ways = {"with the plugin": (), "without the plugin": PLUGIN, "without any that it brings": (*PLUGIN, *BROUGHT)}
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds + 1):
            for name, without in ways.items():
                spent = cpu_seconds(folder, *without)
                if number > 0:  # the first round compiles
                    seconds[name].append(spent)
    for name, spent in seconds.items():
        print(f"{name:28} {median(spent):.3f} CPU s")
    print(f"{'the plugin':28} {median(seconds['with the plugin']) - median(seconds['without the plugin']):.3f} CPU s")


def cpu_seconds(folder: str, *extra: str) -> float:
    # As on a machine of one's own: with bytecode kept.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "pytest", *QUIET, *extra, folder]
    process = subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(command)} ended with {status}")
    return used.ru_utime + used.ru_stime


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


if __name__ == "__main__":
    main()
