"""Trouble of every kind at full size: no case is lost, none is doubled, no answer is paid for twice.

    python benchmarks/faults.py [--only matrix,kills,storm] [--seed 1]

Every figure is the endpoint's own count over loopback. Exit code 1: something was lost, doubled or paid twice.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fault_runs import FAULTS, WINDOW, fault_matrix, kill_and_resume, ride_out_storm

CASES = 500
KILLS = 50
KILLED_CASES = 200
STORM_S = 2.0


def matrix(root: Path, seed: int) -> bool:  # noqa: ARG001 (faults are chosen by the requests)
    """5 % 500 and 429, 2 % slow, 1 % reset, 2 % truncated or no JSON, 1 % without any answer, 2 % malformed."""
    found = fault_matrix(root, CASES, {**FAULTS, "silence": 0.01}, extra=", timeout_s: 5")
    print(
        f"faults: {CASES} cases, {found.requests} requests: {found.lost} lost, {found.doubled} doubled, "
        f"{found.changed} with another outcome than without faults, {found.paid_twice} paid twice; "
        f"{found.malformed} malformed arguments, all told as such"
    )
    return not (found.lost or found.doubled or found.changed or found.paid_twice) and found.malformed > 0


def kills(root: Path, seed: int) -> bool:
    """SIGKILL at random moments, resumed each time."""
    found = kill_and_resume(root, KILLED_CASES, KILLS, seed)
    print(
        f"kills: {KILLED_CASES} cases, {found.kills} kills: {found.lost} lost; {found.requests} requests, "
        f"{found.in_flight} of them in flight when a kill came, at most {found.most_in_flight} at one kill"
    )
    return not found.lost and found.requests <= KILLED_CASES + found.in_flight and found.most_in_flight <= WINDOW


def storm(root: Path, seed: int) -> bool:  # noqa: ARG001 (nothing is random)
    """Refusals of everything for two seconds."""
    found = ride_out_storm(root, CASES, STORM_S)
    print(f"storm: {found.not_passed} cases failed by it; requests by half second: {list(found.by_half_second)}")
    return not found.not_passed and found.by_half_second[-1] < found.by_half_second[0] / 4


PROOFS = {"matrix": matrix, "kills": kills, "storm": storm}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PROOFS))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    held = True
    for name in options.only.split(","):
        with tempfile.TemporaryDirectory(prefix="llmreplay-faults-") as root:
            held &= PROOFS[name](Path(root), options.seed)
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
