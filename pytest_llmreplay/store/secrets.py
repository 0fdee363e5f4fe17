"""The last door before a file: what looks like a credential is taken out of a recording.

Callers hand over requests without credentials; this is for the day when one does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pytest_llmreplay.providers.credentials import REMOVED, clean_text

_SECRET_NAME = re.compile(
    r"(^|_)(authorization|cookie|api_?key|apikey|access_key|access_token|auth_token|id_token|refresh_token"
    r"|session_token|bearer|secret|secret_key|client_secret|secret_access_key|subscription_key|password|credentials?)$"
)

_CONVERSATION = frozenset({"messages", "tools", "input"})


def without_secrets(value: Any, name: str = "") -> Any:
    """`value` without entries that are named like a credential, and with credentials in its URLs and texts removed.

    What stands under `messages`, `tools` and `input` was said in the conversation: entries named like a credential go
    there too, when they hold a text, but its texts stay as they are.
    """
    if isinstance(value, Mapping) and isinstance(value.get("tools"), list):
        rest = {key: item for key, item in value.items() if key != "tools"}
        return {
            **_cleaned(rest, in_conversation=name in _CONVERSATION),
            "tools": _cleaned_tools(json.dumps(value["tools"])),
        }
    return _cleaned(value, in_conversation=name in _CONVERSATION)


@lru_cache(maxsize=256)
def _cleaned_tools(tools: str) -> Any:
    """The tools of a request, which are the same in most requests of a suite and most of its length."""
    return _cleaned(json.loads(tools), in_conversation=True)


def without_secret_entries(value: Any) -> Any:
    """`value` without entries that are named like a credential; all texts stay as they are, as a response's must."""
    return _cleaned(value, in_conversation=True)


def _cleaned(value: Any, *, in_conversation: bool) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _cleaned(item, in_conversation=in_conversation or key in _CONVERSATION)
            for key, item in value.items()
            if not (_is_secret_name(key) and _holds_text(item))
        }
    if isinstance(value, list | tuple):
        if len(value) == 2 and _is_secret_name(value[0]) and isinstance(value[1], str | bytes):
            return [value[0], REMOVED]
        return [_cleaned(item, in_conversation=in_conversation) for item in value]
    if isinstance(value, str):
        return value if in_conversation else clean_text(value)
    return value


def _is_secret_name(name: object) -> bool:
    return isinstance(name, str) and _names_a_secret(name)


@lru_cache(maxsize=4096)
def _names_a_secret(name: str) -> bool:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace("-", "_")
    return _SECRET_NAME.search(snake) is not None


def _holds_text(value: Any) -> bool:
    """Whether it may be the credential itself; in a JSON Schema the same name holds a mapping, and stays."""
    return isinstance(value, str | bytes) or (isinstance(value, list) and any(isinstance(i, str) for i in value))
