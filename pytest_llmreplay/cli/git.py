"""Asking git about the repository around a project."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.text import one_line


def git(folder: Path, *arguments: str) -> bytes:
    """What git prints; the caller makes sure that no argument of a user is taken for an option.

    Raises:
        UserError: git is not there, or refuses.
    """
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, check=False, capture_output=True)  # noqa: S603, S607
    except OSError as error:
        raise UserError(f"git cannot be run: {error.strerror or error}") from error
    if done.returncode != 0:
        raise UserError(f"git says: {one_line(done.stderr.decode('utf-8', 'replace'), 200)}")
    return done.stdout


def is_repository(folder: Path) -> bool:
    """Whether a folder lies in a git repository that has commits, and git is there to ask."""
    try:
        git(folder, "rev-parse", "--verify", "HEAD")
    except UserError:
        return False
    return True


def would_take(path: Path) -> bool:
    """Whether a file lies in a git repository that does not ignore it."""
    file = path.resolve()
    try:
        git(file.parent, "rev-parse", "--git-dir")
    except UserError:
        return False
    try:
        git(file.parent, "check-ignore", "--quiet", "--", file.name)
    except UserError:
        return True
    return False
