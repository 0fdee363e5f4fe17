"""Credentials: read where they are used, and kept out of everything that is stored or shown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from urllib.parse import unquote_plus, urlsplit, urlunsplit

from pytest_llmreplay.model.errors import AccessDenied
from pytest_llmreplay.model.variant import ModelTarget

REMOVED = "[removed]"

# `PWD` alone is the folder in which a shell stands.
_SECRET_VARIABLE = re.compile(r"(?i)(^|_)(key|token|secret|password|passwd|(?<=_)pwd|credentials?)$")
_SHORTEST_SECRET = 8
_IN_URL = re.compile(r"(?i)([?&;][\w.-]*(?:key|token|secret|password|signature|sig|auth)=)([^&;#\s\"']+)")
_USER_IN_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^/@\s\"']+@")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")


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


def credentials_in(url: str) -> list[str]:
    """A URL's password and the values of parameters that are named like a credential, as written and as meant."""
    password = urlsplit(url).password
    written = [value for _, value in _IN_URL.findall(url)] + ([password] if password else [])
    return list(dict.fromkeys((*written, *map(unquote_plus, written))))


def clean_text(text: str) -> str:
    """A text of configuration, such as an endpoint, without credentials in its URLs and without bearer tokens."""
    return _BEARER.sub(rf"\1 {REMOVED}", _clean_urls(text))


def hidden(text: str, secrets: Iterable[str] = ()) -> str:
    """A message without these secrets, those in the environment, and those in URLs."""
    for secret in (*secrets, *_environment_secrets()):
        if secret:
            text = text.replace(secret, "***")
    return _clean_urls(text)


def _clean_urls(text: str) -> str:
    return _IN_URL.sub(rf"\1{REMOVED}", _USER_IN_URL.sub(rf"\1{REMOVED}@", text))


def _environment_secrets() -> Iterable[str]:
    """The values of the environment variables that are named like a credential, longest first."""
    # Other threads set and unset variables meanwhile, as pytest does for every test: one that was there may be gone.
    found = (os.environ.get(name, "") for name in list(os.environ) if _SECRET_VARIABLE.search(name))
    return sorted((value for value in found if len(value) >= _SHORTEST_SECRET), key=len, reverse=True)
