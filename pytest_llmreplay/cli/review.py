"""What `promote` says: each case as a person would review it, or their number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from pytest_llmreplay.cli.reproducing import REPRODUCED, reproduction_text
from pytest_llmreplay.report.text import call_text, one_line, printable

if TYPE_CHECKING:
    from pytest_llmreplay.model.case import Case
    from pytest_llmreplay.promote import Duplicate, Stopped

_SHOWN_WHOLE = 3


def say_stopped(stopped: Sequence[Stopped]) -> None:
    """Name what was not promoted, on stderr."""
    for entry in stopped:
        click.echo(f"not promoted: {one_line(entry.conversation_id)}: {printable(entry.why)}", err=True)


def say_duplicate(case: Case, duplicate: Duplicate, on_duplicate: str) -> None:
    """Name a duplicate and what became of it, on stderr."""
    from pytest_llmreplay.promote import NEAR

    source = one_line(case.provenance.trace_id or case.case_id)
    if duplicate.kind == "exact":
        done = {"skip": "left out", "link": "linked to it", "add": "added all the same"}[on_duplicate]
        click.echo(f"duplicate: {source} says what {duplicate.case_id} says; {done}", err=True)
    else:
        share = f"{duplicate.similarity:.0%} alike; from {NEAR:.0%} on it is named"
        click.echo(f"near duplicate: {source} is much like {duplicate.case_id} ({share}); added", err=True)


def review(cases: Sequence[Case], path: str, *, dry_run: bool) -> None:
    """Print the cases, where they are, and the next command."""
    if len(cases) <= _SHOWN_WHOLE:
        for case in cases:
            click.echo(printable("\n".join(_lines(case))))
    counts = Counter(f"{case.status} {case.kind}" for case in cases)
    parts = ", ".join(f"{count} {name}{'s' if count > 1 else ''}" for name, count in sorted(counts.items()))
    done = "would be written" if dry_run else "written"
    click.echo(f"{len(cases)} case{'s' if len(cases) > 1 else ''} {done} to {path}: {parts}")
    _say_totals(cases)
    _say_next(cases, path, dry_run=dry_run)


def _lines(case: Case) -> Iterator[str]:
    from pytest_llmreplay.model.conversation import lost_in

    labels = (case.kind, case.status, case.severity, case.failure_category, case.failure_stage, case.intent)
    yield f"{case.case_id}  {' · '.join(word for word in labels if word)}"
    if case.summary:
        yield f"  {one_line(case.summary)}"
    said = [message.content or "" for message in case.messages if message.role == "user"]
    yield f"  turn {case.turn}, the user: {one_line(said[case.turn - 1])}"
    yield from (f"  production: {text}" for text in _production(case))
    yield from (f"  expected: {text}" for text in _expected(case))
    for name in ("redaction", "proof"):
        note: Any = case.metadata.get(name)
        if note:
            yield f"  {name}: {_redaction(note) if name == 'redaction' else _proof(note)}"
    if note and REPRODUCED in note:
        yield f"  {reproduction_text(note[REPRODUCED], case.kind)}"
    lost = next((what for message in case.messages if (what := lost_in(message)) is not None), None)
    if lost is not None:
        yield f"  lost: the log does not hold the {one_line(lost)} of a message, so a replay with it is unmeasured"
    for call in _missing(case):
        yield f"  missing: the result of {call}; add it with"
        yield f"    pytest-llmreplay golden stub {case.case_id} {call}='JSON'"


def _production(case: Case) -> Iterator[str]:
    from pytest_llmreplay.model.conversation import turns_of

    turn = turns_of(case.messages)[case.turn - 1]
    for message in case.messages[turn.start + 1 : turn.stop]:
        for call in message.tool_calls:
            yield call_text(call.name, call.arguments, 100)
        if message.role == "assistant" and (message.content or "").strip():
            yield f"“{one_line(message.content or '', 90)}”"


def _expected(case: Case) -> Iterator[str]:
    import json

    for part, value in case.expect.items():
        yield f"{part} {one_line(json.dumps(value, ensure_ascii=False), 160)}"


def _redaction(note: Any) -> str:
    if "stored" in note:
        return f"none: {one_line(str(note['stored']))}"
    counts = ", ".join(f"{count} {kind}" for kind, count in note.get("counts", {}).items())
    kept = note.get("possible_names_kept")
    return "; ".join(part for part in (counts, f"{kept} possible names kept" if kept else "") if part)


def _proof(note: Any) -> str:
    production = note["production"]
    fails = f"fails on production ({', '.join(production['codes'])})" if production["fails"] else "passes on production"
    if not note["mutants"]:
        return f"{fails}; no mutants could be made"
    survivors = note["survivors"]
    bites = f"fails {note['mutants'] - len(survivors)} of {note['mutants']} mutants"
    return f"{fails}; {bites}" + (f"; survivors: {', '.join(survivors[:5])}" if survivors else "")


def _missing(case: Case) -> list[str]:
    from pytest_llmreplay.promote import missing_results

    return list(dict.fromkeys(str(call["name"]) for call in missing_results(case)))


def _say_totals(cases: Sequence[Case]) -> None:
    stored = sum("stored" in _note(case) for case in cases)
    if stored:
        click.echo(f"Text is stored as logged in {stored} of them: nothing was redacted.", err=True)
    kinds: Counter[str] = Counter()
    for case in cases:
        kinds.update(_note(case).get("counts", {}))
    if kinds and len(cases) > _SHOWN_WHOLE:
        click.echo("redacted: " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    passing = sum(
        not (case.metadata.get("proof") or {"production": {"fails": True}})["production"]["fails"] for case in cases
    )
    if passing and any(case.kind == "incident" for case in cases):
        click.echo(f"{passing} expectations are met by production itself (--allow-passing).")
    failing = sum(
        case.kind == "control" and bool((case.metadata.get("proof") or {}).get("production", {}).get("fails"))
        for case in cases
    )
    if failing:
        click.echo(f"{failing} controls have an expectation that production itself does not meet.", err=True)
    incidents = [_proof_of(case) for case in cases if case.kind == "incident"]
    _say_reproduced([note[REPRODUCED] for note in incidents if REPRODUCED in note])
    missing = sum(bool(_missing(case)) for case in cases)
    if missing and len(cases) > _SHOWN_WHOLE:
        click.echo(f"{missing} cases lack the result of an expected call; --borrow LOGS or golden stub adds them.")


def _say_reproduced(notes: Sequence[Any]) -> None:
    if len(notes) > _SHOWN_WHOLE:
        happens = sum(note["failed"] > 0 for note in notes)
        never = sum(not note["failed"] and note["passed"] > 0 for note in notes)
        left = len(notes) - happens - never
        rest = f", {left} could not be measured" if left else ""
        click.echo(f"on {notes[0]['variant']}: {happens} reproduced, {never} not reproducible here{rest}")


def _proof_of(case: Case) -> Any:
    return case.metadata.get("proof") or {}


def _note(case: Case) -> Any:
    return case.metadata.get("redaction") or {}


def _say_next(cases: Sequence[Case], path: str, *, dry_run: bool) -> None:
    if dry_run:
        click.echo("next: the same command without --dry-run")
        return
    drafts = [case for case in cases if case.status == "draft"]
    if drafts and any(case.expect for case in drafts):
        click.echo("Drafts do not run until they are approved.")
        click.echo(f"next: pytest-llmreplay golden show {drafts[0].case_id}, then golden approve {drafts[0].case_id}")
        return
    if drafts:
        click.echo("Drafts do not run: promote again with --expect FILE, --expect-column COLUMN or --like-trace ID.")
    if drafts and len(drafts) == len(cases):
        click.echo(
            f"next: pytest-llmreplay golden edit {drafts[0].case_id}, to write its expectation; then golden approve"
        )
        return
    click.echo(f"next: pytest {path}")
