"""Our verdicts beside those of the official checker of the Berkeley Function Calling Leaderboard.

    python benchmarks/bfcl_agreement.py [--cases FILE.jsonl]... [--category NAME]... [--python PATH] [--per-case N]

Every case gives right and mutated candidates (seeded). The official `ast_checker` and `match_calls` with
`coerce: bfcl` judge each; agreement is printed by category and mutation, and every disagreement one by one.

`--cases` are files in the layout {case_id, category, functions, ground_truth}; default: the development cases beside
the checkout. `--category` reads a category from the installed bfcl-eval package instead. `--python` is an interpreter
with bfcl-eval; without it one is made in the cache directory (once, with pip).

Exit code 0 when every disagreement is a known defect of the official checker: greedy pairing, or an exception.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from collections import Counter, defaultdict
from pathlib import Path

from benchmarks.bfcl_candidates import candidates_of
from benchmarks.bfcl_cases import expectation_of, read_cases, read_category, tools_of

REQUIREMENTS = [
    "bfcl-eval==2026.3.23",
    "tree_sitter==0.21.3",
    "tree-sitter-java==0.21.0",
    "tree-sitter-javascript==0.21.4",
]
CASES = Path(__file__).resolve().parents[2] / "shared" / "data" / "bfcl_cases_dev.jsonl"
OFFICIAL = Path(__file__).with_name("bfcl_official.py")
CACHE = Path(tempfile.gettempdir()) / "pytest-llmreplay-bfcl"


def ask_official(python: Path, rows: list[dict]) -> list[dict]:
    keys = ("functions", "ground_truth", "category", "calls")
    text = "\n".join(json.dumps({key: row[key] for key in keys}) for row in rows)
    done = subprocess.run([python, OFFICIAL], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the official checker did not run:\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def ask_ours(rows: list[dict], official: list[dict]) -> list[tuple[bool, tuple[str, ...]]]:
    from pytest_llmreplay.checks import match_calls

    verdicts = []
    for row, theirs in zip(rows, official, strict=True):
        calls = [{"name": c["name"], "arguments": json.dumps(c["arguments"])} for c in theirs["calls"]]
        result = match_calls(calls, expectation_of(row), tools=tools_of(row))
        verdicts.append((result.passed, result.codes))
    return verdicts


def classified(official: dict, ours: bool) -> str:
    """agree, greedy or raises (defects of the official checker), or disagree."""
    if official["valid"] is None:
        return "disagree" if ours else "raises"
    if official["valid"] == ours:
        return "agree"
    return "greedy" if ours and official["solvable"] else "disagree"


def environment(cache: Path) -> Path:
    """An interpreter with the official checker, made once."""
    python = cache / "bin" / "python"
    if not (cache / "ready").exists():
        print(f"making {cache} with {', '.join(REQUIREMENTS)}", file=sys.stderr)
        venv.create(cache, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", *REQUIREMENTS], check=True)
        (cache / "ready").touch()
    return python


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, action="append", default=[])
    parser.add_argument("--category", action="append", default=[])
    parser.add_argument("--python", type=Path)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--per-case", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    python = options.python or environment(options.cache)
    files = options.cases or ([] if options.category else [CASES])
    cases = [case for path in files for case in read_cases(path)]
    cases += [case for name in options.category for case in read_category(python, name)]
    open_ended = [case for case in cases if not case["ground_truth"] and "irrelevance" not in case["category"]]
    if open_ended:
        print(f"{len(open_ended)} cases have no possible answers and are left out", file=sys.stderr)
    rows = candidates_of([case for case in cases if case not in open_ended], options.per_case, options.seed)
    official = ask_official(python, rows)
    return report(rows, official, ask_ours(rows, official))


def report(rows: list[dict], official: list[dict], ours: list[tuple[bool, tuple[str, ...]]]) -> int:
    kinds = [classified(theirs, mine) for theirs, (mine, _) in zip(official, ours, strict=True)]
    for title, key in (("category", "category"), ("mutation", "mutation")):
        counts: dict[str, Counter] = defaultdict(Counter)
        for row, kind, theirs in zip(rows, kinds, official, strict=True):
            counts[row[key]].update([kind, "pairs", "valid" if theirs["valid"] else "invalid"])
        columns = ("pairs", "valid", "agree", "greedy", "raises", "disagree")
        print(f"{title:<22} {' '.join(f'{column:>8}' for column in columns)}  agreement")
        for name, count in sorted(counts.items()):
            share = (count["agree"] + count["raises"]) / count["pairs"]
            print(f"{name:<22} {' '.join(f'{count[column]:>8}' for column in columns)}  {share:.4%}")
        print()
    total = Counter(kinds)
    print(f"all: {len(rows)} pairs, {dict(total)}")
    for row, kind, theirs, (mine, codes) in zip(rows, kinds, official, ours, strict=True):
        if kind in ("greedy", "disagree"):
            verdicts = f"official {theirs['valid']} ({theirs['error']}), ours {mine} {codes}"
            print(f"{kind}: {row['case_id']} {row['mutation']}: {verdicts}")
            print(f"  calls   {json.dumps(row['calls'])}")
            print(f"  answers {json.dumps(row['ground_truth'])}")
    raised = Counter(theirs["error"].split(":")[0] for theirs in official if theirs["valid"] is None)
    for error, count in raised.most_common():
        print(f"the official checker {error} on {count} pairs; ours fails them")
    return 1 if total["disagree"] else 0


if __name__ == "__main__":
    sys.exit(main())
