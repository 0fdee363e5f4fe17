"""What shows that a conversation failed as a golden case did: derived from the case, by a stated rule."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_llmreplay.mine.signals import Evidence, Signal
from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import Message, calls_of, turns_of
from pytest_llmreplay.model.expectation import CallsExpectation, parse_expectation

Source = Literal["calls", "signals", "label"]

_FEWEST_WORDS = 4
_MARK = re.compile(r"\[([A-Z][A-Z0-9_-]*)_[0-9a-f]{8}\]")
_NO_EXTRAS = ("strict", "any_order", "at_most", "none")


@dataclass(frozen=True, slots=True)
class FailureSignal:
    """The sign of a case's failure, and what of the case it was derived from.

    From the calls: one of the tools `called` is called, and one of the tools `missing` is not; an empty list asks for
    nothing. Otherwise: one of the signals named in `signals` shows. `anywhere` says that calls count wherever they
    stand in the conversation, not only in the turns that are similar to the case's.
    """

    source: Source
    called: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    anywhere: bool = False

    @property
    def in_words(self) -> str:
        """What is looked for, in a few words."""
        if self.source != "calls":
            return " or ".join(self.signals)
        parts = [f"calls {' or '.join(self.called)}"] if self.called else []
        parts += [f"does not call {' or '.join(self.missing)}"] if self.missing else []
        return " and ".join(parts)

    def shows_in(self, messages: Sequence[Message], turns: Collection[int], told: Iterable[Evidence]) -> bool:
        """Whether a conversation shows it.

        Args:
            messages: the conversation's.
            turns: the numbers (from 1) of the turns that are similar to the case's. Calls count if they are in one of
                them; signals if they show there, in the conversation as a whole, or in the user's words later.
            told: the evidence for its signals; not needed for calls.
        """
        if self.source != "calls":
            wanted = [one for one in told if one.signal in self.signals]
            return bool(_by_assistant(wanted, messages, turns) or _by_user_later(wanted, messages, min(turns)))
        if self.anywhere:
            return self._shown_by({call.name for call in calls_of(messages)})
        return any(
            self._shown_by({call.name for call in calls_of(messages[turn.start : turn.stop])})
            for turn in turns_of(messages)
            if turn.number in turns
        )

    def _shown_by(self, names: set[str]) -> bool:
        called = not self.called or not names.isdisjoint(self.called)
        return called and (not self.missing or not names.issuperset(self.missing))


def failure_signal(case: Case, told: Sequence[Evidence], known: Mapping[str, Signal]) -> FailureSignal | None:
    """What shows the failure of a case; None when nothing can be derived.

    The first of these that gives something:

    1. The calls. The tools that the expectation rules out and production called in the failing turn; or else the
       expected tools that it did not call, together with what it called instead. Names only: arguments of one
       conversation say nothing of another.
    2. The signals that the recorded conversation shows in the failing turn or as a whole; or else those in what the
       user said after it.
    3. The label: the signals of the case's failure category and stage.

    Args:
        case: an incident.
        told: the evidence for every signal in the case's recorded conversation.
        known: all signals.

    Raises:
        UserError: the expectation has a mistake.
    """
    expectation = parse_expectation(case.expect) if case.expect else None
    if expectation is not None and expectation.calls is not None:
        found = _of_calls(case, expectation.calls)
        if found is not None:
            return found
    by_turn = _by_assistant(told, case.messages, {case.turn}) or _by_user_later(told, case.messages, case.turn)
    if by_turn:
        return FailureSignal("signals", signals=tuple(sorted({one.signal for one in by_turn})))
    labelled = _of_label(case, known)
    return FailureSignal("label", signals=labelled) if labelled else None


def case_text(case: Case) -> str:
    """What the user said in the failing turn, without the marks that redaction left.

    A message of fewer than four words says little by itself, so the ones before it are put in front.
    """
    said = [message.content or "" for message in case.messages if message.role == "user"][: case.turn]
    text = ""
    for message in reversed(said):
        text = f"{_unmarked(message)} {text}".strip()
        if len(text.split()) >= _FEWEST_WORDS:
            break
    return text


def _of_calls(case: Case, calls: CallsExpectation) -> FailureSignal | None:
    anywhere = calls.scope == "conversation"
    made = tuple(dict.fromkeys(call.name for call in calls_of(_looked_at(case, anywhere))))
    bounds = calls.called.items()
    forbidden = {*calls.forbidden, *(tool for tool, bound in bounds if 0 in (bound.max, bound.exactly))}
    expected = [call.name for call in calls.expected]
    expected += [tool for tool, bound in bounds if (bound.exactly or bound.min or 0) > 0]
    ruled_out = tuple(name for name in made if name in forbidden)
    missing = tuple(name for name in dict.fromkeys(expected) if name not in made)
    others = tuple(name for name in made if name not in expected)
    if ruled_out:
        return FailureSignal("calls", called=ruled_out, anywhere=anywhere)
    if missing:
        return FailureSignal("calls", called=others, missing=missing, anywhere=anywhere)
    if others and calls.order in _NO_EXTRAS and (calls.order == "none" or "expected" in calls.model_fields_set):
        return FailureSignal("calls", called=others, anywhere=anywhere)
    return None


def _looked_at(case: Case, anywhere: bool) -> Sequence[Message]:
    if anywhere:
        return case.messages
    turn = turns_of(case.messages)[case.turn - 1]
    return case.messages[turn.start : turn.stop]


def _of_label(case: Case, known: Mapping[str, Signal]) -> tuple[str, ...]:
    if case.failure_category is None and case.failure_stage is None:
        return ()
    return tuple(
        signal.name
        for signal in known.values()
        if case.failure_category in (None, signal.category) and case.failure_stage in (None, signal.stage)
    )


def _by_assistant(told: Iterable[Evidence], messages: Sequence[Message], turns: Collection[int]) -> list[Evidence]:
    """Evidence of the whole conversation, and in these turns outside of what the user said: that is the question."""
    return [one for one in told if one.turn is None or (one.turn in turns and not _said_by_user(one, messages))]


def _by_user_later(told: Iterable[Evidence], messages: Sequence[Message], turn: int) -> list[Evidence]:
    return [one for one in told if one.turn is not None and one.turn > turn and _said_by_user(one, messages)]


def _said_by_user(one: Evidence, messages: Sequence[Message]) -> bool:
    return one.message is not None and messages[one.message].role == "user"


def _unmarked(text: str) -> str:
    """The text where a mark such as `[PHONE_3f6e6c3f]` is the word that it stands for."""
    return _MARK.sub(lambda mark: mark[1].replace("_", " ").lower(), text)
