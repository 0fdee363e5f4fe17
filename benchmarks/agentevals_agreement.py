"""Our verdicts beside those of LangChain's agentevals on generated trajectories.

    python benchmarks/agentevals_agreement.py [--trajectories N] [--seed N] [--python PATH]

Every generated pair is judged in the modes strict, unordered, subset and superset with each way to compare arguments:
by agentevals, by `match_calls`, and by a brute force over all pairings, which is the truth. Where agentevals departs
from the truth the error is classed: `greedy` (its pairing, though another one exists), `swapped` (under subset and
unordered it hands expected and actual arguments over the wrong way round), `bool` (1 == True).

`--python` is an interpreter with agentevals; without it one is made in the cache directory (once, with pip).
Exit code 0 when ours is the truth everywhere and every error of agentevals is of a known class.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

REQUIREMENT = "agentevals==0.0.9"
CACHE = Path(tempfile.gettempdir()) / "pytest-llmreplay-agentevals"
MODES = ("strict", "unordered", "subset", "superset")
ARGUMENTS = ("exact", "ignore", "subset", "superset")
ORDERS = {"strict": "strict", "unordered": "any_order", "subset": "at_most", "superset": "at_least"}
Equal = Callable[[object, object], bool]
Groups = list[list[dict]]


def official_verdicts() -> None:
    """Runs in the environment of agentevals: trajectories from stdin, a list of verdicts each to stdout."""
    from agentevals.trajectory.match import create_trajectory_match_evaluator

    evaluators = [
        create_trajectory_match_evaluator(trajectory_match_mode=mode, tool_args_match_mode=arguments)
        for mode, arguments in itertools.product(MODES, ARGUMENTS)
    ]
    for line in sys.stdin:
        row = json.loads(line)
        actual, expected = messages(row["actual"]), messages(row["expected"])
        found = [bool(evaluate(outputs=actual, reference_outputs=expected)["score"]) for evaluate in evaluators]
        print(json.dumps(found), flush=True)


def messages(groups: Groups) -> list[dict]:
    """Calls, a list for every assistant message, as the messages that agentevals takes."""
    return [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "id": f"call_{number}_{index}",
                    "type": "function",
                    "function": {"name": call["name"], "arguments": json.dumps(call["arguments"])},
                }
                for index, call in enumerate(group)
            ],
        }
        for number, group in enumerate(groups)
    ]


def trajectory(rng: random.Random) -> Groups:
    return [[call(rng) for _ in range(rng.choice([1, 1, 2]))] for _ in range(rng.randint(1, 3))]


def call(rng: random.Random) -> dict:
    values = [1, 1, 2, True, "1", "a", 1.0, None, [1], ["a", 2]]
    keys = rng.sample(["x", "y"], rng.choice([0, 1, 1, 2]))
    return {"name": rng.choice(["f", "f", "g"]), "arguments": {key: rng.choice(values) for key in keys}}


def changed(groups: Groups, rng: random.Random) -> Groups:
    """A trajectory near another: the same, or with calls dropped, added, changed, reordered or regrouped."""
    groups = json.loads(json.dumps(groups))
    for _ in range(rng.choice([0, 1, 1, 2])):
        what = rng.randrange(5)
        group = rng.choice(groups)
        if what == 0 and len(groups) > 1:
            groups.remove(group)
        elif what == 1:
            group.append(call(rng))
        elif what == 2:
            group[rng.randrange(len(group))] = call(rng)
        elif what == 3:
            rng.shuffle(groups)
        else:
            rng.shuffle(group)
            arguments = group[0]["arguments"]
            arguments[rng.choice(["x", "y"])] = rng.choice([1, True, "a"])
    return groups


def typed_equal(left: object, right: object) -> bool:
    """Equality of JSON values: 1 is 1.0, true is no number."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(typed_equal, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def python_equal(left: object, right: object) -> bool:
    return left == right


def arguments_fit(actual: dict, expected: dict, how: str, equal: Equal) -> bool:
    common = all(equal(actual[key], expected[key]) for key in actual.keys() & expected.keys())
    return {
        "ignore": True,
        "exact": common and actual.keys() == expected.keys(),
        "subset": common and actual.keys() <= expected.keys(),
        "superset": common and actual.keys() >= expected.keys(),
    }[how]


def covers(left: list[dict], right: list[dict], fits: Callable[[dict, dict], bool]) -> bool:
    """Whether every call of `right` has a call of `left` of its own, tried in every order."""
    return any(all(map(fits, chosen, right)) for chosen in itertools.permutations(left, len(right)))


