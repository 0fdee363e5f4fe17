"""A large log is never loaded whole: `benchmarks/large_logs.py` on smaller ones."""

import pytest

from benchmarks.large_logs import measure


@pytest.mark.parametrize(
    ("shape", "megabytes", "limit"), [("lines", 200, 100), ("array", 200, 100), ("calls", 40, 140)]
)
def test_reading_takes_little_memory(shape, megabytes, limit, tmp_path):
    row = measure(shape, tmp_path / "log", megabytes)
    assert row["read"] == row["conversations"] > 2000
    assert row["peak MB"] < limit
