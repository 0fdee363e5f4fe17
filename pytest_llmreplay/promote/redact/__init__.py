"""Redaction, fail closed: what customers wrote does not reach a golden file."""

from pytest_llmreplay.promote.redact.detection import Rules
from pytest_llmreplay.promote.redact.found import KINDS, Found
from pytest_llmreplay.promote.redact.key import KEY_VARIABLE, key_path, redaction_key
from pytest_llmreplay.promote.redact.pseudonym import Pseudonyms
from pytest_llmreplay.promote.redact.redactor import NOTE, REDACTOR_VERSION, Confirm, Redactor, stored_as_logged
from pytest_llmreplay.promote.redact.spelling import canonical

__all__ = [
    "KEY_VARIABLE",
    "KINDS",
    "NOTE",
    "REDACTOR_VERSION",
    "Confirm",
    "Found",
    "Pseudonyms",
    "Redactor",
    "Rules",
    "canonical",
    "key_path",
    "redaction_key",
    "stored_as_logged",
]
