"""Which expected call belongs to which actual call: one to one, and as many as can be."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence

Edges = Sequence[Sequence[int]]
"""For every expected index the actual indexes that match it, ascending."""

NOBODY = -1


def maximum_matching(edges: Edges, actual_count: int) -> list[int]:
    """A maximum bipartite matching: the actual index of every expected one, or -1.

    No pairing has more pairs, whatever the order of the calls; what can be paired in order is tried first.
    """
    partner = [NOBODY] * len(edges)
    owner = [NOBODY] * actual_count
    for left, candidates in enumerate(edges):
        free = next((right for right in candidates if owner[right] == NOBODY), None)
        if free is not None:
            partner[left], owner[free] = free, left
    for left, right in enumerate(partner):
        if right == NOBODY and edges[left]:
            _augment(edges, left, partner, owner)
    return partner


def in_order_assignment(edges: Edges, groups: Sequence[range]) -> list[int] | None:
    """The expected calls as a subsequence of the actual ones, or None when they are not one.

    `groups` are the actual indexes of each assistant message; inside one the order does not count. To give each group
    as long a run of expected calls as it can take never hurts those that follow.
    """
    assigned: list[int] = []
    for group in groups:
        run = _longest_run(edges, len(assigned), group)
        assigned.extend(run)
        if len(assigned) == len(edges):
            return assigned
    return assigned if len(assigned) == len(edges) else None


def positional_assignment(edges: Edges, groups: Sequence[range]) -> list[int] | None:
    """The expected calls position by position, free inside a group, or None when that does not come out even."""
    if len(edges) != sum(len(group) for group in groups):
        return None
    assigned: list[int] = []
    for group in groups:
        run = _matching_within(edges[group.start : group.stop], group)
        if NOBODY in run:
            return None
        assigned.extend(run)
    return assigned


def longest_common_subsequence(edges: Edges) -> int:
    """Length of the longest run of expected calls that were made in that order, other calls between them or not."""
    tails: list[int] = []
    for candidates in edges:
        for right in reversed(candidates):
            place = bisect_left(tails, right)
            if place == len(tails):
                tails.append(right)
            else:
                tails[place] = right
    return len(tails)


def _augment(edges: Edges, start: int, partner: list[int], owner: list[int]) -> None:
    reached_from: dict[int, int] = {}
    waiting = deque([start])
    while waiting:
        left = waiting.popleft()
        for right in edges[left]:
            if right in reached_from:
                continue
            reached_from[right] = left
            if owner[right] == NOBODY:
                _flip(right, reached_from, partner, owner)
                return
            waiting.append(owner[right])


def _flip(right: int, reached_from: dict[int, int], partner: list[int], owner: list[int]) -> None:
    while right != NOBODY:
        left = reached_from[right]
        previous = partner[left]
        partner[left], owner[right] = right, left
        right = previous


def _longest_run(edges: Edges, start: int, group: range) -> list[int]:
    run: list[int] = []
    for stop in range(start + 1, min(len(edges), start + len(group)) + 1):
        longer = _matching_within(edges[start:stop], group)
        if NOBODY in longer:
            break
        run = longer
    return run


def _matching_within(edges: Edges, group: range) -> list[int]:
    inside = [[right - group.start for right in candidates if right in group] for candidates in edges]
    return [right if right == NOBODY else right + group.start for right in maximum_matching(inside, len(group))]
