"""Turn failing production conversations into golden cases and replay them on every variant with pytest.

The public names are imported when they are first used, so that an installed plugin costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_llmreplay.checks import CallsResult, match_calls
    from pytest_llmreplay.compare import Comparison, compare_outcomes
    from pytest_llmreplay.model.trial import Trial

_MODULES = {
    "CallsResult": "checks",
    "Comparison": "compare",
    "Trial": "model.trial",
    "compare_outcomes": "compare",
    "match_calls": "checks",
}

__all__ = ["CallsResult", "Comparison", "Trial", "compare_outcomes", "match_calls"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
