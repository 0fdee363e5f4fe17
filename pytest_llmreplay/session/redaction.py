"""The redactor of a project: its `configs/redaction.yaml`, its own detectors and the user's key."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from pytest_llmreplay.config.redaction import load_redaction
from pytest_llmreplay.promote.redact import Found, Pseudonyms, Redactor, Rules, redaction_key
from pytest_llmreplay.session.functions import import_function


def build_redactor(
    root: Path, configs: Path, confirm: Callable[[Sequence[str]], Collection[str]], *, fake: bool = False
) -> Redactor:
    """The redactor; the key is read when it is first needed.

    Args:
        root: the project's folder.
        configs: the folder that may hold `redaction.yaml`.
        confirm: of words that may be names, says which are.
        fake: values of the same form instead of pseudonyms.

    Raises:
        UserError: a mistake in the file.
    """
    written = load_redaction(configs / "redaction.yaml")

    def own(name: str) -> Any:
        function = import_function(name, root)
        return lambda text: [Found(*found) for found in function(text)]

    rules = Rules(
        patterns=written.patterns,
        allow=written.allow,
        allow_patterns=written.allow_patterns,
        places=written.places,
        words=written.words,
        languages=written.languages,
        regions=written.regions,
        detectors=[own(name) for name in written.detectors],
    )
    return Redactor(rules, Pseudonyms(lru_cache(maxsize=1)(redaction_key), fake=fake), confirm)
