"""What an auditor gets: the decision and everything that it rests on, as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_llmreplay.compare import Comparison, Decision, GatePolicy, Waiver
from pytest_llmreplay.model.canonical import digest

EVIDENCE_VERSION = 1
_DIGESTS = ("case_digest", "variant_digest", "environment_digest", "rubric_digest", "judge_digest")


def evidence_data(
    decision: Decision,
    comparison: Comparison,
    *,
    policy: GatePolicy,
    waivers: Iterable[Waiver],
    rows: Iterable[Mapping[str, Any]],
    runs: Iterable[Mapping[str, Any]],
    decided_at: str,
    versions: Mapping[str, str],
) -> dict[str, Any]:
    """The evidence of one decision.

    Args:
        decision: what was decided.
        comparison: what it was decided on.
        policy: the policy that was applied, with its defaults filled in.
        waivers: all that the project has.
        rows: the outcomes that were compared.
        runs: what their runs say of themselves; no credentials and no personal data are in there.
        decided_at: ISO 8601.
        versions: of the programs at hand, by name.
    """
    listed = [row for row in rows if row.get("variant") in (comparison.baseline, comparison.candidate)]
    written = policy.model_dump(mode="json")
    return {
        "kind": "evidence",
        "schema_version": EVIDENCE_VERSION,
        "decided_at": decided_at,
        "decision": decision.to_dict(),
        "policy": written,
        "policy_digest": digest(written),
        "waivers": [waiver.model_dump(mode="json") for waiver in waivers],
        "baseline": _side(comparison.baseline, listed),
        "candidate": _side(comparison.candidate, listed),
        "counts": dict(comparison.counts),
        "difference": comparison.difference,
        "interval": list(comparison.interval),
        "p_value": comparison.p_value,
        "minimum_detectable": comparison.minimum_detectable,
        "sentence": comparison.sentence,
        "live_share": comparison.live_share,
        "cases": {
            pair.case_id: {"label": pair.label, "status": pair.case_status, "kind": pair.kind}
            for pair in comparison.cases
        },
        "outcomes_digest": digest(sorted(_identity(row) for row in listed)),
        "runs": [dict(run) for run in runs if run],
        "versions": dict(versions),
    }


def _side(variant: str, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    mine = [row for row in rows if row.get("variant") == variant]
    found: dict[str, Any] = {"variant": variant, "trials": len(mine)}
    for name in _DIGESTS:
        values = {str(row[name]) for row in mine if row.get(name)}
        if name == "case_digest":
            found["case_digests"] = {str(row["case_id"]): str(row[name]) for row in mine if row.get(name)}
        elif values:
            found[f"{name}s"] = sorted(values)
    return found


def _identity(row: Mapping[str, Any]) -> list[str]:
    return [str(row.get(name)) for name in ("case_id", "variant", "trial", "status")]
