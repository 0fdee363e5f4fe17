"""JUnit: the properties of an item, and a whole file for what a run came to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

from pytest_llmreplay.compare import Decision
from pytest_llmreplay.compare.ratchet import ItemVerdict, item_verdict
from pytest_llmreplay.compare.rows import reasons_of
from pytest_llmreplay.report.judged import verdict_of, verdict_properties
from pytest_llmreplay.report.text import printable

Row = Mapping[str, Any]

_NAMED = (
    "variant", "trial", "status", "kind", "case_status", "severity", "failure_category", "failure_stage", "intent",
    "cost_usd", "latency_s", "input_tokens", "output_tokens", "live_share", "recorded_share",
    "rubric_digest", "judge_digest", "judge_model", "judge_cost_usd", "judge_input_tokens", "judge_output_tokens",
)  # fmt: skip
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LONGEST = 4_000


def trial_properties(row: Row) -> list[tuple[str, str]]:
    """The properties of one item, each named `llmreplay.…`: for pytest's `user_properties` too."""
    found = [(f"llmreplay.{name}", _text(row[name])) for name in _NAMED if row.get(name) not in (None, "")]
    tags = row.get("tags") or ()
    found += [("llmreplay.tag", _text(tag)) for tag in ([tags] if isinstance(tags, str) else tags)]
    verdict = verdict_of(row)
    found += [] if verdict is None else [(f"llmreplay.{n}", _text(v)) for n, v in verdict_properties(verdict)]
    codes = dict.fromkeys(str(reason["code"]) for reason in reasons_of(row) if reason.get("code"))
    return [*found, *(("llmreplay.code", _text(code)) for code in codes)]


def decision_properties(decision: Decision) -> list[tuple[str, str]]:
    """The properties of the whole suite: what the gate decided, and why."""
    return [
        ("llmreplay.decision", decision.decision),
        ("llmreplay.rule", _text(decision.rule)),
        ("llmreplay.sentence", _text(decision.sentence)),
        *(("llmreplay.waived", _text(item.case_id)) for item, _ in decision.waived),
    ]


def junit_text(rows: Iterable[Row], *, baseline: str | None, decision: Decision | None = None) -> str:
    """A JUnit file with a test case for every trial; a known failure is skipped, as pytest writes an xfail."""
    listed = list(rows)
    verdicts = [_verdict(row, baseline) for row in listed]
    counts = Counter(verdicts)
    suite = ET.Element(
        "testsuite",
        name="llmreplay",
        tests=str(len(listed)),
        failures=str(counts["failed"]),
        errors=str(counts["error"]),
        skipped=str(counts["skipped"] + counts["known_failing"] + counts["baseline_failing"]),
    )
    if decision is not None:
        _add_properties(suite, decision_properties(decision))
    for row, verdict in zip(listed, verdicts, strict=True):
        suite.append(_case(row, verdict))
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _case(row: Row, verdict: ItemVerdict) -> ET.Element:
    case = ET.Element(
        "testcase",
        classname=_text(row.get("case_file") or row.get("suite") or "llmreplay"),
        name=_text(f"{row['case_id']}[{row['variant']}-{row['trial']}]"),
    )
    if row.get("latency_s") is not None:
        case.set("time", f"{float(row['latency_s']):.3f}")
    _add_properties(case, trial_properties(row))
    why = [str(reason.get("message") or reason.get("code") or "") for reason in reasons_of(row)]
    first = _text(why[0]) if why else str(row["status"])
    if verdict in ("failed", "error"):
        ET.SubElement(case, "failure" if verdict == "failed" else "error", message=first).text = _text("\n".join(why))
    elif verdict in ("known_failing", "baseline_failing"):
        ET.SubElement(case, "skipped", type="pytest.xfail", message=first)
    elif verdict == "skipped":
        ET.SubElement(case, "skipped", message=first)
    return case


def _verdict(row: Row, baseline: str | None) -> ItemVerdict:
    # Where a foreign row does not say what its case is, a failure of the candidate is one.
    return item_verdict(
        kind=str(row.get("kind") or "control"),
        case_status=str(row.get("case_status") or "fixed"),
        status=str(row["status"]),
        baseline=row["variant"] == baseline,
    )


def _add_properties(parent: ET.Element, properties: Iterable[tuple[str, str]]) -> None:
    box = ET.SubElement(parent, "properties")
    for name, value in properties:
        ET.SubElement(box, "property", name=name, value=value)


def _text(value: object) -> str:
    """Text that XML can hold, cut."""
    return _ILLEGAL.sub("\ufffd", printable(str(value))[:_LONGEST])
