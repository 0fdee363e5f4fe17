"""The truth table of the orders: what `docs/checks.md` shows, made by asking the matcher.

`python -m tests.checks.truth_table` prints it.
"""

from __future__ import annotations

from pytest_llmreplay.checks import match_calls
from tests.checks.build import made, wants

ORDERS = ("strict", "in_order", "any_order", "at_least", "at_most", "none")
A, B, C = made("a"), made("b"), made("c")
SITUATIONS = {
    "`a` `b`": [A, B],
    "`b` `a`": [B, A],
    "`b` and `a` in one message": [[B, A]],
    "`a` `c` `b`": [A, C, B],
    "`b` `c` `a`": [B, C, A],
    "`a`": [A],
    "`a` `a` `b`": [A, A, B],
    "`a` `c`": [A, C],
    "no call": [],
}


def truth_table() -> str:
    """A Markdown table: the verdict of every order on every situation, where `a` `b` is expected."""
    lines = [f"| called | {' | '.join(ORDERS)} |", f"| --- |{' --- |' * len(ORDERS)}"]
    for title, actual in SITUATIONS.items():
        verdicts = [match_calls(actual, _expected(order)).passed for order in ORDERS]
        lines.append(f"| {title} | {' | '.join('pass' if passed else '–' for passed in verdicts)} |")
    return "\n".join(lines)


def _expected(order: str) -> dict[str, object]:
    return {"order": order} if order == "none" else {"order": order, "expected": [wants("a"), wants("b")]}


if __name__ == "__main__":
    print(truth_table())
