"""Search by meaning beside simpler ways, on conversations whose intents are annotated.

    python benchmarks/search.py [--questions held_out|development] [--model NAME --api-base URL] [--data FOLDER]

Ranks the SGD and the tau conversations for questions that put it otherwise (`search_questions.py`) and prints mean
average precision and recall@50 by method, the precision on each of the two, then that of `--like` by question.
`--model` asks an embedding model through litellm instead of the static embeddings. The data is beside the checkout;
without it there is nothing to do (exit code 0).
"""

from __future__ import annotations

import argparse
import json
import math
import re
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from search_questions import DEVELOPMENT, HELD_OUT

from pytest_llmreplay.mine.caches import Caches
from pytest_llmreplay.mine.search import rank_question
from pytest_llmreplay.mine.space import space_of
from pytest_llmreplay.mine.turns import user_turns
from pytest_llmreplay.mine.vectors import vectors_of
from pytest_llmreplay.model.ports import Embedder
from pytest_llmreplay.model.variant import ModelTarget
from pytest_llmreplay.providers.budget import Budget
from pytest_llmreplay.providers.embeddings import LitellmEmbedder, static_embedder
from pytest_llmreplay.traces.registry import read_conversations
from pytest_llmreplay.traces.write import write_conversations

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FILES = {"sgd": ("traces_sgd",), "tau": ("traces_airline_tau1", "traces_airline_tau2")}
Scores = np.ndarray


@dataclass(frozen=True)
class Collection:
    """Conversations of one kind of annotation: what can be known of each, and every way to rank them."""

    facts: list[set[str]]
    tasks: list[str]
    methods: dict[str, Callable[[str], Scores]]

    def relevant(self, intent: str) -> np.ndarray:
        kind, _, name = intent.partition(" ")
        if kind == "task":
            return np.array([re.search(name, task) is not None for task in self.tasks])
        return np.array([intent in facts for facts in self.facts])


def collection(name: str, data: Path, folder: Path, embedder: Embedder) -> Collection:
    rows = [row for file in FILES[name] for row in pq.read_table(data / f"{file}.parquet").to_pylist()]
    paths = [folder / f"{file}.parquet" for file in FILES[name]]
    for file, path in zip(FILES[name], paths, strict=True):
        write_conversations(path, read_conversations([str(data / f"{file}.parquet")], on_problem=print))
    turns = user_turns(paths, Caches(folder / "caches", 3600.0))
    space = space_of(turns, vectors_of(turns, embedder, Caches(folder / "caches", 3600.0)))
    texts = [turn.text for turn in turns.read(range(len(turns)))]
    owner = np.unique(turns.conversation, return_inverse=True)[1]
    if owner[-1] + 1 != len(rows):
        raise ValueError("a conversation without a user turn")
    return Collection(
        [facts_of(row) for row in rows], [task_of(row) for row in rows], methods(space, embedder, texts, owner)
    )


def facts_of(row: dict) -> set[str]:
    facts = {f"call {action['name']}" for action in json.loads(row["expected_actions"] or "[]")}
    for message in json.loads(row["messages"]):
        facts |= {f"made {call['function']['name']}" for call in message.get("tool_calls") or ()}
    if row["benchmark"] == "sgd":
        for turn in json.loads(row["messages_raw"]):
            for frame in turn["frames"] if turn["speaker"] == "USER" else ():
                facts.add(f"intent {frame['state']['active_intent']}")
                facts |= {f"asks {slot}" for slot in frame["state"]["requested_slots"]}
    return facts


def task_of(row: dict) -> str:
    if not row["task"]:
        return ""
    task = json.loads(row["task"])
    told = task.get("user_scenario", {}).get("instructions", {})
    return " ".join(str(part) for part in (task.get("instruction"), *told.values()) if part).lower()


