"""`docs/incident.md` is true: its files are written and its commands run in their order, with the output shown."""

import shutil
from pathlib import Path

from tests.cli.walk import walk

ROOT = Path(__file__).parents[2]


def test_the_walk_through(program_in, monkeypatch):
    monkeypatch.setenv("PYTEST_LLMREPLAY_REDACTION_KEY", "a key for the tests only")
    for folder in ("logs", "configs"):
        (program_in.root / folder).mkdir()
    shutil.copy(ROOT / "examples" / "logs" / "support.parquet", program_in.root / "logs")
    assert walk((ROOT / "docs" / "incident.md").read_text(encoding="utf-8"), program_in) == 12
    assert (program_in.root / "report.html").stat().st_size > 10_000
    assert "12345" not in (program_in.root / "comment.md").read_text(encoding="utf-8")
