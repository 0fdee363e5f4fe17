"""Isolated or systemic, and routing or generation: verdicts by stated rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmreplay.mine.triage.facts import Facts, Wrong
from pytest_llmreplay.mine.triage.nouns import Routing, Share, Spread, Verdict
from pytest_llmreplay.mine.triage.wording import in_figures, percent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FEW = 5
_MOST = 0.5
_TRAFFIC = 0.25
SPREAD_RULE = (
    "isolated: fewer than five failures, or one user has at least half of them but at most a quarter of all "
    "conversations, or one day has at least half of them but at most a quarter of the conversations they are among; "
    "systemic: all else; unknown: nothing failed, or the log names users and days of less than half of the failures"
)
ROUTING_RULE = (
    "a failure is one of routing when its calls were already wrong: a tool that was not offered (unknown_tool), "
    "arguments that do not fit its schema (invalid_arguments), a failed or empty call that another tool then made good "
    "(corrected_tool), or a result that is an error (tool_error); all others are of generation"
)
ROUTING_SIGNALS = ("unknown_tool", "invalid_arguments", "corrected_tool", "tool_error")


def verdict_of(facts: Facts, members: NDArray[np.bool_], *, of_finding: bool) -> Verdict:
    """Whether the failures among the members are isolated or systemic."""
    import numpy as np

    failures = facts.failed & members
    user, day, intent = _top(facts.user[failures]), _top(facts.day[failures]), _top(_intents(facts)[failures])
    traffic = (
        _traffic_of_top(facts.user, np.ones(len(facts), np.bool_), failures),
        _traffic_of_top(facts.day, members, failures),
    )
    spread, why = _spread(int(np.count_nonzero(failures)), user, day, traffic)
    which = "The failures of the first finding" if of_finding else "The failures"
    judged = "cannot be called isolated or systemic" if spread == "unknown" else f"are {spread}"
    where = f"; {percent(intent.rate)} are of one intent" if intent is not None and intent.rate >= _MOST else ""
    return Verdict(spread, SPREAD_RULE, f"{which} {judged}: {why}{where}.", user, day, intent)


def _spread(count: int, user: Share | None, day: Share | None, traffic: tuple[float, float]) -> tuple[Spread, str]:
    """The verdict by the rule, and why."""
    if not count:
        return "unknown", "there are none"
    if count < _FEW:
        return "isolated", f"there are only {count}"
    if user is not None and user.rate >= _MOST and traffic[0] <= _TRAFFIC:
        return "isolated", f"one user has {in_figures(user)}, and {percent(traffic[0])} of all conversations"
    if day is not None and day.rate >= _MOST and traffic[1] <= _TRAFFIC:
        return "isolated", f"one day has {in_figures(day)}, and {percent(traffic[1])} of the conversations"
    if user is None and day is None:
        return "unknown", "the log names users and days of less than half of them"
    tops = [
        _top_in_words(name, top, part) for name, top, part in zip(("user", "day"), (user, day), traffic, strict=True)
    ]
    return "systemic", " and ".join(filter(None, tops))


def _top_in_words(name: str, top: Share | None, traffic: float) -> str:
    if top is None:
        return ""
    if top.rate < _MOST:
        return f"no {name} has more than {percent(top.rate)} of them"
    return f"one {name} has {percent(top.rate)} of them, and {percent(traffic)} of the conversations"


def routing_of(wrong: Wrong, failures: int) -> Routing:
    """The share of the failures where the calls were already wrong."""
    share = Share.of(wrong.wrong, wrong.looked_at)
    sampled = f" (of {wrong.looked_at:,} drawn from {failures:,})" if wrong.looked_at < failures else ""
    sentence = f"Routing: in {in_figures(share)} of the failures{sampled} the calls were already wrong; "
    sentence += f"generation: {percent(1 - share.rate)}." if share.total else "generation: unknown."
    return Routing(share, ROUTING_RULE, sentence, dict(wrong.by_signal))


def _intents(facts: Facts) -> NDArray[np.int16]:
    import numpy as np

    intents = np.full(len(facts), -1, np.int16)
    found = facts.dimension("intent")
    if found is not None:
        intents[found.conversation] = found.value
    return intents


def _top(codes: NDArray[np.integer]) -> Share | None:
    """How much of all the most frequent code has; None where less than half of the codes are known."""
    import numpy as np

    known = codes[codes >= 0]
    if not len(known) or 2 * len(known) < len(codes):
        return None
    _, counts = np.unique(known, return_counts=True)
    return Share.of(int(counts.max()), len(codes))


def _traffic_of_top(codes: NDArray[np.integer], among: NDArray[np.bool_], failures: NDArray[np.bool_]) -> float:
    """The part of some conversations that has the code of which most failures are; of several the least."""
    import numpy as np

    failing = codes[failures & (codes >= 0)]
    if not len(failing):
        return 1.0
    values, counts = np.unique(failing, return_counts=True)
    # Of the codes with half of the failures, for which alone this is asked, there are two at most.
    return min(float(np.mean(codes[among] == value)) for value in values[counts == counts.max()][:2])
