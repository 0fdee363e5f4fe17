"""`find --confirm`: a model reads each candidate, and what it does not confirm is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_llmreplay.model.errors import AccessDenied, InfrastructureError
from pytest_llmreplay.report.text import printable

if TYPE_CHECKING:
    from pytest_llmreplay.mine.finding import Finding
    from pytest_llmreplay.model.conversation import Conversation
    from pytest_llmreplay.model.variant import ModelTarget
    from pytest_llmreplay.session.asking import Asking, Reply

_WORDS = {
    "yes": "confirmed",
    "no": "not confirmed",
    "off_menu": "answered neither yes nor no, so not confirmed",
    "trouble": "without an answer, so not confirmed",
    "not_asked": "not asked, for the budget was used up",
}


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a model confirmed, and how many of the candidates it said what of."""

    findings: tuple[Finding, ...]
    counts: Counter[str]
    live: int
    cost_usd: float

    def in_words(self, model: str) -> str:
        """One sentence."""
        told = [f"{self.counts[key]} {words}" for key, words in _WORDS.items() if self.counts[key]]
        asked = f"{self.live} asked for, the rest known from before" if self.live else "all known from before"
        return printable(f"{model}: {', '.join(told) or 'nothing to confirm'} ({asked}; {self.cost_usd:.4f} USD)")


def confirm(
    findings: Sequence[Finding],
    conversations: Mapping[int, Conversation],
    asked: str,
    target: ModelTarget,
    asking: Asking,
    on_reply: Callable[[], None],
) -> Confirmed:
    """Ask about every finding.

    Raises:
        InfrastructureError: none of them was answered, for trouble on the way.
    """
    from pytest_llmreplay.mine.confirm import confirmation_request

    requests = [
        confirmation_request(target.model, target.params, asked, conversations[one.row], one.turn) for one in findings
    ]
    replies = asking.all(requests, on_reply)
    said = [_said(reply) for reply in replies]
    refused = [reply for reply in replies if isinstance(reply, AccessDenied)]
    if findings and (refused or all(word == "trouble" for word in said)):
        raise next(reply for reply in (*refused, *replies) if isinstance(reply, InfrastructureError))
    kept = [
        replace(one, why=f"{one.why}; confirmed by {target.model}")
        for one, word in zip(findings, said, strict=True)
        if word == "yes"
    ]
    live = [reply for reply in replies if not isinstance(reply, Exception) and reply.live]
    return Confirmed(tuple(kept), Counter(said), len(live), sum(reply.cost_usd or 0.0 for reply in live))


def _said(reply: Reply) -> str:
    from pytest_llmreplay.mine.confirm import read_answer

    if isinstance(reply, InfrastructureError):
        return "trouble"
    if isinstance(reply, Exception):
        return "not_asked"
    return read_answer(reply.message.content)
