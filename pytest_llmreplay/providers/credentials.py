"""Credentials: read where they are used, and kept out of everything that is stored or shown."""

from __future__ import annotations

import os
from urllib.parse import urlsplit, urlunsplit

from pytest_llmreplay.model.errors import AccessDenied
from pytest_llmreplay.model.variant import ModelTarget


def key_from_environment(config: ModelTarget) -> str | None:
    """The key in the environment variable that the target names; None when it names none.

    Raises:
        AccessDenied: the variable is not set.
    """
    if config.api_key_env is None:
        return None
    key = os.environ.get(config.api_key_env)
    if not key:
        raise AccessDenied(f"the environment variable {config.api_key_env}, which holds the key, is not set")
    return key


def without_credentials(url: str) -> str:
    """A URL without user, password, query and fragment: each of these may hold a secret."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
