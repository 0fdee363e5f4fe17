"""What went wrong on the way to a model, in one sentence without credentials."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pytest_llmreplay.model.errors import AccessDenied, InfrastructureError

RETRYABLE_STATUS = frozenset({408, 409, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
_CODES = {404: "not_found", 408: "timeout", 429: "rate_limited", 503: "overloaded", 529: "overloaded"}
_LONGEST = 300
_URL_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_KEY_LIKE = re.compile(r"\b(?:sk|pk|key|Bearer)[-_ ][A-Za-z0-9*._-]{6,}")


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
    for secret in secrets:
        if secret:
            message = message.replace(secret, "***")
    message = _KEY_LIKE.sub("***", _URL_CREDENTIALS.sub("***@", " ".join(message.split())))
    return message if len(message) <= _LONGEST else message[: _LONGEST - 1] + "…"


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """Seconds that a `Retry-After` header asks to wait, whether it gives seconds or a date; None if it says nothing."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
