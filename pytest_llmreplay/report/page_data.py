"""What the HTML report holds of every case, as plain data that is safe to show and never too long."""

from __future__ import annotations

import json
import math
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from pytest_llmreplay.compare import Comparison
from pytest_llmreplay.compare.pairs import CasePair, Tally
from pytest_llmreplay.compare.rows import reasons_of
from pytest_llmreplay.report.judged import verdict_facts, verdict_of

Row = Mapping[str, Any]

LONGEST_TEXT = 20_000
LONGEST_MESSAGE = 4_000
MOST_REASONS = 30
MOST_CALLS = 60
CONVERSATION_BYTES = 24_000_000
"""All conversations together; those of cases that came out equal are left out first."""

_ORDER = ("regressed", "flaky", "unmeasured", "both_fail", "fixed", "both_pass")
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_FIGURES = (
    "steps", "input_tokens", "output_tokens", "tokens", "cost_usd", "latency_s", "live_share", "recorded_share", "score"
)  # fmt: skip
_OF_THE_JUDGE = ("judge_calls", "judge_input_tokens", "judge_output_tokens", "judge_cost_usd")


def visible(text: object, longest: int = LONGEST_TEXT) -> str:
    """Text with control characters, lone surrogates and what turns the direction of writing spelled out, and cut."""
    written = str(text)
    if len(written) > longest:
        written = f"{written[:longest]}… (+{len(written) - longest:,} characters)"
    if written.isprintable():
        return written
    return "".join(character if _harmless(character) else _spelled(character) for character in written)


