"""The set modes beside a brute force, and beside LangChain's agentevals where it is installed."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from pathlib import Path

import pytest

from benchmarks import agentevals_agreement as agreement
from benchmarks.agentevals_agreement import ARGUMENTS, CACHE, KNOWN, MODES, generated, ours, typed_equal, verdict


@pytest.mark.parametrize(("mode", "how"), list(itertools.product(MODES, ARGUMENTS)))
def test_every_mode_is_what_a_brute_force_over_all_pairings_says(mode, how):
    for row in generated(120, seed=3):
        actual, expected = row["actual"], row["expected"]
        assert ours(actual, expected, mode, how) is verdict(actual, expected, mode, how, typed_equal, swap=False), row


@pytest.mark.parametrize(
    ("error", "mode", "how", "right"),
    [
        ("swapped under subset", "subset", "subset", True),
        ("swapped under subset", "subset", "superset", False),
        ("swapped under subset", "unordered", "subset", True),
        ("greedy pairing", "superset", "superset", True),
        ("greedy pairing", "unordered", "superset", True),
        ("1 == True", "strict", "exact", False),
        ("1 == True", "superset", "exact", False),
    ],
)
def test_where_agentevals_errs_ours_is_right(error, mode, how, right):
    row = KNOWN[error]
    assert ours(row["actual"], row["expected"], mode, how) is right


def test_a_seeded_slice_beside_agentevals():
    python = Path(os.environ.get("LLMREPLAY_AGENTEVALS_PYTHON", CACHE / "bin" / "python"))
    if not python.exists():
        pytest.skip("agentevals is not installed; python benchmarks/agentevals_agreement.py installs it")
    rows = generated(60, seed=4)
    done = subprocess.run(
        [python, agreement.__file__, "--official"],
        input="\n".join(map(json.dumps, rows)),
        capture_output=True,
        text=True,
        check=True,
    )
    official = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = {
        (agreement.classified(row, mode, how, theirs), error)
        for (row, error), verdicts in zip(zip(rows, [*KNOWN, *[None] * 60], strict=True), official, strict=True)
        for (mode, how), theirs in zip(itertools.product(MODES, ARGUMENTS), verdicts, strict=True)
    }
    assert {("swapped", "swapped under subset"), ("greedy", "greedy pairing"), ("bool", "1 == True")} <= kinds
    assert "unknown" not in {kind for kind, _ in kinds}
