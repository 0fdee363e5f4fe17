"""Which of the engine's memory slots holds the beginning of which prompt. Pure."""

from __future__ import annotations

from collections.abc import Sequence


class PrefixSlots:
    """Keeps the beginnings that are dear to read again, a long one longer than a short one (GreedyDual).

    Args:
        slots: numbers of the slots.
    """

    def __init__(self, slots: Sequence[int]) -> None:
        self._free = list(slots)
        self._held: dict[str, int] = {}
        self._worth: dict[str, float] = {}
        self._age = 0.0

    def place(self, prefix: str) -> tuple[int, bool]:
        """The slot for this beginning, and whether it is there already; if not, another one may give way."""
        found = prefix in self._held
        if not found:
            self._held[prefix] = self._free.pop(0) if self._free else self._give_way()
        self._worth[prefix] = self._age + len(prefix)
        return self._held[prefix], found

    def forget(self, prefix: str) -> None:
        """Say that a slot does not hold this beginning after all."""
        self._free.append(self._held.pop(prefix))
        del self._worth[prefix]

    def _give_way(self) -> int:
        least = min(self._worth, key=self._worth.__getitem__)
        self._age = self._worth.pop(least)
        return self._held.pop(least)
