"""`pytest-llmreplay compare`: what changed from V1 to V2."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("runs", metavar="RUN…", nargs=-1)
@click.option("--baseline", metavar="NAME", help="The variant to compare with; 'accepted' for the accepted one.")
@click.option("--candidate", "candidates", metavar="NAME", multiple=True, help="Only this one; repeatable.")
@click.option("--allow", is_flag=True, help="Compare although cases, environment, rubrics or judge differ.")
@click.option("--seed", default=0, show_default=True, help="Of the bootstrap and of Monte Carlo tests.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--parquet", type=_FILE, metavar="FILE", help="Also write a row a case.")
@click.option("-q", "--quiet", is_flag=True, help="The sentence and the counts only.")
@click.option("-v", "--verbose", is_flag=True, help="Every slice, figure and flip.")
def compare(
    runs: tuple[str, ...],
    baseline: str | None,
    candidates: tuple[str, ...],
    allow: bool,
    seed: int,
    as_json: bool,
    parquet: Path | None,
    quiet: bool,
    verbose: bool,
) -> None:
    """Compare the variants in RUN… (default: the last run), case by case.

    A RUN is the id of a run, `last`, `accepted`, the path of a run, or a Parquet or JSONL file with the columns
    case_id, variant, trial and status. Variants of one name in two runs become NAME@1 and NAME@2.
    """
    from pytest_llmreplay.cli.material import load_material
    from pytest_llmreplay.cli.terminal import echo, screen_of
    from pytest_llmreplay.compare import compare_many
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.report.comparison import comparisons_text
    from pytest_llmreplay.report.plain import case_rows, comparisons_data

    material = load_material(find_project(Path.cwd()), runs or ("last",), baseline, candidates)
    found = compare_many(
        material.rows,
        baseline=material.baseline,
        candidates=material.candidates,
        seed=seed,
        allow_differences=allow,
    )
    if parquet is not None:
        _write_rows(parquet, case_rows(found))
    if as_json:
        click.echo(json.dumps({**comparisons_data(found), "remarks": list(material.notes)}, indent=2, default=str))
        return
    echo(comparisons_text(found, screen_of(quiet, verbose)))
    for note in material.notes:
        echo(f"note: {note}")
    if not quiet:
        chosen = ["--candidate", material.candidates[0]] if candidates or len(material.candidates) > 1 else []
        options = [*(["--baseline", baseline] if baseline else []), *chosen, *(["--allow"] if allow else [])]
        echo(f"\nnext: {shlex.join(['pytest-llmreplay', 'report', *(runs or ('last',)), *options])}")


def _write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    import pyarrow as pa

    from pytest_llmreplay.store.parquet import table_of, write_tables

    reals = {"baseline_rate", "candidate_rate", "difference", "weight"}
    wholes = {"baseline_trials", "candidate_trials"}
    listed = list(rows)
    types = {
        name: pa.float64() if name in reals else pa.int64() if name in wholes else pa.string() for name in listed[0]
    }
    schema = pa.schema(list(types.items()))
    write_tables(path, [table_of(listed, schema)], schema, group_rows=4096)
