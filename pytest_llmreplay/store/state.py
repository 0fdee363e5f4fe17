"""The project's state folder, `.pytest_llmreplay/`: private to its user and never committed."""

from __future__ import annotations

import secrets
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pytest_llmreplay.store.atomic import writing

_ID_TIME = "%Y%m%dT%H%M%S.%fZ"


def ensure_state(state: Path, *parts: str) -> Path:
    """A folder in the state folder, made with the state folder itself when they are not there.

    Raises:
        UserError: it cannot be made.
    """
    folder = state.joinpath(*parts)
    with writing(folder):
        if not state.exists():
            state.parent.mkdir(parents=True, exist_ok=True)
            state.mkdir(mode=0o700, exist_ok=True)
        ignore = state / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="ascii")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def new_id(now: datetime, latest: str | None = None) -> str:
    """An id that sorts by time and that no other process makes.

    Args:
        now: the time, with its zone.
        latest: the newest id so far; the new one sorts after it, even when the clock was set back.
    """
    stamp = now.astimezone(UTC)
    after = _time_of(latest)
    if after is not None and stamp <= after:
        stamp = after + timedelta(microseconds=1)
    return f"{stamp.strftime(_ID_TIME)}-{secrets.token_hex(4)}"


def _time_of(identifier: str | None) -> datetime | None:
    try:
        return datetime.strptime((identifier or "").partition("-")[0], _ID_TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


def notice_on_stderr(notice: str) -> None:
    """Say a notice where people look and no program reads."""
    sys.stderr.write(f"pytest-llmreplay: {notice}\n")
