"""The sentences of triage."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_llmreplay.mine.triage.nouns import Condition, Share

_HAVING = {
    "tool": "that call {}",
    "intent": "about '{}'",
    "prompt_version": "with prompt version {}",
    "segment": "of segment {}",
    "user_id": "of user {}",
    "session_id": "of session {}",
    "source_file": "from {}",
}
_FIRST = {"intent": 0, "tool": 1}


def percent(rate: float) -> str:
    """A rate for people, with one digit after the point."""
    return f"{100 * rate:.1f} %"


def in_figures(share: Share) -> str:
    """A share with its counts and interval."""
    interval = f"{100 * share.low:.1f}–{100 * share.high:.1f} %"
    return f"{percent(share.rate)} ({share.count:,} of {share.total:,}; 95 %: {interval})"


def having(conditions: Sequence[Condition]) -> str:
    """Conversations with all of some values: in the order in which they are best read."""
    ordered = sorted(conditions, key=lambda one: _FIRST.get(one.dimension, len(_FIRST)))
    said = [_phrase(one.dimension).format(one.name) for one in ordered]
    return " ".join(("conversations", *said)) if said else "all conversations"


def _phrase(dimension: str) -> str:
    return _HAVING.get(dimension, f"with {dimension.replace('_', ' ')} {{}}")


def finding_sentence(
    conditions: Sequence[Condition], since: str | None, inside: Share, outside: Share, before: Share | None, part: float
) -> str:
    """What fails, since when, how much, and against what."""
    which = having(conditions) if conditions else "conversations"
    start = f"Since {since}, " if since is not None else ""
    against = [f"{percent(before.rate)} of them before"] if before is not None else []
    against += [f"{percent(outside.rate)} of all others"] if before is None or conditions else []
    sentence = f"{start}{which} fail in {in_figures(inside)}, against {' and '.join(against)}"
    return f"{sentence[0].upper()}{sentence[1:]}; these are {percent(part)} of all failures."


def nothing_sentence(failing: Share, dimensions: Sequence[str], days: int) -> str:
    """That nothing stands out, and what was looked at."""
    if not failing.total:
        return "There are no conversations."
    if not failing.count:
        return f"None of {failing.total:,} conversations failed."
    names = [name.replace("_", " ") for name in dimensions]
    said = f"Nothing stands out: {in_figures(failing)} of the conversations failed"
    if not names:
        nothing = "no day since which" if days > 1 else "nothing to compare in which"
        return f"{said}, and there is {nothing} more failed than chance explains."
    when = ", always or since a day" if days > 1 else ""
    return f"{said}, and no {_either(names)} has more failures than chance explains{when}."


def _either(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
