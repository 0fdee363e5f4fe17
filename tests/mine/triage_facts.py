"""Facts of logs in which it is known what is wrong."""

import numpy as np

from pytest_llmreplay.mine.triage import changes
from pytest_llmreplay.mine.triage.facts import Dimension, Facts

FIRST = 20_000
TOOLS = ("lookup_order", "get_hours", "refund", "search")


def single(name, codes, values):
    return Dimension(name, values, values, np.arange(len(codes)), codes)


def log_of(seed, conversations=3000, days=30, rate=0.05):
    """A log in which failing has no cause."""
    rng = np.random.default_rng(seed)
    calls = rng.random((conversations, len(TOOLS))) < 0.3
    conversation, tool = np.nonzero(calls)
    return Facts(
        row=np.arange(conversations),
        failed=rng.random(conversations) < rate,
        day=(FIRST + rng.integers(0, days, conversations)).astype(np.int32),
        user=rng.integers(0, conversations // 2, conversations),
        dimensions=(
            single("intent", rng.integers(0, 12, conversations), tuple(f"intent-{n}" for n in range(12))),
            Dimension("tool", TOOLS, TOOLS, conversation, tool),
            single("model", rng.integers(0, 3, conversations), ("small", "large", "local")),
            single("prompt_version", rng.integers(0, 2, conversations), ("v1", "v2")),
            single("segment", rng.integers(0, 3, conversations), ("free", "plus", "business")),
        ),
    )


def having(facts, dimension, value):
    found = facts.dimension(dimension)
    return np.isin(np.arange(len(facts)), found.conversation[found.value == found.values.index(value)])


def planted(facts, chosen, rate, seed=1):
    """The log in which the chosen conversations fail at a rate of their own."""
    rng = np.random.default_rng(seed)
    failed = np.where(chosen, rng.random(len(facts)) < rate, facts.failed)
    return Facts(facts.row, failed, facts.day, facts.user, facts.dimensions)


def alarming(triage):
    """Whether a triage reports anything at all."""
    tools = [one for one in triage.tools if one.p_adjusted <= changes.LEVEL]
    return bool(triage.findings or tools or triage.changes)
