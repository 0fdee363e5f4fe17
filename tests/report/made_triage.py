"""A triage and its examples, written short; everything in the hostile one tries to break out."""

import numpy as np

from pytest_llmreplay.mine.triage import (
    Change,
    Condition,
    Conversations,
    DayCount,
    Finding,
    Group,
    Routing,
    Share,
    ToolAssociation,
    Triage,
    Verdict,
)
from pytest_llmreplay.mine.triage.suggestions import Suggestion
from pytest_llmreplay.model.conversation import Conversation, Message, ToolCall
from pytest_llmreplay.report.triage_links import Example
from pytest_llmreplay.report.triage_page import TriagePage
from tests.report.made import EVIL

TREND = tuple(DayCount(f"2026-03-{day:02}", 90 + day, 5 if day < 12 else 30) for day in range(1, 29) if day != 9)


def made(word="refund", where="where is my money?", count=6):
    """A page on which every text of the log is `word` or `where`."""
    group = Group("intent", "i-1", f"{word}, money", Share.of(80, 200), 0.8, TREND)
    other = Group("intent", "i-2", "hours, open", Share.of(20, 800), 0.2, TREND)
    model = Group("model", word, word, Share.of(100, 1000), 1.0, TREND)
    tools = (
        ToolAssociation(word, Share.of(60, 100), Share.of(40, 900), 32.2, 19.5, 53.3, 1e-40, 2e-40),
        ToolAssociation("lookup", Share.of(5, 60), Share.of(95, 940), 0.86, 0.35, 2.1, 0.8, 0.8),
    )
    before, after = Share.of(20, 400), Share.of(80, 400)
    changes = (
        Change("rate", "intent", "i-1", word, "2026-03-12", before, after, 0.15, 0.1, 0.2, 1e-9, 1e-8),
        Change("share", "tool", word, word, "2026-03-12", before, after, 0.15, 0.1, 0.2, 1e-9, 1e-8),
        Change("deploy", "prompt_version", word, word, "2026-03-14", before, after, 0.01, -0.02, 0.04, 0.6, 0.7),
    )
    sentence = f"{word} fails in 80 of 200 conversations since 2026-03-12"
    finding = Finding(
        (Condition("intent", "i-1", word),),
        "2026-03-12",
        Share.of(80, 200),
        Share.of(20, 800),
        Share.of(2, 100),
        0.8,
        1e-30,
        1e-28,
        sentence,
        np.arange(200),
    )
    triage = Triage(
        top=sentence,
        failed_means=f"a signal of failure, {word}",
        reasons={word: 90, "refusal": 30},
        failing=Share.of(100, 1000),
        first_day="2026-03-01",
        last_day="2026-03-28",
        trend=TREND,
        findings=(finding,),
        groups={"model": (model,), "intent": (group, other)},
        tools=tools,
        changes=changes,
        verdict=Verdict("systemic", "as stated.", "Systemic: many users.", None, None, Share.of(80, 100)),
        routing=Routing(Share.of(60, 100), "as stated.", f"Routing: {word}.", {word: 60}),
        notes=(f"{word} could not be looked at",),
        conversations=Conversations(*(np.zeros(0, np.int64) for _ in range(5))),
    )
    return TriagePage(triage, [_example(number, word, where) for number in range(count)], {"logs": word})


def _example(number, word, where):
    kind = "control" if number % 3 == 2 else "incident"
    failure = None if kind == "control" else word
    conversation = Conversation(
        f"{word} t-{number}",
        (
            Message("user", "hello"),
            Message("assistant", "Hi!"),
            Message("user", where),
            Message("assistant", None, tool_calls=(ToolCall("c", word, f'{{"q": "{word}"}}'),)),
            Message("tool", where, tool_call_id="c"),
            Message("assistant", where),
        ),
        model=word,
    )
    suggestion = Suggestion(
        conversation.conversation_id, kind, "representative", 40, word, failure, None, None, 2, where
    )
    intent, finding = (0, 1, -1)[number // 2 % 3], 0 if number < 2 else -1
    return Example(suggestion, conversation, intent, finding, day=f"2026-03-{10 + number}")


def hostile():
    """The page of a log in which every word is an attack."""
    return made(EVIL, EVIL + "A" * 30_000)
