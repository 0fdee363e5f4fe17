"""Times of logs: ISO texts and epoch numbers of any unit, as epoch seconds and as ISO 8601 in UTC."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pytest_llmreplay.traces.jsonable import as_float


def epoch(value: Any) -> float | None:
    """Epoch seconds of an ISO text (UTC when it has no zone) or of an epoch number in s, ms, µs or ns; else None."""
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).timestamp()
    number = as_float(value)
    if number is not None:
        while abs(number) > 1e11:
            number /= 1000
        return number if number > 0 else None
    if not isinstance(value, str):
        return None
    try:
        return epoch(dt.datetime.fromisoformat(value.strip()))
    except (ValueError, OverflowError):
        return None


def iso(seconds: float | None) -> str | None:
    """ISO 8601 in UTC with microseconds; None when there is no such time."""
    if seconds is None:
        return None
    try:
        return dt.datetime.fromtimestamp(seconds, tz=dt.UTC).isoformat(timespec="microseconds")
    except (OverflowError, OSError, ValueError):
        return None
