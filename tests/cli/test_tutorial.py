"""`docs/tutorial.md` is true: its files are written and its commands run in their order, with the output shown."""

import shutil
from pathlib import Path

from tests.cli.walk import walk

ROOT = Path(__file__).parents[2]


def test_the_tutorial(program_in, monkeypatch):
    monkeypatch.setenv("PYTEST_LLMREPLAY_REDACTION_KEY", "a key for the tests only")
    for folder in ("configs", "examples"):
        shutil.copytree(ROOT / folder, program_in.root / folder)
    assert walk((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8"), program_in) == 10
