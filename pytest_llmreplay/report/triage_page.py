"""The triage page: one file that needs no network; what customers wrote stands on it as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.mine.triage.wording import percent
from pytest_llmreplay.model.conversation import Message, turns_of
from pytest_llmreplay.report.page_data import LONGEST_MESSAGE
from pytest_llmreplay.report.page_parts import asset, content_security_policy, page_environment
from pytest_llmreplay.report.plots import WIDTH
from pytest_llmreplay.report.triage_links import INTENT, Example, Links
from pytest_llmreplay.report.triage_plots import (
    TIMELINE_HEIGHT,
    TIMELINE_WIDTH,
    change_lines,
    day_bars,
    interval_text,
    rate_lines,
    rate_span,
    tool_lines,
)

if TYPE_CHECKING:
    from pytest_llmreplay.mine.triage import Group, Triage

_MOST_LINES = 40
_MOST_MESSAGES = 60


@dataclass(frozen=True, slots=True)
class TriagePage:
    """What a page is made of; `facts` stand at its end, as label and text."""

    triage: Triage
    examples: Sequence[Example] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


def triage_html(page: TriagePage) -> str:
    """The whole file."""
    from markupsafe import Markup

    triage = page.triage
    style = asset("report.css") + asset("triage.css")
    script = asset("theme.js") + asset("triage.js")
    tools, ratio_edge = tool_lines(triage.tools[:_MOST_LINES])
    changes, change_edge = change_lines(triage.changes[:_MOST_LINES])
    # Markup only for files of this package.
    return (
        page_environment()
        .get_template("triage.html.j2")
        .render(
            policy=content_security_policy(style, script),
            style=Markup(style),  # noqa: S704
            script=Markup(script),  # noqa: S704
            triage=triage,
            failing=_figures(triage),
            dimensions=[_dimension(name, triage.groups[name]) for name in _ordered(triage)],
            tools=tools,
            ratio_edge=ratio_edge,
            changes=changes,
            change_edge=change_edge,
            bars=day_bars(triage.trend),
            timeline=(TIMELINE_WIDTH, TIMELINE_HEIGHT),
            shelves=_shelves(page),
            links=Links(triage, page.examples),
            facts=page.facts,
            width=WIDTH,
            percent=percent,
            messages=_messages,
        )
    )


def _figures(triage: Triage) -> dict[str, Any]:
    share = triage.failing
    return {"rate": percent(share.rate), "interval": interval_text(share), "span": rate_span(share)}


def _ordered(triage: Triage) -> list[str]:
    """The dimensions, intents first."""
    return sorted(triage.groups, key=lambda name: name != INTENT)


def _dimension(name: str, groups: Sequence[Group]) -> dict[str, Any]:
    lines, edge = rate_lines(groups[:_MOST_LINES])
    return {"name": name, "lines": lines, "edge": edge, "more": max(len(groups) - _MOST_LINES, 0)}


def _shelves(page: TriagePage) -> list[dict[str, Any]]:
    """The examples by intent, in the order of the intents' table; those without one last."""
    names = [group.name for group in page.triage.groups.get(INTENT, ())]
    shelves = []
    for place in sorted({one.intent for one in page.examples}, key=lambda place: (place < 0, place)):
        held = [one for one in page.examples if one.intent == place]
        shelves.append({"place": place, "name": names[place] if place >= 0 else "No intent", "examples": held})
    return shelves


def _messages(example: Example) -> dict[str, Any]:
    """The messages of an example, those of the matching turn marked; of a long conversation those around it."""
    messages = example.conversation.messages
    turns = turns_of(messages)
    turn = example.suggestion.turn
    start, stop = (turns[turn - 1].start, turns[turn - 1].stop) if turn is not None and turn <= len(turns) else (0, 0)
    first = max(0, min(start - _MOST_MESSAGES // 2, len(messages) - _MOST_MESSAGES))
    kept = messages[first : first + _MOST_MESSAGES]
    return {
        "before": first,
        "after": max(len(messages) - first - len(kept), 0),
        "shown": [(_plain(message), start <= first + place < stop) for place, message in enumerate(kept)],
        "longest": LONGEST_MESSAGE,
    }


def _plain(message: Message) -> dict[str, Any]:
    return {
        "role": message.role,
        "content": message.content or message.refusal or message.content_parts or "",
        "calls": [(call.name, call.arguments) for call in message.tool_calls],
    }
