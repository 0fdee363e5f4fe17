"""A gate's decision on the terminal: the sentence, the red list with commands, every rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pytest_llmreplay.compare import Decision, RedItem
from pytest_llmreplay.report.paint import Screen, most_of
from pytest_llmreplay.report.text import printable

SEVERITIES = ("critical", "high", "medium", "low")
MARKS = {"pass": "ok", "regression": "FAIL", "unmeasurable": "?"}
_STYLES = {"pass": ("green", "bold"), "regression": ("red", "bold"), "unmeasurable": ("yellow", "bold")}
_MOST_RED = 10


def decision_text(decision: Decision, commands: Mapping[str, str], screen: Screen) -> str:
    """The decision; `commands` holds what replays a red case, by its id."""
    return "\n\n".join(block for block in _blocks(decision, commands, screen) if block)


def by_severity(items: Sequence[RedItem]) -> list[RedItem]:
    """The red cases, the most severe first."""
    order = {severity: rank for rank, severity in enumerate(SEVERITIES)}
    return sorted(items, key=lambda item: (order.get(item.severity or "", len(order)), item.case_id))


def _blocks(decision: Decision, commands: Mapping[str, str], screen: Screen) -> Iterator[str]:
    head = screen.paint(f"GATE: {decision.decision.upper()}", *_STYLES[decision.decision])
    rule = "" if decision.rule == "all" else f" (decided by {printable(decision.rule)})"
    yield f"{head}{rule}\n{screen.paragraph(decision.sentence)}"
    if screen.verbosity < 0:
        return
    yield _red(decision, commands, screen)
    yield _waived(decision, screen)
    yield _rules(decision, screen)
    yield "\n".join(screen.paragraph(f"note: {note}") for note in decision.notes)


def _red(decision: Decision, commands: Mapping[str, str], screen: Screen) -> str:
    if not decision.red:
        return ""
    items = by_severity(decision.red)
    blocks = [
        "\n".join(
            [
                screen.paint(screen.line(f"{item.severity or 'unrated'}  {item.case_id}  ({item.rule})", "  "), "red"),
                screen.line(item.message, "    "),
                # Never cut: a command is there to be copied.
                f"    reproduce: {printable(commands[item.case_id])}" if item.case_id in commands else "",
            ]
        ).rstrip()
        for item in items
    ]
    most = len(blocks) if screen.verbosity > 0 else _MOST_RED
    return "\n".join([f"Red: {len(items)}", *most_of(blocks, most, "red cases; -v shows all")])


def _waived(decision: Decision, screen: Screen) -> str:
    lines = [
        screen.line(f"{item.case_id}: until {waiver.until}, {waiver.owner}: {waiver.reason}", "  ")
        for item, waiver in decision.waived
    ]
    return "\n".join([f"Waived: {len(lines)}", *lines]) if lines else ""


def _rules(decision: Decision, screen: Screen) -> str:
    lines = []
    for result in decision.results:
        mark = screen.paint(f"{MARKS[result.verdict]:<4}", *_STYLES[result.verdict])
        said = screen.paragraph(f"{result.rule}: {result.sentence}", " " * 7)
        lines.append(f"  {mark} {said.lstrip()}")
    return "\n".join(["Rules", *lines])
