"""The dimension of intents: which conversation of a log wants what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_llmreplay.mine.intents import OTHER, Intents, extended
from pytest_llmreplay.mine.space import Space
from pytest_llmreplay.mine.triage.facts import Dimension, Facts
from pytest_llmreplay.mine.turns import UserTurns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INTENT = "intent"
_NEW = 0.05


def kept_or_extended(intents: Intents, turns: UserTurns, space: Space, *, seed: int) -> Intents:
    """The known intents, and new ones when more than 5 % of the conversations belong to none of them.

    Some 1 % never do, and new intents for those on every run would take conversations from the known ones.
    """
    import numpy as np

    beyond = float(np.mean(intents.of_conversations(space) < 0))
    return extended(intents, turns, space, seed=seed) if beyond > _NEW else intents


@dataclass(frozen=True, slots=True)
class Seen:
    """The conversations of a space among the facts: `here` says which are, `place` where those are (by their order)."""

    here: NDArray[np.bool_]
    place: NDArray[np.int32]


def seen_in(facts: Facts, turns: UserTurns, space: Space, first_rows: Sequence[int]) -> Seen:
    """Which conversations of the space the facts are about.

    Args:
        facts: of conversations in the log's order.
        turns: of the same log.
        space: of those turns.
        first_rows: for each of the turns' logs the number of its first row in the log's table.
    """
    import numpy as np

    rows = turns.rows(space.begins, first_rows)
    place = np.searchsorted(facts.row, rows).astype(np.int32).clip(max=max(len(facts) - 1, 0))
    here: NDArray[np.bool_] = facts.row[place] == rows if len(facts) else np.zeros(len(rows), np.bool_)
    return Seen(here, place[here])


def with_intents(facts: Facts, seen: Seen, space: Space, intents: Intents) -> Facts:
    """The facts with the dimension `intent` before the others; a conversation in which no user spoke has none.

    `space` must be seen from the middle of the intents.
    """
    import numpy as np

    nearest = intents.of_conversations(space)
    values = (*(intent.intent_id for intent in intents.found), OTHER)
    names = (*(intent.name for intent in intents.found), OTHER)
    nearest[nearest < 0] = len(intents.found)
    value = nearest[seen.here].astype(np.int16)
    return replace(facts, dimensions=(Dimension(INTENT, values, names, seen.place, value), *facts.dimensions))
