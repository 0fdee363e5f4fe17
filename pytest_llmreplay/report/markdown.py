"""The comment on a pull request: one Markdown text that is found again by its marker and never grows too large."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from pytest_llmreplay.compare import Comparison, Decision
from pytest_llmreplay.report.comparison import notes_of
from pytest_llmreplay.report.decision import MARKS, SEVERITIES, by_severity
from pytest_llmreplay.report.figures import RATE_HEADERS, delta_rows, rate_rows
from pytest_llmreplay.report.text import one_line

MARKER = "<!-- pytest-llmreplay -->"
LONGEST = 60_000
"""Bytes of UTF-8; GitHub takes 65,536 characters."""

_HEADS = {"pass": "✅ pass", "regression": "❌ regression", "unmeasurable": "⚠️ unmeasurable"}
_MOST_NOTES = 20
_MOST_CLUSTERS = 20
_INVISIBLE = "\u200b"
_PUNCTUATION = re.compile(r"([\\`*_{}\[\]<>#|~&])")
_LINKING = re.compile(r"(@|#|://|www\.|GH-)", re.IGNORECASE)


def markdown_text(
    comparison: Comparison,
    decision: Decision | None = None,
    *,
    commands: Mapping[str, str] | None = None,
    judge: Sequence[str] = (),
    marker: str = MARKER,
    longest: int = LONGEST,
) -> str:
    """The comment.

    Args:
        comparison: what was compared.
        decision: what the gate decided, if there is one.
        commands: what replays a red case, by its id.
        judge: what the judge came to, as lines.
        marker: the hidden first line, by which an earlier comment is found and updated.
        longest: the most bytes; red cases are left out from the least severe on, then whole sections from the end.
    """
    head = "\n\n".join([marker, *_head(comparison, decision)])
    end = "\n\n".join(_notes(comparison, decision))
    room = longest - _size(head) - _size(end) - 400
    shown = [head]
    for section in _sections(comparison, decision, commands or {}, judge, room):
        size = _size(section) + 2
        if size <= room:
            shown.append(section)
            room -= size
        else:
            shown.append("_A section did not fit here; the report has it._")
            break
    return "\n\n".join([*shown, end]).rstrip() + "\n"


def escaped(text: str) -> str:
    """Text as it is: nothing in it becomes a link, a mention, markup or HTML."""
    broken = _LINKING.sub(lambda match: f"{match[1][:1]}{_INVISIBLE}{match[1][1:]}", one_line(text, 2000))
    return _PUNCTUATION.sub(r"\\\1", broken)


def code(text: str, longest: int = 160) -> str:
    """Text as code in a table cell, whatever is in it."""
    line = one_line(text, longest).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}" if line.strip() else ""


def _head(comparison: Comparison, decision: Decision | None) -> Iterator[str]:
    names = f"{escaped(comparison.baseline)} → {escaped(comparison.candidate)}"
    if decision is None:
        yield f"## {names}"
    else:
        yield f"## {_HEADS[decision.decision]}: {names}"
        rule = "" if decision.rule == "all" else f" (rule {code(decision.rule)})"
        yield f"**{escaped(decision.sentence)}**{rule}"
    yield escaped(comparison.sentence)
    counts = comparison.counts
    yield _table([name.replace("_", " ") for name in counts], [[str(count) for count in counts.values()]])


def _sections(
    comparison: Comparison,
    decision: Decision | None,
    commands: Mapping[str, str],
    judge: Sequence[str],
    room: int,
) -> Iterator[str]:
    if decision is not None:
        # The largest part goes to the red list: it is what the comment is for.
        yield _red(decision, commands, int(room * 0.7))
        yield _rules(decision)
    if judge:
        yield "\n".join(["### Judge", "", *(f"- {escaped(line.strip())}" for line in judge)])
    yield _clusters(comparison)
    yield _rates(comparison)
    yield _deltas(comparison)


def _red(decision: Decision, commands: Mapping[str, str], room: int) -> str:
    if not decision.red:
        return "No case is red."
    items = by_severity(decision.red)
    lines = [
        f"### Red cases: {len(items)}",
        "",
        "| severity | case | rule | trials | why | reproduce |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    size = _size("\n".join(lines))
    for index, item in enumerate(items):
        trials = ", ".join(map(str, item.trials))
        command = code(commands[item.case_id], 400) if item.case_id in commands else ""
        cells = [item.severity or "unrated", code(item.case_id), item.rule, trials, code(item.message, 300), command]
        line = f"| {' | '.join(cells)} |"
        size += _size(line) + 1
        if size > room:
            left = len(items) - index
            severities = [s for s in (*SEVERITIES, None) if any(i.severity == s for i in items[index:])]
            named = ", ".join(severity or "unrated" for severity in severities)
            lines += ["", f"_{left} more red cases ({named}) did not fit here; the report has them all._"]
            break
        lines.append(line)
    return "\n".join(lines)


def _rules(decision: Decision) -> str:
    rows = [[MARKS[r.verdict], code(r.rule), escaped(r.sentence)] for r in decision.results]
    return _details("Rules", _table(["", "rule", "what it says"], rows))


def _clusters(comparison: Comparison) -> str:
    lines = [f"- {escaped(cluster.line)}" for cluster in comparison.clusters[:_MOST_CLUSTERS]]
    more = len(comparison.clusters) - _MOST_CLUSTERS
    if more > 0:
        lines.append(f"- and {more} more causes")
    return "\n".join(["### What changed, by cause", "", *lines]) if lines else ""


def _rates(comparison: Comparison) -> str:
    headers = ["", "cases", escaped(comparison.baseline), escaped(comparison.candidate), *RATE_HEADERS[4:]]
    rows = [[escaped(row.cells[0]), *row.cells[1:]] for row in rate_rows(comparison)]
    return _details("Pass rates by slice (p-values of slices: Holm)", _table(headers, rows))


def _deltas(comparison: Comparison) -> str:
    rows = list(delta_rows(comparison))
    if not rows:
        return ""
    headers = ["per trial", "cases", escaped(comparison.baseline), escaped(comparison.candidate), *RATE_HEADERS[4:6]]
    return _details("Cost, tokens, latency", _table(headers, rows))


def _notes(comparison: Comparison, decision: Decision | None) -> Iterator[str]:
    notes = list(decision.notes) if decision is not None else notes_of(comparison)
    lines = [f"> {escaped(note)}" for note in notes[:_MOST_NOTES]]
    if len(notes) > _MOST_NOTES:
        lines.append(f"> and {len(notes) - _MOST_NOTES} more notes")
    if lines:
        yield "\n>\n".join(lines)


def _details(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>" if body else ""


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(headers)} |", f"|{' --- |' * len(headers)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
