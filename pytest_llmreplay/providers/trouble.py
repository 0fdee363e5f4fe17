"""What went wrong on the way to a model, in one sentence without credentials."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pytest_llmreplay.model.errors import AccessDenied, InfrastructureError
from pytest_llmreplay.providers.credentials import clean_text, hidden

RETRYABLE_STATUS = frozenset({408, 409, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
_CODES = {404: "not_found", 408: "timeout", 409: "conflict", 429: "rate_limited", 503: "overloaded", 529: "overloaded"}
_LONGEST = 300
_KEY_LIKE = re.compile(r"\b(?:sk|pk|key)[-_][A-Za-z0-9*._-]{6,}")


def status_error(
    status: int, message: str, *, retry_after: float | None = None, secrets: Iterable[str] = ()
) -> InfrastructureError:
    """The error for an HTTP status other than success."""
    sentence = clean_message(message, secrets)
    if status in (401, 403):
        return AccessDenied(f"the endpoint refused the credentials (HTTP {status}): {sentence}")
    code = _CODES.get(status, "server_error" if status >= 500 else "bad_request")
    return InfrastructureError(
        f"HTTP {status}: {sentence}",
        code=code,
        retryable=status in RETRYABLE_STATUS or status >= 500,
        retry_after=retry_after,
    )


def clean_message(message: str, secrets: Iterable[str] = ()) -> str:
    """A message on one line, at most 300 characters, without anything that looks like a credential."""
    message = _KEY_LIKE.sub("***", clean_text(" ".join(hidden(message, secrets).split())))
    return message if len(message) <= _LONGEST else message[: _LONGEST - 1] + "…"


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that a `Retry-After` header asks to wait, whether it gives seconds or a date; None if it says nothing.

    A date is read by the clock of the server that gave it, which its `Date` header tells, so that a wrong clock here
    neither waits for hours nor asks again at once.

    Args:
        headers: of the response, as a mapping that may or may not tell upper from lower case.
        now: the time here, for a server that does not tell its own.
    """
    text = headers.get("Retry-After") or headers.get("retry-after")
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    moment = _moment(text)
    if moment is None:
        return None
    return max(0.0, (moment - (_moment(headers.get("Date") or headers.get("date")) or now)).total_seconds())


def _moment(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text) if text else None
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
