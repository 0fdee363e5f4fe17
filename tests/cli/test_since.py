"""`--since`, as `monitor` and `triage` take it."""

import datetime as dt

import pytest

from pytest_llmreplay.cli.since import since_time
from pytest_llmreplay.model.errors import UserError


def test_since_is_a_date_a_time_or_so_long_ago():
    now = dt.datetime(2026, 1, 10, 12, tzinfo=dt.UTC)
    assert since_time("7d", now) == dt.datetime(2026, 1, 3, 12, tzinfo=dt.UTC)
    assert since_time("24h", now) == dt.datetime(2026, 1, 9, 12, tzinfo=dt.UTC)
    assert since_time("2026-01-05", now) == dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
    assert since_time("2026-01-05T10:00:00+02:00", now) == dt.datetime(2026, 1, 5, 8, tzinfo=dt.UTC)
    for written in ("soon", "0001-01-01T00:00:00+14:00"):
        with pytest.raises(UserError, match="7d or 24h"):
            since_time(written, now)
