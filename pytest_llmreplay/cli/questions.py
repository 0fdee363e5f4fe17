"""The questions that `promote` asks on a terminal when no label is given, with what the rules propose as defaults."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, get_args

import click

from pytest_llmreplay.model.case import FailureCategory, FailureStage, Severity
from pytest_llmreplay.report.text import one_line, printable

if TYPE_CHECKING:
    from pytest_llmreplay.model.case import Case

_CHOICES = (
    ("failure_category", "category", get_args(FailureCategory)),
    ("failure_stage", "stage", get_args(FailureStage)),
    ("severity", "severity", get_args(Severity)),
)
_TEXTS = (("intent", "intent (what the customer wanted)"), ("summary", "summary (what went wrong)"))
_LONGEST_DEFAULT = 160


class Questions:
    """Asks a person for the labels of one incident after the other; a control went well and needs none.

    Args:
        written: redacts what the person writes about a case; None leaves it as it is.
        today: the day from which `2w` counts.
    """

    def __init__(self, written: Callable[[str, Case], str] | None, today: date | None = None) -> None:
        self._written = written
        self._today = today or date.today()  # noqa: DTZ011 - a due date is one of the person's own calendar
        self._owner = ""
        self._asked = 0
        self._all_as_proposed = False

    def __call__(self, case: Case) -> Case:
        """The case with the answers."""
        if case.kind == "control" or self._all_as_proposed:
            return case
        if self._asked and not click.confirm("Label the next one too? Otherwise the rest is as proposed", default=True):
            self._all_as_proposed = True
            return case
        self._asked += 1
        return self._labelled(case)

    def _labelled(self, case: Case) -> Case:
        from pytest_llmreplay.promote import Given, relabelled

        _introduce(case)
        answers: dict[str, Any] = {name: _chosen(case, name, said, words) for name, said, words in _CHOICES}
        answers |= {name: _said(case, name, said) for name, said in _TEXTS}
        self._owner = _optional("owner (who mends it)", case.owner or self._owner)
        due = _optional("due (2026-12-31, 5d or 2w)", case.due or "", lambda text: _day(text, self._today))
        given = Given(**answers, owner=self._owner or None, due=due or None)
        return relabelled(case, given) if self._written is None else relabelled(case, given, self._written)


def _introduce(case: Case) -> None:
    said = [message.content or "" for message in case.messages if message.role == "user"]
    evidence: Any = case.metadata.get("label_evidence") or {}
    click.echo(f"{case.case_id}, turn {case.turn}, the user: {one_line(said[case.turn - 1])}")
    for rule, why in evidence.items():
        click.echo(f"  {printable(str(rule))}: {one_line(str(why), _LONGEST_DEFAULT)}")
    click.echo("Enter takes what stands in brackets.")


def _chosen(case: Case, name: str, said: str, words: Iterable[str]) -> str | None:
    """One of a few words; where none is proposed it may stay open."""
    proposed = getattr(case, name)
    allowed = [*words] if proposed else [*words, ""]
    shown = "|".join(word for word in allowed if word)
    choice = click.Choice(allowed, case_sensitive=False)
    answer: str = click.prompt(
        f"{said} ({shown})", type=choice, default=proposed or "", show_choices=False, show_default=bool(proposed)
    )
    return answer or None


def _said(case: Case, name: str, said: str) -> str | None:
    """A text; what is proposed stays as it is, although it is shown shortened."""
    proposed = getattr(case, name)
    shown = one_line(proposed or "", _LONGEST_DEFAULT)
    answer = _optional(said, shown)
    return None if answer == shown else answer


def _optional(said: str, default: str, value_of: Callable[[str], str] = str.strip) -> str:
    answer: str = click.prompt(said, default=default, show_default=bool(default), value_proc=value_of)
    return answer


def _day(text: str, today: date) -> str:
    """A day as YYYY-MM-DD, also in so many days or weeks; nothing stays nothing."""
    text = text.strip()
    if not text:
        return ""
    ahead = re.fullmatch(r"(\d{1,3})\s*([dw])", text, re.IGNORECASE)
    if ahead is not None:
        return (today + timedelta(days=int(ahead[1]) * (7 if ahead[2].lower() == "w" else 1))).isoformat()
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise click.UsageError(f"{text!r} is no day; allowed: 2026-12-31, 5d, 2w") from None
