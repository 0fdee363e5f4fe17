"""How well do the figures of a judge agree with those that others published?

`python benchmarks/judge.py DATA` puts the verdicts of five real judges on LLMBar (30 configurations) and of one on
airline conversations (4 prompts) through `judge calibrate`, and compares accuracy and the agreement of the orders with
the authors' figures. The exit code is 1 when one differs.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tabulate import tabulate

from pytest_llmreplay.cli.main import program

TOLERANCE = 1e-12
HEADERS = ("judge", "n", "off menu", "accuracy", "authors'", "orders", "authors'", "kappa", "95 % by item")


def calibrated(labels: Mapping[str, Any], verdicts: Mapping[str, Any]) -> dict[str, Any]:
    """The groups that `judge calibrate --json` gives."""
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for name, columns in (("labels", labels), ("verdicts", verdicts)):
            path = Path(folder) / f"{name}.parquet"
            pq.write_table(pa.table(dict(columns)), path)
            names.append(str(path))
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            program(["judge", "calibrate", names[0], "--verdicts", names[1], "--json"], standalone_mode=False)
    groups: dict[str, Any] = json.loads(said.getvalue())["groups"]
    return groups


def llmbar(data: Path) -> dict[str, Any]:
    items = pq.read_table(data / "llmbar_natural.parquet")
    rows = [r for r in pq.read_table(data / "llmbar_natural_judges.parquet").to_pylist() if r["is_last_round"]]
    verdicts = {
        "item_id": [row["item_id"] for row in rows],
        "verdict": [row["judge_winner"] for row in rows],
        "order": [row["order"] for row in rows],
        "group": [f"{row['judge_model']}/{row['strategy']}" for row in rows],
    }
    return calibrated({"item_id": items["item_id"], "label": items["human_label"]}, verdicts)


def airline(data: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """The groups, and by prompt the published agreement among the replies that are literally pass or fail."""
    rows = pq.read_table(data / "judge_verdicts_airline.parquet").to_pylist()
    ids = [row["trace_id"] for row in rows]
    labels = {"item_id": ids, "label": ["pass" if row["truth_passed"] else "fail" for row in rows]}
    verdicts = {
        "item_id": ids,
        "verdict": [row["judge_verdict"] for row in rows],
        "group": [row["judge_prompt_name"] for row in rows],
    }
    published = {}
    for name in dict.fromkeys(verdicts["group"]):
        literal = [r for r in rows if r["judge_prompt_name"] == name and r["judge_verdict"] in ("pass", "fail")]
        published[name] = sum(bool(row["agreement"]) for row in literal) / len(literal)
    return calibrated(labels, verdicts), published


def line(name: str, found: Mapping[str, Any], accuracy: float, authors: float, orders: float | None) -> list[str]:
    low, high = found["kappa_low_by_item"], found["kappa_high_by_item"]
    return [
        name,
        str(found["n"]),
        str(found["off_menu"]),
        f"{accuracy:.4f}",
        f"{authors:.4f}",
        "-" if orders is None else f"{found['order_agreement']:.6f}",
        "-" if orders is None else f"{orders:.6f}",
        f"{found['kappa']:.3f}",
        f"{low:.2f} to {high:.2f}",
    ]


def shown(title: str, rows: Sequence[Sequence[str]]) -> None:
    print(f"{title}\n{tabulate(rows, headers=HEADERS, disable_numparse=True)}\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder with the public data")
    data = parser.parse_args().data
    differing = 0

    groups = llmbar(data)
    published = json.loads((data / "llmbar_natural_upstream_statistics.json").read_text(encoding="utf-8"))
    rows = []
    for name, authors in sorted(published.items()):
        accuracy, orders = float(authors["correct_average"].removesuffix("%")) / 100, authors["kappa_agreement"]
        found = groups[name]
        rows.append(line(name, found, found["accuracy_strict"], accuracy, orders))
        differing += abs(found["accuracy_strict"] - accuracy) > TOLERANCE
        differing += abs(found["order_agreement"] - orders) > TOLERANCE
    shown("LLMBar Natural, verdicts off the menu counted as wrong, as the authors do", rows)

    prompts, agreed = airline(data)
    rows = [line(name, prompts[name], prompts[name]["accuracy"], agreed[name], None) for name in prompts]
    differing += sum(abs(prompts[name]["accuracy"] - agreed[name]) > TOLERANCE for name in prompts)
    shown("Airline, agreement with the deterministic reward, on the menu", rows)

    figures = 2 * len(published) + len(prompts)
    print(f"{figures - differing} of {figures} figures equal the published ones to {TOLERANCE:g}")
    return 1 if differing or set(groups) != set(published) else 0


if __name__ == "__main__":
    raise SystemExit(main())