def methods(space, embedder: Embedder, texts: list[str], owner: np.ndarray) -> dict[str, Callable[[str], Scores]]:
    vectors = space.vectors.unpacked(slice(None))
    count = int(owner[-1]) + 1
    means = np.zeros((count, vectors.shape[1]))
    np.add.at(means, owner, vectors)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    lexical = bm25(texts, owner, count)

    def asked(question: str) -> np.ndarray:
        return embedder.embed([question])[0]

    def nearest(question: str) -> Scores:
        found = np.full(count, -1.0)
        np.maximum.at(found, owner, vectors @ asked(question))
        return found

    def like(question: str) -> Scores:
        return rank_question(space, space.direction(asked(question))).score

    return {
        "BM25": lexical,
        "mean of the turns": lambda question: means @ asked(question),
        "best turn": nearest,
        "best turn and BM25, RRF": lambda question: fused(nearest(question), lexical(question)),
        "--like": like,
        "--like and BM25, RRF": lambda question: fused(like(question), lexical(question)),
    }


def bm25(texts: list[str], owner: np.ndarray, count: int, k: float = 1.2, b: float = 0.75) -> Callable[[str], Scores]:
    """Okapi BM25 over all that a conversation's user said."""
    said = [Counter() for _ in range(count)]
    for text, number in zip(texts, owner, strict=True):
        said[number].update(re.findall(r"\w+", text.lower()))
    lengths = np.array([words.total() for words in said])
    norms = k * (1 - b + b * lengths / lengths.mean())

    def scores(question: str) -> Scores:
        total = np.zeros(count)
        for word in set(re.findall(r"\w+", question.lower())):
            found = np.array([words[word] for words in said])
            having = int((found > 0).sum())
            total += math.log(1 + (count - having + 0.5) / (having + 0.5)) * found * (k + 1) / (found + norms)
        return total

    return scores


def fused(*scores: Scores) -> Scores:
    """Reciprocal-rank fusion (Cormack, Clarke and Büttcher, 2009)."""
    return sum(1 / (60 + np.argsort(np.argsort(-each, kind="stable"))) for each in scores)


def precision_and_recall(scores: Scores, relevant: np.ndarray) -> tuple[float, float]:
    """Average precision, and the share of the relevant among the first 50 (of at most 50)."""
    ranked = relevant[np.argsort(-scores, kind="stable")]
    found = np.cumsum(ranked)
    precision = (found / np.arange(1, len(ranked) + 1))[ranked].mean()
    return float(precision), ranked[:50].sum() / min(50, ranked.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", choices=("held_out", "development"), default="held_out")
    parser.add_argument("--model", help="an embedding model as litellm writes it")
    parser.add_argument("--api-base")
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"no data at {options.data}: nothing to measure")
        return
    embedder: Embedder = static_embedder()
    if options.model:
        target = ModelTarget(type="model", model=options.model, max_concurrency=2, timeout_s=600)
        embedder = LitellmEmbedder(target, Budget(max_cost_usd=1.0), print, api_base=options.api_base)
    questions = HELD_OUT if options.questions == "held_out" else DEVELOPMENT
    with tempfile.TemporaryDirectory() as folder:
        collections = {name: collection(name, options.data, Path(folder), embedder) for name in FILES}
    show(questions, collections)


def show(questions: list[tuple[str, str, str]], collections: dict[str, Collection]) -> None:
    figures: dict[str, list[tuple[float, float]]] = {}
    for where, intent, question in questions:
        relevant = collections[where].relevant(intent)
        for name, method in collections[where].methods.items():
            figures.setdefault(name, []).append(precision_and_recall(method(question), relevant))
    asked_of = [where for where, _, _ in questions]
    print(f"{'method':26} {'MAP':>6} {'recall@50':>10}", *(f"{where:>10}" for where in collections))
    for name, found in figures.items():
        precision, recall = np.mean(found, axis=0)
        by_collection = [
            np.mean([each for (each, _), where in zip(found, asked_of, strict=True) if where == one])
            for one in collections
        ]
        print(f"{name:26} {precision:6.3f} {recall:10.3f}", *(f"{each:10.3f}" for each in by_collection))
    print(f"\n{'--like by question':66} {'AP':>6} {'relevant':>9}")
    for (where, intent, question), (precision, _) in zip(questions, figures["--like"], strict=True):
        relevant = collections[where].relevant(intent)
        print(f"{question:66} {precision:6.3f} {relevant.sum():5} of {len(relevant)}")


if __name__ == "__main__":
    main()
