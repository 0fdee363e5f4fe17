"""Damaged logs: spoilt copies of every sample give conversations or clear errors, never a traceback, never a hang.

    python benchmarks/mutations.py FOLDER [--count 10000] [--seed 1] [--out FILE.json] [FORMAT…]

FOLDER holds one folder a format. The figures are printed, and written as JSON with --out. Exit code 1: something broke.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.traces.mutations import check, samples, spoil


def run(folder: Path, count: int, seed: int, scratch: Path) -> dict[str, object]:
    """Spoil the files of one format `count` times; a file that breaks the readers is kept beside the figures."""
    files = samples(folder)
    read = rejected = broken = 0
    slowest = 0.0
    for number in range(count):
        rng = random.Random(f"{seed}/{folder.name}/{number}")
        path = rng.choice(files)
        spoilt = scratch / f"spoilt{path.suffix}"
        spoilt.write_bytes(spoil(path, rng))
        began = time.monotonic()
        try:
            conversations = check(spoilt, scratch / "again.parquet")
        except Exception:  # noqa: BLE001 - whatever breaks is counted and kept
            broken += 1
            kept = Path(f"broken-{folder.name}-{number}{path.suffix}")
            kept.write_bytes(spoilt.read_bytes())
            print(f"{folder.name} {number}: {kept}\n{traceback.format_exc()}", file=sys.stderr)
            continue
        finally:
            slowest = max(slowest, time.monotonic() - began)
        read += conversations > 0
        rejected += conversations == 0
    return {
        "format": folder.name,
        "mutations": count,
        "with conversations": read,
        "clear errors": rejected,
        "broken": broken,
        "slowest s": round(slowest, 2),
    }


def main() -> int:
    """Run all formats, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("formats", nargs="*")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    folders = [f for f in sorted(options.folder.iterdir()) if f.is_dir() and f.name in (options.formats or [f.name])]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for folder in folders:
            rows.append(run(folder, options.count, options.seed, Path(scratch)))
            print(rows[-1], flush=True)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    broken = sum(int(str(row["broken"])) for row in rows)
    print(f"{sum(int(str(row['mutations'])) for row in rows)} mutations, {broken} broken, at most {memory} MB")
    if options.out is not None:
        options.out.write_text(json.dumps({"rows": rows, "megabytes": memory}, indent=1), encoding="utf-8")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
