"""Functions of the project's own, named as `module:function`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_llmreplay.model.errors import UserError


def import_function(name: str, root: Path) -> Callable[..., Any]:
    """The function that `module:function` names; modules are found from the project's root too.

    Raises:
        UserError: there is no such module or function.
    """
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    module_name, _, attribute = name.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise UserError(f"'{name}' cannot be imported: {error}") from error
    if not callable(found):
        raise UserError(f"'{name}' is not callable")
    function: Callable[..., Any] = found
    return function
