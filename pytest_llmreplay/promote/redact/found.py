"""What a detector finds in a text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

KINDS = (
    "email",
    "phone",
    "card",
    "iban",
    "national_id",
    "ip",
    "url",
    "secret",
    "dob",
    "address",
    "name",
    "user_id",
    "session_id",
)
"""What is looked for; own detectors and patterns may add kinds."""

STRUCTURED = frozenset({"email", "phone", "card", "iban", "national_id", "ip", "url", "secret"})
"""Kinds whose form alone gives them away."""


class Found(NamedTuple):
    """A personal value in a text: `text[start:stop]`."""

    start: int
    stop: int
    kind: str


Detector = Callable[[str], Iterable[Found]]


def without_overlaps(found: Iterable[Found]) -> list[Found]:
    """The findings in order; of those that overlap the longest stays, and what sticks out of it is joined to it."""
    kept: list[Found] = []
    for one in sorted(set(found), key=_order):
        if one.start >= one.stop:
            continue
        if kept and one.start < kept[-1].stop:
            last = kept[-1]
            longer = last if last.stop - last.start >= one.stop - one.start else one
            kept[-1] = Found(last.start, max(last.stop, one.stop), longer.kind)
        else:
            kept.append(one)
    return kept


def _order(found: Found) -> tuple[int, int, int, str]:
    """Of two kinds in one place the first of `KINDS` comes first, in every process alike."""
    rank = KINDS.index(found.kind) if found.kind in KINDS else len(KINDS)
    return found.start, -found.stop, rank, found.kind
