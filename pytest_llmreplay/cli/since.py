"""What `--since` means, the same for every command."""

from __future__ import annotations

import datetime as dt
import re

from pytest_llmreplay.model.errors import UserError

_AGO = re.compile(r"(\d{1,4})([hd])")
_HOURS = {"h": 1, "d": 24}


def since_time(written: str, now: dt.datetime) -> dt.datetime:
    """The time that `--since` names: a date or time (UTC where it names no zone), or hours or days before now.

    Raises:
        UserError: it is none of these.
    """
    ago = _AGO.fullmatch(written.strip())
    if ago:
        return now - dt.timedelta(hours=int(ago[1]) * _HOURS[ago[2]])
    try:
        at = dt.datetime.fromisoformat(written.strip())
        return at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise UserError("is no time; write 2026-01-31, 7d or 24h", key="--since", value=written) from None
