"""The redactor of a project: its `configs/redaction.yaml`, its own detectors and the user's key."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from pytest_llmreplay.config.redaction import load_redaction
from pytest_llmreplay.promote.redact import Found, Pseudonyms, Redactor, Rules, redaction_key
from pytest_llmreplay.promote.redact.detection import detection
from pytest_llmreplay.promote.redact.residual import residual_names
from pytest_llmreplay.promote.redact.words import Words
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
    pseudonyms = Pseudonyms(lru_cache(maxsize=1)(redaction_key), fake=fake)
    return Redactor(_rules(root, configs), pseudonyms, confirm)


def build_detector(root: Path, configs: Path) -> Callable[[str], Sequence[tuple[int, int, str]]]:
    """What finds personal data and secrets in a text, by their form: start, stop and kind of each.

    Raises:
        UserError: a mistake in the file, once something is looked for.
    """
    loaded = lru_cache(maxsize=1)(lambda: detection(_rules(root, configs)))

    def detect(text: str) -> Sequence[tuple[int, int, str]]:
        return loaded()(text)

    return detect


def build_personal(root: Path, configs: Path) -> Callable[[str], frozenset[str]]:
    """What in a few words may be personal, in small letters: what has its form, and words that may be names.

    However it is written, a word that no dictionary has may be a name, unless `configs/redaction.yaml` lists it.

    Raises:
        UserError: a mistake in the file, once something is looked for.
    """

    @lru_cache(maxsize=1)
    def loaded() -> tuple[Callable[[str], Sequence[Found]], Callable[[str], bool], Words]:
        rules = _rules(root, configs)
        return detection(rules), rules.allowed(), Words(rules.languages, rules.words)

    def personal(text: str) -> frozenset[str]:
        detect, allowed, words = loaded()
        formed = {text[one.start : one.stop] for one in detect(text)}
        capitalised = " ".join(word[:1].upper() + word[1:] for word in text.split())
        named = {word for word in residual_names(capitalised, words) if not allowed(word)}
        return frozenset(word.casefold() for word in formed | named)

    return personal


def _rules(root: Path, configs: Path) -> Rules:
    written = load_redaction(configs / "redaction.yaml")

    def own(name: str) -> Any:
        function = import_function(name, root)
        return lambda text: [Found(*found) for found in function(text)]

    return Rules(
        patterns=written.patterns,
        allow=written.allow,
        allow_patterns=written.allow_patterns,
        places=written.places,
        words=written.words,
        languages=written.languages,
        regions=written.regions,
        detectors=[own(name) for name in written.detectors],
    )
