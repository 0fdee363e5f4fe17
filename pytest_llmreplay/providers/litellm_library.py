"""The library litellm, and what its errors mean to a run."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from types import ModuleType

from pytest_llmreplay.model.errors import AccessDenied, InfrastructureError
from pytest_llmreplay.providers.trouble import clean_message, retry_after_seconds, status_error

# Without this litellm waits for the network to fetch its price list when it is imported.
_LOCAL_PRICES = "LITELLM_LOCAL_MODEL_COST_MAP"


def trouble_of(
    error: Exception, litellm: ModuleType, *, model: str, timeout_s: float, api_key: str | None
) -> InfrastructureError:
    """What an error of litellm means to a run, told without credentials.

    Args:
        error: what litellm raised.
        litellm: the imported library, which defines its kinds of errors.
        model: who was asked.
        timeout_s: how long an answer was waited for, in seconds.
        api_key: the key that was sent, which the text of an error may repeat.
    """
    secrets = [api_key] if api_key else []
    text = clean_message(str(error), secrets)
    if isinstance(error, litellm.exceptions.AuthenticationError | litellm.exceptions.PermissionDeniedError):
        return AccessDenied(f"{model}: the credentials were refused: {text}")
    if isinstance(error, litellm.exceptions.Timeout):
        return InfrastructureError(
            f"{model} gave no answer within {timeout_s:g} s",
            code="timeout",
            retryable=True,
        )
    if isinstance(error, litellm.exceptions.ContentPolicyViolationError):
        return InfrastructureError(f"{model}: the content filter refused: {text}", code="content_filter")
    if isinstance(error, litellm.exceptions.APIConnectionError):
        return InfrastructureError(f"{model}: {text}", code="connection", retryable=True)
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        headers = getattr(getattr(error, "response", None), "headers", None) or {}
        wait = retry_after_seconds(headers, datetime.now(UTC))
        return status_error(status, f"{model}: {text}", retry_after=wait, secrets=secrets)
    return InfrastructureError(f"{model}: {type(error).__name__}: {text}", code="provider")


def load_litellm() -> ModuleType:
    """Import litellm, quiet and without the network."""
    os.environ.setdefault(_LOCAL_PRICES, "True")
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    module: ModuleType = litellm
    return module
