"""Pairs of calls and expectations a second on one core, through the code behind `pytest-llmreplay check --batch`.

    python benchmarks/checks.py [--pairs N] [--rounds N]

Prints CPU time only, so other work on the machine does not count. Aim: 20,000 small pairs a second.
"""

import argparse
import json
import random
import time

from pytest_llmreplay.checks.batch import Batch

AIM = 20_000


def small_pairs(count: int, *, distinct: bool, wrong_share: float = 0.1, seed: int = 7) -> list[str]:
    """Lines with one or two calls; `distinct`: no two lines share their expectation."""
    rng = random.Random(seed)
    tools = ["lookup_order", "get_support_hours", "search_products", "create_ticket"]
    lines = []
    for index in range(count):
        number = index if distinct else index % 500
        name = tools[number % len(tools)]
        args = {"order_id": str(4000 + number), "limit": number % 7}
        wrong = rng.random() < wrong_share
        calls = [{"name": name, "arguments": json.dumps({**args, "limit": 99} if wrong else args)}]
        if number % 3 == 0:
            calls.append({"name": "log_event", "arguments": "{}"})
        expect = {"calls": {"expected": [{"name": name, "args": args}]}}
        lines.append(json.dumps({"id": f"case-{index}", "calls": calls, "expect": expect}))
    return lines


def with_tools(lines: list[str]) -> list[str]:
    """The same lines with the tools that were offered, and `schema: true`."""
    parameters = {
        "type": "object",
        "properties": {"order_id": {"type": "string"}, "limit": {"type": "integer", "default": 10}},
        "required": ["order_id"],
    }
    names = ["lookup_order", "get_support_hours", "search_products", "create_ticket"]
    tools = [{"type": "function", "function": {"name": name, "parameters": parameters}} for name in names]
    tools.append({"type": "function", "function": {"name": "log_event", "parameters": {"type": "object"}}})
    rows = [json.loads(line) for line in lines]
    for row in rows:
        row["tools"] = tools
        row["expect"]["calls"]["schema"] = True
    return [json.dumps(row) for row in rows]


def rate(lines: list[str], rounds: int) -> float:
    """Lines a CPU second, the best of several rounds."""
    best = 0.0
    for _ in range(rounds):
        batch = Batch()
        start = time.process_time()
        for line in lines:
            batch.check(line, "lines.jsonl:1")
        best = max(best, len(lines) / (time.process_time() - start))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    shared = small_pairs(options.pairs, distinct=False)
    distinct = small_pairs(options.pairs, distinct=True)
    print("pairs/s  what (10 % of the pairs fail; CPU time, best round)")
    for title, lines in {
        "small pairs, 500 expectations": shared,
        "small pairs, every expectation another": distinct,
        "small pairs with tools and schema: true, 500 expectations": with_tools(shared),
    }.items():
        found = rate(lines, options.rounds)
        print(f"{found:7.0f}  {title}{'' if found >= AIM else f'  (below the aim of {AIM})'}")


if __name__ == "__main__":
    main()
