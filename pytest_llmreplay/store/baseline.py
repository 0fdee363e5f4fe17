"""`golden/baseline.parquet`: the accepted outcomes of a variant, so that the next one is compared without replaying it.

It has the columns of `outcomes.parquet` and the footer kind `baseline`, so that nothing takes it for a suite. Every row
is bound to what produced it by its digests: of the case, the variant, the environment, the rubric and the judge.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.outcome import Outcome, outcome_row
from pytest_llmreplay.store.outcomes import OUTCOMES_VERSION, outcome_from_record, outcome_schema, outcome_to_record
from pytest_llmreplay.store.parquet import footer_of, open_of_kind, plain_rows, reading, table_of, write_tables

BASELINE = b"baseline"
ACCEPTED = "accepted"
"""The name of the accepted baseline, wherever a variant's name is asked for."""

_INFO_KEY = b"llmreplay.baseline"
_ROW_GROUP_ROWS = 4096


def read_baseline(path: Path) -> tuple[dict[str, Any], list[Outcome]]:
    """What an accepted baseline says of itself (`variant`, `run_id`, `accepted_at`, digests), and its outcomes.

    Raises:
        UserError: there is no such file, it holds something else, or a newer program wrote it.
    """
    if not path.exists():
        raise UserError(
            "nothing has been accepted yet", file=str(path), fix="run `pytest-llmreplay baseline accept` on a run first"
        )
    file = open_of_kind(path, BASELINE, holds="accepted baseline", schema="outcome", version=OUTCOMES_VERSION)
    metadata: Mapping[bytes, bytes] = file.metadata.metadata
    with reading(path):
        rows = plain_rows(file.read(use_threads=False))
        info = json.loads(metadata.get(_INFO_KEY, b"{}"))
        outcomes = [outcome_from_record({**row, "diagnostics": dict(row.get("diagnostics") or ())}) for row in rows]
    return info if isinstance(info, dict) else {}, outcomes


def write_baseline(path: Path, outcomes: Iterable[Outcome], info: Mapping[str, Any]) -> int:
    """Write accepted outcomes of one variant, atomically; returns how many rows the file now has.

    Outcomes that an earlier acceptance of the same variant and environment holds of other cases are kept, so that a
    variant can be accepted suite by suite.

    Args:
        path: the file.
        outcomes: those of the accepted variant in one run.
        info: what the file says of itself.

    Raises:
        UserError: there is nothing to accept, or the file cannot be read or written.
    """
    accepted = sorted(outcomes, key=lambda outcome: outcome.trial_id)
    if not accepted:
        raise UserError("the run has no outcome of the accepted variant")
    cases = {outcome.case_id for outcome in accepted}
    origin = {(outcome.variant_digest, outcome.environment_digest) for outcome in accepted}
    earlier = read_baseline(path)[1] if path.exists() else []
    kept = [o for o in earlier if o.case_id not in cases and (o.variant_digest, o.environment_digest) in origin]
    records = [outcome_to_record(outcome) for outcome in (*kept, *accepted)]
    rows = [{**record, "diagnostics": list(record["diagnostics"].items())} for record in records]
    about = json.dumps(dict(info), default=str).encode()
    schema = outcome_schema().with_metadata({**footer_of(BASELINE, OUTCOMES_VERSION), _INFO_KEY: about})
    write_tables(path, [table_of(rows, schema)], schema, group_rows=_ROW_GROUP_ROWS)
    return len(rows)


class Origin(NamedTuple):
    """What must be equal for two outcomes of a case to be comparable; what is empty says nothing.

    `power` is `counts` or `advisory` where there is a verdict.
    """

    case_digest: str = ""
    rubric_digest: str = ""
    judge_digest: str = ""
    power: str = ""

    def differs(self, other: Origin) -> bool:
        """Whether anything that both say is not the same."""
        return any(mine and yours and mine != yours for mine, yours in zip(self, other, strict=True))


def origins_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Origin]:
    """By case id, what the outcomes (as plain data) of a case were made of."""
    found: dict[str, Origin] = {}
    for row in rows:
        known = found.get(str(row["case_id"]), Origin())
        merged = [known_part or part for known_part, part in zip(known, _origin(row), strict=True)]
        found[str(row["case_id"])] = Origin(*merged)
    return found


def _origin(row: Mapping[str, Any]) -> Origin:
    verdict = row.get("verdict")
    power = "" if not isinstance(verdict, Mapping) else "advisory" if verdict.get("advisory") else "counts"
    case, rubric, judge = (str(row.get(name) or "") for name in ("case_digest", "rubric_digest", "judge_digest"))
    return Origin(case, rubric, judge, power)


def as_baseline(
    outcomes: Iterable[Outcome], compared: Mapping[str, Origin], name: str = ACCEPTED
) -> tuple[list[Outcome], list[str]]:
    """The accepted outcomes that can stand for a replay of the baseline, under the name of the baseline.

    Args:
        outcomes: what `read_baseline` gave.
        compared: what every case that is compared was made of, by id; other cases are left out.
        name: the variant's name in what is returned.

    Returns:
        The outcomes, and the ids of the cases that have changed since they were accepted, or whose rubric or judge
        has, sorted.
    """
    valid, changed = [], set()
    for outcome in outcomes:
        origin = compared.get(outcome.case_id)
        if origin is None:
            continue
        if origin.differs(_origin(outcome_row(outcome))):
            changed.add(outcome.case_id)
        else:
            valid.append(replace(outcome, variant=name))
    return valid, sorted(changed)


def unchanged(
    outcomes: Iterable[Outcome], *, case_digest: str, variant_digest: str, environment_digest: str
) -> list[Outcome]:
    """The accepted outcomes of exactly this case, variant and environment: what a replay need not ask again.

    Trouble on the way and what was never run were no answer, so they are asked again.
    """
    wanted = (case_digest, variant_digest, environment_digest)
    return [
        o
        for o in outcomes
        if (o.case_digest, o.variant_digest, o.environment_digest) == wanted and o.status not in ("error", "not_run")
    ]
