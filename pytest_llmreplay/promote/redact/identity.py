"""Detectors for numbers that a state gives to a person."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pytest_llmreplay.promote.redact.found import Found

_SHAPES: tuple[tuple[str, str | None], ...] = (
    (r"(?<![\w.-])\d{3}([-.])\d{2}\1\d{4}(?![\w-]|\.\d)", None),
    (r"(?i)(?<!\w)[a-ceghj-prstw-z][a-ceghj-nprstw-z]\s?\d{2}\s?\d{2}\s?\d{2}\s?[a-d](?!\w)", None),
    (r"(?<!\w)\d{3}\.\d{3}\.\d{3}-\d{2}(?!\w)", "br.cpf"),
    (r"(?<![\w.])756\.?\d{4}\.?\d{4}\.?\d{2}(?!\w)", "ch.ssn"),
    (r"(?i)(?<!\w)[a-z]{6}\d{2}[a-ehlmprst]\d{2}[a-z]\d{3}[a-z](?!\w)", "it.codicefiscale"),
    (r"(?i)(?<!\w)\d{8}-?[a-z](?!\w)", "es.dni"),
    (r"(?i)(?<!\w)[xyz]-?\d{7}-?[a-z](?!\w)", "es.nie"),
    (r"(?<!\w)[12]\s?\d{2}\s?\d{2}\s?\d{2}\s?\d{3}\s?\d{3}\s?\d{2}(?!\w)", "fr.nir"),
    (r"(?<!\w)\d{11}(?!\w)", "pl.pesel"),
    (r"(?<!\w)\d{4}[ -]\d{4}[ -]\d{4}(?![ -]?\d)", "in_.aadhaar"),
    (r"(?<!\w)\d{6}[-+]\d{4}(?!\w)", "se.personnummer"),
    (r"(?<!\w)\d{6}[-+A]\d{3}[0-9A-Y](?!\w)", "fi.hetu"),
)
_NAMED = re.compile(
    r"(?i)\b(?:ssn|social\s+security(?:\s+(?:number|no\.?|#))?|(?:national|tax|fiscal|identity|personal)\s+"
    r"(?:id|insurance|number|code|identification)(?:\s+(?:number|no\.?))?|passport(?:\s+(?:number|no\.?))?"
    r"|driver'?s?\s+licen[cs]e(?:\s+(?:number|no\.?))?|bsn|nhs\s+(?:number|no\.?)|steuer-?id|personalausweis\w*"
    r"|aadhaar|pan\s+card|tin|nino|codice\s+fiscale|dni|cpf|pesel)"
    r"(?:\s+is|\s*[:=#]|\s+are)?\s*[:#]?\s*((?=[A-Z0-9 .-]*\d)[A-Z]{0,3}\d[A-Z0-9]*(?:[ .-]?[A-Z0-9]*\d[A-Z0-9]*){0,5})"
)

_NAMED_AFTER = re.compile(
    r"(?i)(?<![\w.-])(\d{3}[ .-]?\d{2}[ .-]?\d{4})(?![\w-])[,;]?\s+(?:(?:is|was|as|for|being)\s+)?"
    r"(?:(?:my|her|his|the|our)\s+)?(?:ssn|social\b|tax\s+id)"
)


def national_ids(text: str) -> Iterator[Found]:
    """Social security numbers and the like: by their form and check digits, or by the words before them."""
    if not any(character.isdigit() for character in text):
        return
    for pattern, module in _patterns():
        for match in pattern.finditer(text):
            if module is None or module.is_valid(match.group()):
                yield Found(match.start(), match.end(), "national_id")
    for match in _NAMED_AFTER.finditer(text):
        yield Found(match.start(1), match.end(1), "national_id")
    for match in _NAMED.finditer(text):
        if sum(character.isdigit() for character in match.group(1)) >= 5:
            yield Found(match.start(1), match.end(1), "national_id")


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[re.Pattern[str], Any], ...]:
    return tuple(
        (re.compile(shape), None if module is None else importlib.import_module(f"stdnum.{module}"))
        for shape, module in _SHAPES
    )
