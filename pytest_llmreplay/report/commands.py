"""The command that replays a red case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_llmreplay.report.failure import reproduce_command


def reproduce_commands(
    rows: Iterable[Mapping[str, Any]], candidate: str, runs: Iterable[Mapping[str, Any]]
) -> dict[str, str]:
    """The command that replays the first failing trial of each case on the candidate, by case id.

    A case whose row names no golden file, or whose run does not say where the variant is, has none.

    Args:
        rows: outcomes as plain data.
        candidate: the variant's name.
        runs: what the runs say of themselves.
    """
    name = candidate.partition("@")[0]
    file = next((f for f in (_variant_file(run, name) for run in runs) if f), None)
    commands: dict[str, str] = {}
    if file is None:
        return commands
    for row in rows:
        if row.get("variant") != candidate or row.get("status") != "failed" or not row.get("case_file"):
            continue
        trial = int(row["trial"])
        options = ["--llmreplay-trials", str(trial)] if trial > 1 else []
        node_id = f"{row['case_file']}::{row['case_id']}[{name}-{trial}]"
        commands.setdefault(str(row["case_id"]), reproduce_command(node_id, file, options))
    return commands


def _variant_file(run: Mapping[str, Any], name: str) -> str | None:
    variants = run.get("variants")
    about = variants.get(name) if isinstance(variants, Mapping) else None
    file = about.get("file") if isinstance(about, Mapping) else None
    return str(file) if file else None
