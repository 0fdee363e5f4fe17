"""The library litellm, and what its errors mean to a run."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from types import ModuleType

from pytest_llmreplay.model.errors import AccessDenied, InfrastructureError
from pytest_llmreplay.providers.trouble import clean_message, retry_after_seconds, status_error

# Without this litellm waits for the network to fetch its price list when it is imported.
_LOCAL_PRICES = "LITELLM_LOCAL_MODEL_COST_MAP"
_KEY_NAMED = re.compile(r"(?i)api[ _-]?key")


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
    # Some of litellm's messages go on with a traceback.
    text = clean_message(str(error).partition("\nTraceback")[0], secrets)
    if (never_sent := _never_sent(error, model, text)) is not None:
        return never_sent
    status = getattr(error, "status_code", None)
    kind = _kind(error, litellm, model, text, timeout_s)
    if kind is not None or not isinstance(status, int):
        return kind or InfrastructureError(f"{model}: {type(error).__name__}: {text}", code="provider")
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    wait = retry_after_seconds(headers, datetime.now(UTC))
    return status_error(status, f"{model}: {text}", retry_after=wait, secrets=secrets)


def _kind(error: Exception, litellm: ModuleType, model: str, text: str, timeout_s: float) -> InfrastructureError | None:
    """What litellm's own kinds of errors mean; None for those that only have a status."""
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
    return None


def _never_sent(error: Exception, model: str, text: str) -> InfrastructureError | None:
    """A missing key or library, which litellm tells as a server's error that may pass; None for anything else."""
    import openai

    cause: BaseException = error
    while (deeper := cause.__cause__ or cause.__context__) is not None:
        cause = deeper
    if str(cause) not in str(error):
        # It was handled: something else went wrong afterwards.
        return None
    if type(cause) is openai.OpenAIError or (isinstance(cause, ValueError) and _KEY_NAMED.search(str(cause))):
        return AccessDenied(f"{model}: there is no key for it: {text}")
    if isinstance(cause, ImportError):
        return InfrastructureError(f"{model}: a library that litellm needs for it is missing: {text}", code="provider")
    return None


def load_litellm() -> ModuleType:
    """Import litellm, quiet and without the network."""
    os.environ.setdefault(_LOCAL_PRICES, "True")
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    module: ModuleType = litellm
    return module
