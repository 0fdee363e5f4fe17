"""Real conversations and real programs: tests that skip cleanly where the data is absent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


class Shell:
    """A project folder in which commands are run as a user runs them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "pytest.ini").write_text("[pytest]\n")
        (root / "configs").mkdir()

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def program(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return self._run([str(Path(sys.executable).parent / "pytest-llmreplay"), *arguments], code)

    def pytest(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return self._run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments],
            code,
        )

    def outcomes(self):
        from pytest_llmreplay.store.runs import RunStore

        _, outcomes = RunStore(self.root / ".pytest_llmreplay").load("last")
        return outcomes

    def _run(self, command: list[str], code: int) -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
        done = subprocess.run(
            command, cwd=self.root, check=False, capture_output=True, text=True, env=environ, timeout=300
        )
        assert done.returncode == code, done.stdout[-4000:] + done.stderr[-4000:]
        return done


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)
