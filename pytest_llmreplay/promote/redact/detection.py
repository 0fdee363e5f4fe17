"""All detectors on one text, remembered, since logs repeat the same texts over and over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from pytest_llmreplay.promote.redact.encoded import encoded
from pytest_llmreplay.promote.redact.found import Detector, Found, without_overlaps
from pytest_llmreplay.promote.redact.identity import national_ids
from pytest_llmreplay.promote.redact.phones import phone_detector
from pytest_llmreplay.promote.redact.places import Places
from pytest_llmreplay.promote.redact.plain import plain
from pytest_llmreplay.promote.redact.pseudonym import PSEUDONYM
from pytest_llmreplay.promote.redact.secrets import secrets
from pytest_llmreplay.promote.redact.structured import STRUCTURED_DETECTORS

_KEPT_TEXTS = 4096


@dataclass(frozen=True, slots=True)
class Rules:
    """What a project wants redacted beside what is always looked for.

    `patterns` are regular expressions by kind, of which the group `value`, else the whole, is replaced. `allow` are
    texts that may stay, `allow_patterns` regular expressions for such texts. `places` are typed places, None takes one
    away. `words` are product words that name no one. `regions` are where national telephone numbers come from.
    """

    patterns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    allow: Sequence[str] = ()
    allow_patterns: Sequence[str] = ()
    places: Mapping[str, str | None] = field(default_factory=dict)
    words: Sequence[str] = ()
    languages: Sequence[str] = ("en",)
    regions: Sequence[str] = ("US", "GB", "DE")
    detectors: Sequence[Detector] = ()

    def typed_places(self) -> Places:
        """The typed places of the project."""
        return Places(self.places)

    def allowed(self) -> Callable[[str], bool]:
        """Whether a text may stay."""
        texts = frozenset(text.casefold() for text in self.allow)
        patterns = [re.compile(pattern) for pattern in self.allow_patterns]
        return lambda text: text.casefold() in texts or any(p.fullmatch(text) for p in patterns)


def detection(rules: Rules) -> Callable[[str], Sequence[Found]]:
    """One function that finds everything in a text, without overlaps; pseudonyms are no longer personal."""
    own = [_by_pattern(kind, re.compile(p)) for kind, patterns in rules.patterns.items() for p in patterns]
    detectors = [*STRUCTURED_DETECTORS, national_ids, secrets, phone_detector(rules.regions), *own, *rules.detectors]
    allowed = rules.allowed()

    @lru_cache(maxsize=_KEPT_TEXTS)
    def detect(text: str) -> Sequence[Found]:
        if len(text) < 4:
            return ()
        bare = plain(text)
        found = [Found(*one) for detector in detectors for one in detector(text)]
        if bare is not None:
            found += [bare.back(Found(*one)) for detector in detectors for one in detector(bare.text)]
        found += encoded(text, detect)
        taken = [match.span() for match in PSEUDONYM.finditer(text)]
        return without_overlaps(
            one
            for one in found
            if not allowed(text[one.start : one.stop]) and not any(a < one.stop and one.start < b for a, b in taken)
        )

    return detect


def _by_pattern(kind: str, pattern: re.Pattern[str]) -> Detector:
    group: str | int = "value" if "value" in pattern.groupindex else 0

    def find(text: str) -> Iterable[Found]:
        return (Found(match.start(group), match.end(group), kind) for match in pattern.finditer(text))

    return find