def script_json(value: Any) -> str:
    """JSON that stays data wherever it stands in HTML: in ASCII and without a character that HTML reads."""
    text = json.dumps(value, separators=(",", ":"), default=str, allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


class CasePages:
    """The cases of a comparison: an index for the table, and what a case shows when it is opened.

    Args:
        comparison: what was compared.
        rows: the outcomes, as plain data.
        contexts: by case id, what the golden file says: `title`, `summary`, `messages`, `turn`, `expect`.
        commands: what replays a case, by its id.
    """

    def __init__(
        self,
        comparison: Comparison,
        rows: Iterable[Row],
        contexts: Mapping[str, Mapping[str, Any]],
        commands: Mapping[str, str],
    ) -> None:
        self._comparison = comparison
        self._contexts = contexts
        self._commands = commands
        self._flips = {flip.case_id: flip for flip in comparison.flips}
        self._rows: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in rows:
            self._rows[str(row["case_id"]), str(row["variant"])].append(row)
        self.pairs = sorted(comparison.cases, key=lambda pair: (_ORDER.index(pair.label), pair.case_id))

    def index(self) -> list[dict[str, Any]]:
        """A line a case, what broke first."""
        return [self._line(pair) for pair in self.pairs]

    def details(self) -> Iterator[str]:
        """What each case shows when it is opened, as JSON, in the order of the index."""
        room = CONVERSATION_BYTES
        for pair in self.pairs:
            conversation = script_json(self._conversation(pair.case_id))
            room -= len(conversation)
            kept = conversation if room >= 0 else '{"left_out":true}'
            yield f'{{"context":{kept},"sides":{script_json(self._sides(pair))}}}'

    def _line(self, pair: CasePair) -> dict[str, Any]:
        flip = self._flips.get(pair.case_id)
        mine, rows = self._sides_of(pair.case_id)[1], self._sides_of(pair.case_id)
        slices: dict[str, list[str]] = defaultdict(list)
        for dimension, value in pair.slices:
            slices[dimension].append(visible(value, 100))
        context = self._contexts.get(pair.case_id, {})
        failing = [reason for row in mine for reason in reasons_of(row)]
        return {
            "id": visible(pair.case_id, 1000),
            "shown": visible(pair.case_id, 200),
            "title": visible(context.get("title") or context.get("user") or "", 300),
            "label": pair.label,
            "kind": pair.kind,
            "status": pair.case_status,
            "suite": visible(pair.suite or "", 100),
            **{name: slices[name] for name in ("severity", "category", "stage", "intent", "tag")},
            "rates": [_tally(pair.baseline), _tally(pair.candidate)],
            "tool": sorted({visible(name, 100) for side in rows for row in side for name, _ in calls_of(row)}),
            "code": sorted({visible(reason["code"], 60) for reason in failing if reason.get("code")}),
            "cause": flip.cause if flip else None,
            "why": visible((flip.detail if flip else "") or pair.reason or "", 300),
        }

    def _sides_of(self, case_id: str) -> tuple[list[Row], list[Row]]:
        found = (
            self._rows.get((case_id, name), []) for name in (self._comparison.baseline, self._comparison.candidate)
        )
        before, after = (sorted(rows, key=lambda row: int(row["trial"])) for rows in found)
        return before, after

    def _sides(self, pair: CasePair) -> list[list[dict[str, Any]]]:
        return [[trial_data(row) for row in rows] for rows in self._sides_of(pair.case_id)]

    def _conversation(self, case_id: str) -> dict[str, Any]:
        context = self._contexts.get(case_id, {})
        found: dict[str, Any] = {}
        if case_id in self._commands:
            found["command"] = visible(self._commands[case_id])
        for name in ("summary", "file", "owner", "due"):
            if context.get(name):
                found[name] = visible(context[name], LONGEST_MESSAGE)
        for name in ("messages", "produced"):
            found[name] = [_message(message) for message in context.get(name) or ()]
        if context.get("expect"):
            found["expect"] = visible(json.dumps(context["expect"], indent=2, ensure_ascii=False, default=str))
        return found


def trial_data(row: Row) -> dict[str, Any]:
    """One outcome, as the page shows it."""
    reasons, calls = reasons_of(row), calls_of(row)
    shown: dict[str, Any] = {
        "trial": int(row["trial"]),
        "status": str(row["status"]),
        "calls": [[visible(name, 200), visible(arguments, LONGEST_MESSAGE)] for name, arguments in calls[:MOST_CALLS]],
        "more_calls": max(len(calls) - MOST_CALLS, 0),
        "reasons": [_texts(reason) for reason in reasons[:MOST_REASONS]],
        "more_reasons": max(len(reasons) - MOST_REASONS, 0),
    }
    if row.get("answer") is not None:
        shown["answer"] = visible(row["answer"])
    verdict = verdict_of(row)
    figures = _FIGURES if verdict is None else (*_FIGURES, *_OF_THE_JUDGE)
    shown["figures"] = {name: row[name] for name in figures if _is_number(row.get(name))}
    for name, value in (
        ("divergence", _plain(row.get("divergence"))),
        ("verdict", row.get("verdict") if verdict is None else dict(verdict_facts(verdict))),
    ):
        if value:
            shown[name] = _texts(value) if isinstance(value, Mapping) else visible(value)
    shown["sources"] = _sources(row.get("tool_answers"))
    return shown


def calls_of(row: Row) -> list[tuple[str, str]]:
    """The calls of a trial as name and arguments, in whatever shape the row holds them."""
    found = []
    for call in row.get("calls") or ():
        if isinstance(call, Mapping):
            body = call["function"] if isinstance(call.get("function"), Mapping) else call
            name, arguments = body.get("name"), body.get("arguments")
        elif isinstance(call, Sequence) and not isinstance(call, str) and call:
            name, arguments = call[0], call[1] if len(call) > 1 else None
        else:
            name, arguments = call, None
        written = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, default=str)
        found.append((str(name), written))
    return found


def _sources(answers: object) -> list[str]:
    """Where the result of each call came from, in order."""
    if not isinstance(answers, Sequence) or isinstance(answers, str):
        return []
    plain = [_plain(answer) for answer in answers[:MOST_CALLS]]
    return [visible(answer.get("source"), 40) for answer in plain if isinstance(answer, Mapping)]


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "role": visible(message.get("role"), 20),
        "content": visible(message.get("content") or "", LONGEST_MESSAGE),
        "calls": [[visible(name, 200), visible(args, LONGEST_MESSAGE)] for name, args in calls_of(message)],
    }


def _tally(tally: Tally) -> list[int]:
    return [tally.passed, tally.measured, tally.trials]


def _texts(value: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): visible(text, LONGEST_MESSAGE) for key, text in value.items() if text not in (None, "")}


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _harmless(character: str) -> bool:
    if character in "\n\t":
        return True
    return character not in _TURNING and unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")


def _spelled(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
