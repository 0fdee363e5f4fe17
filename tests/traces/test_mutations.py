"""A seeded slice of `benchmarks/mutations.py`: damage gives conversations or clear errors."""

import random
from pathlib import Path

import pytest

from tests.shared_data import SHARED
from tests.traces.mutations import check, mutated_bytes, samples, spoil

CAPTURES = Path(__file__).parent / "captures"
DESCRIBED = Path(__file__).parent / "described"
"""Formats that have no SDK to capture: rows as their descriptions have them."""
SAMPLES = SHARED / "samples"
FOLDERS = [
    *sorted(CAPTURES.iterdir()),
    *sorted(DESCRIBED.iterdir()),
    *(sorted(path for path in SAMPLES.iterdir() if path.is_dir()) if SAMPLES.exists() else ()),
]
COUNT = 25


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_spoilt_files(folder, tmp_path):
    files = samples(folder)
    read = 0
    for number in range(COUNT):
        rng = random.Random(f"{folder.name}/{number}")
        path = rng.choice(files)
        spoilt = tmp_path / f"spoilt{path.suffix}"
        spoilt.write_bytes(spoil(path, rng))
        read += check(spoilt, tmp_path / "again.parquet")
    assert read > 0 or folder.name == "otel_genai_upload"


def test_canonical_parquet_spoilt(tmp_path):
    from pytest_llmreplay.traces import read_conversations, write_conversations

    whole = tmp_path / "whole.parquet"
    source = str(CAPTURES / "openai_chat_logs")
    write_conversations(whole, read_conversations([source], on_problem=lambda problem: pytest.fail(str(problem))))
    for number in range(60):
        spoilt = tmp_path / "spoilt.parquet"
        spoilt.write_bytes(mutated_bytes(whole.read_bytes(), random.Random(number)))
        check(spoilt, tmp_path / "again.parquet")


def test_a_truncated_file_keeps_what_came_before(tmp_path):
    whole = (CAPTURES / "openai_chat_logs" / "calls.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(b"".join(lines[:-1]) + lines[-1][: len(lines[-1]) // 2])
    assert check(cut, tmp_path / "again.parquet") == 1
