"""Text of models between lines that keep GitHub Actions from reading commands in it."""

from __future__ import annotations

import os
import secrets


def fenced(text: str, token: str) -> str:
    """The text between two lines that keep the runner from reading commands in it.

    Args:
        text: anything.
        token: random, so that the text cannot end the fence itself.
    """
    return f"::stop-commands::{token}\n{text}\n::{token}::"


def on_github() -> bool:
    """Whether GitHub Actions reads what is printed."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def fenced_on_github(text: str) -> str:
    """The text, fenced where a runner would follow the commands in it."""
    return fenced(text, secrets.token_hex(16)) if on_github() else text
