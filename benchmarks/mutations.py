"""Damaged logs: spoilt copies of every sample give conversations or clear errors, never a traceback, never a hang.

    python benchmarks/mutations.py FOLDER… [--count 10000] [--seed 1] [--only FORMAT]… [--out FILE.json]

Each FOLDER holds one folder a format; those of one name are one format. Its files are read in a process of its own,
whose address space is limited; every mutation has a deadline, and the most memory that the process ever held is
printed. The figures are printed, and written as JSON with --out. Exit code 1: something broke.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.traces.mutations import SECONDS, check, samples, spoil

ADDRESS_SPACE = 4 << 30
"""Bytes; DuckDB and Arrow reserve far more than they use."""
HANGS_AFTER = 300.0
"""Seconds by the clock, after which even code that no signal interrupts ends, with the place where it stood."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """End the block with TimeoutError after so many seconds of the processor."""

    def ring(*_: object) -> None:
        raise TimeoutError(f"still reading after {seconds:g} s of the processor")

    signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()


def run(name: str, files: Sequence[Path], count: int, seed: int) -> dict[str, Any]:
    """Spoil the files of one format `count` times; a file that breaks the readers is kept where the program runs."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    read = broken = 0
    slowest = 0.0
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        for number in range(count):
            rng = random.Random(f"{seed}/{name}/{number}")
            path = rng.choice(files)
            spoilt = scratch / f"spoilt{path.suffix}"
            spoilt.write_bytes(spoil(path, rng))
            began = time.process_time()
            try:
                with deadline(SECONDS):
                    read += check(spoilt, scratch / "again.parquet") > 0
            except Exception:  # noqa: BLE001 - whatever breaks is counted and kept
                broken += 1
                kept = Path(f"broken-{name}-{number}{path.suffix}")
                kept.write_bytes(spoilt.read_bytes())
                print(f"{name} {number}: {kept}\n{traceback.format_exc()}", file=sys.stderr, flush=True)
            slowest = max(slowest, time.process_time() - began)
    return {
        "format": name,
        "mutations": count,
        "with conversations": read,
        "clear errors": count - read - broken,
        "broken": broken,
        "slowest s": round(slowest, 2),
        "MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def in_its_own_process(name: str, files: Sequence[Path], count: int, seed: int) -> dict[str, Any]:
    """`run`, where a crash or an endless loop in native code takes nothing else with it."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(run, name, files, count, seed).result()
        except BrokenProcessPool:
            print(f"{name}: the process died", file=sys.stderr, flush=True)
            return {"format": name, "mutations": count, "broken": 1, "MB": 0}


def main() -> int:
    """Run all formats, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--only", action="append")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    formats: dict[str, list[Path]] = {}
    for folder in sorted((f for root in options.folders for f in root.iterdir() if f.is_dir()), key=lambda f: f.name):
        if folder.name in (options.only or [folder.name]):
            formats.setdefault(folder.name, []).extend(samples(folder))
    rows = []
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        started = [threads.submit(in_its_own_process, n, f, options.count, options.seed) for n, f in formats.items()]
        for done in started:
            rows.append(done.result())
            print(rows[-1], flush=True)
    broken = sum(row["broken"] for row in rows)
    total = sum(row["mutations"] for row in rows)
    print(f"{total} mutations, {broken} broken, at most {max(row['MB'] for row in rows)} MB")
    if options.out is not None:
        options.out.write_text(json.dumps({"rows": rows}, indent=1), encoding="utf-8")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
