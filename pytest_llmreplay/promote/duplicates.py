"""Finding out whether a conversation is already in the suite: its user turns, exactly or nearly."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pytest_llmreplay.model.canonical import text_digest
from pytest_llmreplay.model.case import REFERENCES, Case
from pytest_llmreplay.model.conversation import Message

NEAR = 0.8
"""From this share of common word triples on, two conversations are near duplicates."""

_PERMUTATIONS = 64
_PRIME = (1 << 61) - 1
_STANDS_FOR = re.compile(r"\[([A-Z][A-Z_]*)_[0-9a-f]{8}\]")


class Duplicate(NamedTuple):
    """The case that a conversation repeats; `similarity` is an estimate from 0 to 1, and 1 when it is exact."""

    case_id: str
    kind: Literal["exact", "near"]
    similarity: float


@dataclass(slots=True)
class SuiteIndex:
    """The user turns of a suite's cases, as digests and MinHash signatures.

    `said` makes the digest by which cases whose text is elsewhere keep what their user said; of those only exact
    duplicates can be told.
    """

    said: Callable[[Case], str] | None = None
    _elsewhere: dict[str, str] = field(default_factory=dict)
    _exact: dict[str, str] = field(default_factory=dict)
    _signatures: list[tuple[str, Sequence[int]]] = field(default_factory=list)

    @classmethod
    def of(cls, cases: Iterable[Case], said: Callable[[Case], str] | None = None) -> SuiteIndex:
        """The index of these cases."""
        index = cls(said)
        for case in cases:
            note = case.metadata.get(REFERENCES)
            if isinstance(note, Mapping):
                index._elsewhere.setdefault(str(note.get("said")), case.case_id)
                continue
            turns = user_turns(case.messages, case.turn)
            index._exact.setdefault(text_digest("\n".join(turns)), case.case_id)
            index._signatures.append((case.case_id, signature(turns)))
        return index

    def duplicate_of(self, case: Case) -> Duplicate | None:
        """The case that this one repeats, if any."""
        turns = user_turns(case.messages, case.turn)
        same = self._exact.get(text_digest("\n".join(turns)))
        if same is None and self._elsewhere and self.said is not None:
            same = self._elsewhere.get(self.said(case))
        if same is not None:
            return Duplicate(same, "exact", 1.0)
        mine = signature(turns)
        nearest = max(((_similarity(mine, other), case_id) for case_id, other in self._signatures), default=(0.0, ""))
        return Duplicate(nearest[1], "near", nearest[0]) if nearest[0] >= NEAR else None


def user_turns(messages: Sequence[Message], turn: int) -> list[str]:
    """What the user said up to a turn, without case, punctuation, white space and who it was."""
    said = [message.content or "" for message in messages if message.role == "user"][:turn]
    return [" ".join(re.findall(r"\w+", _STANDS_FOR.sub(r" \1 ", text).casefold())) for text in said]


def signature(said: Sequence[str]) -> Sequence[int]:
    """The MinHash of the word triples."""
    words = " ".join(said).split()
    triples = {" ".join(words[i : i + 3]) for i in range(max(len(words) - 2, 1))}
    hashes = [_hash(triple) for triple in triples]
    return [min((a * h + b) % _PRIME for h in hashes) for a, b in _COEFFICIENTS]


def _similarity(one: Sequence[int], other: Sequence[int]) -> float:
    return sum(a == b for a, b in zip(one, other, strict=True)) / _PERMUTATIONS


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=7).digest())


_COEFFICIENTS = [(_hash(f"a{i}") | 1, _hash(f"b{i}")) for i in range(_PERMUTATIONS)]
