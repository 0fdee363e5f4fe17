"""Values of logs as plain data: what Parquet and JSON hold, said in JSON, and texts that can be compared."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def jsonable(value: Any) -> Any:
    """The value as JSON holds it: times in ISO 8601, bytes as text, NaN as null, decimals as numbers where exact."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "replace")
    if not isinstance(value, Decimal):
        return str(value)
    if not value.is_finite():
        return None
    return float(value) if Decimal(repr(float(value))) == value else str(value)


def without_nulls(value: Any) -> Any:
    """The value without the null fields that Arrow's structs fill in; nulls in lists stay."""
    if isinstance(value, Mapping):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def dump(value: Any) -> str:
    """JSON text, with characters as they are."""
    return json.dumps(value, ensure_ascii=False)


def as_text(value: Any) -> str | None:
    """A value as text that joins columns: 1, 1.0 and "1" are the same; None stays None."""
    value = jsonable(value)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return dump(value)


def as_float(value: Any) -> float | None:
    """A finite number, also one that was written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def as_int(value: Any) -> int | None:
    """A whole number of at most 64 bits, also one that was written as text or 3.0; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        real = as_float(value)
        if real is None or not real.is_integer():
            return None
        number = int(real)
    return number if -(2**63) <= number < 2**63 else None


def iso_time(value: Any) -> str | None:
    """A time in ISO 8601: text as it was logged, epoch seconds (or milli-, micro-, nanoseconds) as UTC."""
    if isinstance(value, str):
        number = as_float(value)
        return (value.strip() or None) if number is None else iso_time(number)
    if isinstance(value, (dt.datetime, dt.date)):
        return value.isoformat()
    number = as_float(value)
    if number is None or number <= 0:
        return None
    while number > 1e11:
        number /= 1000
    try:
        return dt.datetime.fromtimestamp(number, tz=dt.UTC).isoformat()
    except (OverflowError, OSError, ValueError):
        return None
