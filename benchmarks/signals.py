"""Signals of failure: precision and recall on planted failures, and what they say of conversations that were judged.

    python benchmarks/signals.py [--count 200] [--seed 1] [--clean LOGS] [--judged LOGS [--passed "reward = 1"]]

Each signal is injected into so many conversations that went well, in the ways of `tests/mine/planted.py`. Recall is the
share of those that show it; precision counts the same conversations without it as false alarms. The conversations are
those of the example's shop; with --clean they are taken from a log of real ones that are thought to have gone well, and
the false alarms are printed. --judged prints for each signal how it goes with failure: the odds ratio with its exact
conditional 95 % interval, and Fisher's exact test.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from scipy.stats import fisher_exact
from scipy.stats.contingency import odds_ratio
from tabulate import tabulate

from benchmarks.make_logs import shop_conversations
from pytest_llmreplay.mine.signals import Signal, builtin_signals, scan
from pytest_llmreplay.model.conversation import Conversation
from pytest_llmreplay.session.redaction import build_detector
from pytest_llmreplay.traces import (
    CANONICAL_COLUMNS,
    TableFile,
    canonical_conversation,
    open_table,
    read_conversations,
    write_conversations,
)
from tests.mine.planted import PLANTS, planted

CLEAN_INTENTS = ("hours", "shipping", "refunds", "account")


def known_signals() -> dict[str, Signal]:
    """The built-in signals, with the redactor's detectors as they are without a project."""
    nowhere = Path(tempfile.gettempdir())
    return builtin_signals(build_detector(nowhere, nowhere / "no such folder"))


def shows(conversations: Iterable[Conversation], signals: Mapping[str, Signal]) -> dict[str, tuple[str, ...]]:
    """The signals of each conversation by its id."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.parquet"
        write_conversations(path, conversations)
        with open_table([TableFile(path)]) as table:
            met = scan(table.connection, list(signals.values()), canonical_conversation, CANONICAL_COLUMNS)
            return {shown.conversation_id: shown.signals for shown in met}


def measure(clean: Sequence[Conversation], seed: int) -> dict[str, tuple[int, int]]:
    """For each signal how many planted failures it shows, and at how many clean conversations it shows."""
    signals = known_signals()
    mixed = itertools.chain(clean, *(planted(name, clean, seed) for name in PLANTS))
    found = shows(mixed, signals)
    hits = Counter(name for id_, names in found.items() for name in names if id_.startswith(f"{name}:"))
    alarms = Counter(name for one in clean for name in found.get(one.conversation_id, ()))
    return {name: (hits[name], alarms[name]) for name in PLANTS}


def clean_shop(count: int, seed: int) -> list[Conversation]:
    """Conversations of the example's shop in which nothing went wrong and nobody wanted a person."""
    return list(itertools.islice(shop_conversations(seed, intents=CLEAN_INTENTS), count))


def print_planted(count: int, seed: int) -> None:
    clean = clean_shop(count, seed)
    rows = []
    for name, (hits, alarms) in measure(clean, seed).items():
        rows.append((name, hits / (hits + alarms) if hits + alarms else None, hits / len(clean), alarms))
    print(f"{len(clean)} clean conversations, each signal planted in all of them")
    print(tabulate(rows, headers=("signal", "precision", "recall", "false alarms"), floatfmt=".3f"))


def print_false_alarms(logs: Sequence[str]) -> None:
    conversations = list(read_conversations(logs, on_problem=print))
    found = shows(conversations, known_signals())
    counts = Counter(name for names in found.values() for name in names)
    rows = [(name, count, f"{count / len(conversations):.1%}") for name, count in counts.most_common()]
    print(f"\n{', '.join(logs)}: {len(conversations)} conversations")
    print(tabulate(rows, headers=("signal", "conversations", "share")))


def print_judged(logs: Sequence[str], passed: str) -> None:
    signals = known_signals()
    good = [c.conversation_id for c in read_conversations(logs, where=passed, on_problem=print)]
    conversations = list(read_conversations(logs, on_problem=print))
    found = shows(conversations, signals)
    ids = {c.conversation_id for c in conversations}
    failed, well = ids - set(good), set(good)
    rows = []
    for name in signals:
        shown = {id_ for id_, names in found.items() if name in names}
        table = [[len(failed & shown), len(failed - shown)], [len(well & shown), len(well - shown)]]
        if not shown:
            continue
        result = odds_ratio(table)
        low, high = result.confidence_interval(0.95)
        rows.append((name, table[0][0], table[1][0], result.statistic, low, high, fisher_exact(table).pvalue))
    rows.sort(key=lambda row: row[-1])
    print(f"\n{', '.join(logs)}: {len(failed)} failed, {len(well)} passed ({passed})")
    headers = ("signal", "shown by failed", "by passed", "odds ratio", "from", "to", "p")
    print(tabulate(rows, headers=headers, floatfmt=("", "", "", ".2f", ".2f", ".2f", ".3g")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clean", action="append", default=[])
    parser.add_argument("--judged", action="append", default=[])
    parser.add_argument("--passed", default="reward = 1")
    arguments = parser.parse_args()
    print_planted(arguments.count, arguments.seed)
    if arguments.clean:
        print_false_alarms(arguments.clean)
    for log in arguments.judged:
        print_judged([log], arguments.passed)


if __name__ == "__main__":
    main()
