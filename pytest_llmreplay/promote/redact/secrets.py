"""Detector for keys, tokens and passwords."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pytest_llmreplay.promote.redact.found import Found
from pytest_llmreplay.promote.redact.words import Words

_TOKENS = re.compile(
    r"(?<![\w-])(?:sk-[\w-]{16,}|pk_(?:live|test)_\w{16,}|[rs]k_(?:live|test)_\w{16,}|AIza[\w-]{30,}|ya29\.[\w.-]{20,}"
    r"|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[abposr]-[\w-]{10,}|(?:AKIA|ASIA)[0-9A-Z]{16}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?|hf_\w{20,}|npm_\w{20,}|pypi-[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,})"
)
_ASSIGNED = re.compile(
    r"(?i)(?<![a-z])(?:api[_ -]?key|access[_ -]?key|secret(?:[_ -]?(?:access[_ -]?)?key)?"
    r"|auth[_ -]?token|access[_ -]?token|refresh[_ -]?token|client[_ -]?secret"
    r"|password|passwd|pwd|pw|passphrase|passcode)[\"']?\s*(?:is\s*:?|[:=])\s*[\"']?([^\s\"'<>\[\]]{6,})"
)
_CODE = re.compile(
    r"(?i)(?<![a-z])(?:pin|cvv2?|cvc2?|otp|tan|passcode|(?:security|verification|one[- ]time)\s+(?:code|password))"
    r"(?:\s+(?:number|code))?(?:\s+(?:is|was))?\s*[:=#]?\s*(\d{3,8})(?![\w-])"
)
_COOKIE = re.compile(r"(?i)(?<![\w-])(?:set-)?cookie\s*:\s*([^\s\"']+=[^\n\"']+)")
_BEARER = re.compile(r"(?i)\b(?:bearer|basic)\s+([\w.~+/=-]{16,})")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [^-]*-----|\Z)", re.DOTALL)


def secrets(text: str) -> Iterator[Found]:
    """What detect-secrets knows by its form, well-known token prefixes, and what is assigned to a telling name."""
    for pattern in (_TOKENS, _PRIVATE_KEY, *_known()):
        for match in pattern.finditer(text):
            yield Found(match.start(), match.end(), "secret")
    for pattern in (_ASSIGNED, _BEARER, _CODE, _COOKIE):
        for match in pattern.finditer(text):
            value = match.group(1).rstrip(".,;:!?")
            if pattern is not _ASSIGNED or not value.isalpha() or not _is_said(value):
                yield Found(match.start(1), match.start(1) + len(value), "secret")


def _is_said(word: str) -> bool:
    """Whether it is a word that people say of a password: it is wrong, expired, forgotten."""
    return Words(("en",)).is_word(word)


@lru_cache(maxsize=1)
def _known() -> tuple[re.Pattern[str], ...]:
    """The patterns of detect-secrets; addresses of machines and logins in URLs have detectors of their own."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.plugins.base import RegexBasedDetector

    others = ("IPPublicDetector", "BasicAuthDetector", "PrivateKeyDetector")
    plugins: list[Any] = list(get_mapping_from_secret_type_to_class().values())
    wanted = (p for p in plugins if issubclass(p, RegexBasedDetector) and p.__name__ not in others)
    return tuple(pattern for plugin in wanted for pattern in plugin.denylist)
