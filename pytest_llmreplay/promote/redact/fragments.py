"""Values that a customer splits over several messages: `4111 1111` now and `1111 1111` in the next one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, product
from typing import NamedTuple

from pytest_llmreplay.promote.redact.found import STRUCTURED, Detector

_RUN = re.compile(r"[+(]?\d[\d .()\-]*\d|\d|(?<![\w.+-])[\w.+-]*@[\w.-]*|(?<=\s)[\w.+-]+$|^[\w.+-]+(?=[\s,;!?]|$)")
_JOINTS = ("", " ", "-")
_MOST_MESSAGES = 4
_AMEX, _AMEX_CUT, _NATIONAL = 15, 10, 10


class Fragment(NamedTuple):
    """A part of a value in one of several texts: `texts[text][start:stop]`; `value` is the whole."""

    text: int
    start: int
    stop: int
    kind: str
    value: str


def fragments(texts: Sequence[str], detect: Detector) -> Iterator[Fragment]:
    """The parts of values that are whole only when neighbouring texts are joined.

    Args:
        texts: what one person wrote, in order.
        detect: finds values in one text.
    """
    runs = [_runs(text) for text in texts]
    for size in range(2, min(_MOST_MESSAGES, len(texts)) + 1):
        for first in range(len(texts) - size + 1):
            window = range(first, first + size)
            choices = [_choices(runs[i], first=i == first, last=i == first + size - 1) for i in window]
            if all(choices):
                yield from _joined(window, choices, detect)


def _joined(window: range, choices: list[list[tuple[int, int, str]]], detect: Detector) -> Iterator[Fragment]:
    for parts in product(*choices):
        if not _worth_joining([part[2] for part in parts]):
            continue
        for joint in _JOINTS:
            whole = joint.join(part[2].strip() for part in parts)
            found = [f for f in detect(whole) if f.kind in STRUCTURED and f.start == 0 and f.stop == len(whole)]
            if found and _cut_like(found[0].kind, [part[2] for part in parts]):
                for index, (start, stop, _) in zip(window, parts, strict=True):
                    yield Fragment(index, start, stop, found[0].kind, whole)
                break


def _cut_like(kind: str, parts: list[str]) -> bool:
    """Whether people cut such a value at these places; any two numbers may add up to one of another kind."""
    if kind not in ("phone", "card"):
        return len(parts) == 2
    cuts = list(accumulate(sum(c.isdigit() for c in part) for part in parts))
    total = cuts.pop()
    if kind == "card":
        return all(cut % 4 == 0 or (total == _AMEX and cut == _AMEX_CUT) for cut in cuts)
    if parts[0].startswith("+"):
        return True
    country = total - _NATIONAL
    digits = "".join(c for part in parts for c in part if c.isdigit())
    if not re.fullmatch(r"1?[2-9]\d\d[2-9]\d{6}", digits):
        return False
    return all(cut - country in (0, 3, 6) for cut in cuts)


def _worth_joining(parts: list[str]) -> bool:
    """Whether the parts together may be a value, and are not each a mere word."""
    if any("@" in part for part in parts):
        return len(parts) == 2 and (parts[0].endswith("@") or parts[1].startswith("@"))
    digits = sum(c.isdigit() for part in parts for c in part)
    return digits >= 7 and all(any(c.isdigit() for c in part) for part in parts)


def _choices(runs: list[tuple[int, int, str]], *, first: bool, last: bool) -> list[tuple[int, int, str]]:
    if first:
        # Words stand for the first half of a mail address, and of those only the nearest one.
        return [run for run in runs[-2:] if run is runs[-1] or run[2][-1].isdigit() or run[2][-1] == "@"]
    return runs[:2] if last else runs[:1]


def _runs(text: str) -> list[tuple[int, int, str]]:
    found = []
    for match in _RUN.finditer(text):
        run = match.group().rstrip(" .,-(")
        if run:
            found.append((match.start(), match.start() + len(run), run))
    return found