def verdict(actual: Groups, expected: Groups, mode: str, how: str, equal: Equal, *, swap: bool) -> bool:
    """The verdict of a mode by brute force; `swap` hands the arguments over as agentevals does."""

    def fits(made: dict, wanted: dict) -> bool:
        return made["name"] == wanted["name"] and arguments_fit(made["arguments"], wanted["arguments"], how, equal)

    def reverse(wanted: dict, made: dict) -> bool:
        return fits(wanted, made) if swap else fits(made, wanted)

    made, wanted = list(itertools.chain(*actual)), list(itertools.chain(*expected))
    if mode == "superset":
        return covers(made, wanted, fits)
    if mode == "subset":
        return covers(wanted, made, reverse)
    if mode == "unordered" and not swap:
        return len(made) == len(wanted) and covers(made, wanted, fits)
    if mode == "unordered":
        return covers(made, wanted, fits) and covers(wanted, made, reverse)
    same_shape = [len(group) for group in actual] == [len(group) for group in expected]
    return same_shape and all(covers(left, right, fits) for left, right in zip(actual, expected, strict=True))


def ours(actual: Groups, expected: Groups, mode: str, how: str) -> bool:
    from pytest_llmreplay.checks import match_calls

    same_shape = [len(group) for group in actual] == [len(group) for group in expected]
    if mode == "strict" and not same_shape:
        # agentevals compares whole messages here; how calls were spread over messages is no part of an expectation.
        return False
    wanted = [
        {"name": c["name"], "args": {key: {"equals": value} for key, value in c["arguments"].items()}, "match": how}
        for c in itertools.chain(*expected)
    ]
    return match_calls(actual, {"order": ORDERS[mode], "expected": wanted}).passed


def classified(row: dict, mode: str, how: str, theirs: bool) -> str:
    """`right`, or the class of agentevals' error."""
    actual, expected = row["actual"], row["expected"]
    if theirs == verdict(actual, expected, mode, how, typed_equal, swap=False):
        return "right"
    if theirs != verdict(actual, expected, mode, how, python_equal, swap=True):
        return "unknown" if theirs else "greedy"
    if theirs == verdict(actual, expected, mode, how, python_equal, swap=False):
        return "bool"
    return "swapped" if theirs == verdict(actual, expected, mode, how, typed_equal, swap=True) else "swapped and bool"


def environment(cache: Path) -> Path:
    """An interpreter with agentevals, made once."""
    python = cache / "bin" / "python"
    if not (cache / "ready").exists():
        print(f"making {cache} with {REQUIREMENT}", file=sys.stderr)
        venv.create(cache, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", REQUIREMENT], check=True)
        (cache / "ready").touch()
    return python


def generated(count: int, seed: int) -> list[dict]:
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        expected = trajectory(rng)
        rows.append({"expected": expected, "actual": changed(expected, rng) if rng.random() < 0.9 else trajectory(rng)})
    return [*KNOWN.values(), *rows]


F1 = {"name": "f", "arguments": {"x": 1}}
F12 = {"name": "f", "arguments": {"x": 1, "y": 2}}
KNOWN = {
    "swapped under subset": {"actual": [[F1]], "expected": [[F12]]},
    "greedy pairing": {"actual": [[F12, F1]], "expected": [[F1, F12]]},
    "1 == True": {
        "actual": [[{"name": "f", "arguments": {"x": True}}]],
        "expected": [[{"name": "f", "arguments": {"x": 1}}]],
    },
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trajectories", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--python", type=Path)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--official", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.official:
        official_verdicts()
        return 0
    rows = generated(options.trajectories, options.seed)
    python = options.python or environment(options.cache)
    text = "\n".join(json.dumps(row) for row in rows)
    done = subprocess.run([python, __file__, "--official"], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"agentevals did not run:\n{done.stderr}")
    return report(rows, [json.loads(line) for line in done.stdout.splitlines()])


def report(rows: list[dict], official: list[list[bool]]) -> int:
    counts: dict[str, Counter] = {}
    first: dict[str, str] = {}
    wrong = 0
    for row, verdicts in zip(rows, official, strict=True):
        for (mode, how), theirs in zip(itertools.product(MODES, ARGUMENTS), verdicts, strict=True):
            kind = classified(row, mode, how, theirs)
            counts.setdefault(f"{mode}/{how}", Counter())[kind] += 1
            if kind != "right":
                first.setdefault(kind, f"{mode}/{how}: agentevals {theirs} on {json.dumps(row)}")
            if ours(row["actual"], row["expected"], mode, how) is not verdict(
                row["actual"], row["expected"], mode, how, typed_equal, swap=False
            ):
                wrong += 1
                print(f"OURS IS WRONG: {mode}/{how} {json.dumps(row)}")
    kinds = ("right", "greedy", "swapped", "bool", "swapped and bool", "unknown")
    print(f"{'mode/arguments':<20} " + " ".join(f"{kind:>16}" for kind in kinds))
    for name, count in counts.items():
        print(f"{name:<20} " + " ".join(f"{count[kind]:>16}" for kind in kinds))
    total = sum(counts.values(), Counter())
    print(f"\n{sum(total.values())} verdicts; ours is wrong on {wrong}; agentevals: {dict(total)}")
    for kind, example in first.items():
        print(f"first {kind}: {example}")
    return 1 if wrong or total["unknown"] else 0


if __name__ == "__main__":
    sys.exit(main())
