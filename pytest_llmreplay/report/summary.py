"""The terminal summary of a run: outcomes by variant, the comparison, what regressed, what could not be measured."""

from __future__ import annotations

import shlex
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pytest_llmreplay.compare.ratchet import item_verdict
from pytest_llmreplay.model.outcome import Outcome, OutcomeStatus
from pytest_llmreplay.report.judged import JudgeTally
from pytest_llmreplay.report.paint import Screen, most_of, plural
from pytest_llmreplay.report.text import one_line, printable
from pytest_llmreplay.store.baseline import ACCEPTED

TrialId = tuple[str, str, int]

_MOST_NAMES = 10
_STATUSES: tuple[OutcomeStatus, ...] = ("passed", "failed", "error", "unmeasured", "not_run")


@dataclass(slots=True)
class _Figures:
    """What the outcomes of one variant add up to."""

    statuses: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    latencies: int = 0
    latency_s: float = 0.0
    with_tokens: int = 0
    tokens: int = 0
    with_cost: int = 0
    cost_usd: float = 0.0
    steps: int = 0
    live_steps: float = 0.0

    def add(self, outcome: Outcome, verdict: str) -> None:
        self.statuses[outcome.status] += 1
        self.verdicts[verdict] += 1
        if outcome.live_share is None:
            return
        if outcome.latency_s is not None:
            self.latencies += 1
            self.latency_s += outcome.latency_s
        if outcome.input_tokens is not None and outcome.output_tokens is not None:
            self.with_tokens += 1
            self.tokens += outcome.input_tokens + outcome.output_tokens
        if outcome.cost_usd is not None:
            self.with_cost += 1
            self.cost_usd += outcome.cost_usd
        self.steps += outcome.steps
        self.live_steps += outcome.steps * outcome.live_share

    def cells(self) -> list[str]:
        return [
            f"{self.latency_s / self.latencies:.2f} s" if self.latencies else "-",
            f"{self.tokens:,}" if self.with_tokens else "-",
            f"{self.cost_usd:.4f}" if self.with_cost else "-",
            f"{self.live_steps / self.steps:.0%}" if self.steps else "-",
        ]


@dataclass(slots=True)
class _Alike:
    """Outcomes of which one line says the same."""

    count: int = 0
    cases: set[str] = field(default_factory=set)
    first: TrialId | None = None

    def add(self, outcome: Outcome) -> None:
        self.count += 1
        self.cases.add(outcome.case_id)
        self.first = outcome.trial_id if self.first is None else min(self.first, outcome.trial_id)


class RunSummary:
    """What a run came to. Outcomes are added one after the other and not kept, so that a large run stays small.

    Args:
        baseline: the baseline's name, or None.
    """

    COLUMNS = (
        "reasons", "steps", "input_tokens", "output_tokens", "cost_usd", "latency_s", "live_share", "tool_answers",
        "kind", "case_status", "verdict", "judge_calls", "judge_live_calls", "judge_cost_usd",
    )  # fmt: skip
    """The fields of outcomes that it looks at, besides trial and status."""

    def __init__(self, baseline: str | None) -> None:
        self._baseline = baseline
        self._figures: dict[str, _Figures] = defaultdict(_Figures)
        self._red: list[tuple[TrialId, str]] = []
        self._troubles: dict[str, _Alike] = defaultdict(_Alike)
        self._missing: dict[str, _Alike] = defaultdict(_Alike)
        self._unmeasured: dict[str, _Alike] = defaultdict(_Alike)
        self._not_run: dict[str, _Alike] = defaultdict(_Alike)
        self._stops: dict[str, str] = {}
        self._judges = JudgeTally()
        # Hashes: a hundred thousand ids that nobody else holds would be 14 MB at the moment when memory is fullest.
        self._now_passing = array("q")
        self._not_passing: set[int] = set()

    @property
    def acceptable(self) -> bool:
        """Whether an open incident passed in every trial of every candidate."""
        return not self._not_passing.issuperset(self._now_passing)

    @property
    def unfinished(self) -> bool:
        """Whether some trials were not run."""
        return bool(self._not_run)

    def add(self, outcome: Outcome) -> None:
        """Count an outcome; each trial is added once."""
        verdict = item_verdict(
            kind=outcome.kind,
            case_status=outcome.case_status,
            status=outcome.status,
            baseline=outcome.variant == self._baseline,
        )
        self._figures[outcome.variant].add(outcome, verdict)
        if outcome.variant != ACCEPTED:
            # What it took then is nothing that this run took.
            self._judges.add_outcome(outcome)
        if verdict == "now_passes":
            self._now_passing.append(hash(outcome.case_id))
        elif verdict != "passed" and outcome.variant != self._baseline:
            self._not_passing.add(hash(outcome.case_id))
        if outcome.status != "passed":
            self._note_why(outcome, verdict)

    def _note_why(self, outcome: Outcome, verdict: str) -> None:
        reason = outcome.reasons[0] if outcome.reasons else None
        if verdict == "failed":
            why = f": {reason.code}" if reason else ""
            line = f"{outcome.case_id} [{outcome.variant}-{outcome.trial}] ({outcome.kind}){why}"
            self._red.append((outcome.trial_id, line))
        elif outcome.status == "error":
            self._troubles[reason.message if reason else "no reason was kept"].add(outcome)
        elif outcome.status == "not_run":
            code, message = (reason.code, reason.message) if reason else ("", "no reason was kept")
            self._not_run[code].add(outcome)
            self._stops.setdefault(code, message)  # each names another sum that was spent
        elif outcome.status == "unmeasured":
            missing = {answer.name for answer in outcome.tool_answers if answer.source == "unrecorded"}
            for tool in missing:
                self._missing[tool].add(outcome)
            if not missing and reason:
                self._unmeasured[reason.message.splitlines()[0]].add(outcome)

    def text(self, variants: Sequence[str], screen: Screen, outcomes: Sequence[Outcome] = ()) -> str:
        """The whole summary.

        Args:
            variants: their order; those without an outcome are left out.
            screen: where it is shown.
            outcomes: all of them, where there is a baseline to compare with.

        Raises:
            UserError: the variants cannot be compared.
        """
        shown = [variant for variant in variants if variant in self._figures]
        return "\n\n".join(block for block in self._blocks(shown, screen, outcomes) if block)

    def _blocks(self, variants: Sequence[str], screen: Screen, outcomes: Sequence[Outcome]) -> Iterator[str]:
        yield self._variant_table(variants, screen)
        if self._baseline is not None:
            yield from _comparisons(outcomes, variants, self._baseline, screen)
        elif len(variants) > 1:
            yield screen.paragraph("No baseline is named, so nothing is compared; add --llmreplay-baseline NAME.")
        yield "\n".join(screen.paragraph(line) for line in self._judges.lines())
        yield self._regressed(screen)
        yield self._now_pass(variants)
        yield self._errors(screen)
        yield self._not_measured(screen)
        yield self._never_run(screen)

    def _variant_table(self, variants: Sequence[str], screen: Screen) -> str:
        rows = []
        for variant in variants:
            figures = self._figures[variant]
            name = f"{variant} (baseline)" if variant == self._baseline else variant
            counts = [str(figures.statuses[status]) for status in _STATUSES]
            rows.append([one_line(name, max(screen.width // 3, 16)), *counts, *figures.cells()])
        usage = ["latency", "tokens", "USD", "live"]
        headers = ["variant", "passed", "failed", "error", "unmeasured", "not run", *usage]
        live, latency, tokens, cost, not_run = 9, 6, 7, 8, 5
        spare = [not_run] if all(row[not_run] == "0" for row in rows) else []
        return screen.table(rows, headers, (latency, tokens, live, cost, *spare))

    def _regressed(self, screen: Screen) -> str:
        if not self._red:
            return ""
        lines = [screen.paint(screen.line(line, "  "), "red") for _, line in sorted(self._red)]
        return "\n".join(["Regressed: these must pass and do not", *_shown(lines, screen)])

    def _now_pass(self, variants: Sequence[str]) -> str:
        counted = [(variant, self._figures[variant].verdicts) for variant in variants]
        return "\n".join(
            f"Open incidents on {printable(variant)}: {verdicts['now_passes']} now pass, "
            f"{verdicts['known_failing']} are known and still fail"
            for variant, verdicts in counted
            if verdicts["now_passes"] or verdicts["known_failing"]
        )

    def _errors(self, screen: Screen) -> str:
        if not self._troubles:
            return ""
        messages = sorted(self._troubles.items(), key=lambda entry: entry[1].first or ())
        lines = [screen.paragraph(f"{alike.count} x {one_line(message, 200)}", "  ") for message, alike in messages]
        return "\n".join(["Errors: trouble on the way, neither pass nor fail", *_shown(lines, screen)])

    def _not_measured(self, screen: Screen) -> str:
        """Unmeasured cases by tool, with the command that would add the missing result."""
        lines = []
        for tool, alike in sorted(self._missing.items()):
            case_id = alike.first[0] if alike.first else ""
            command = shlex.join(["pytest-llmreplay", "golden", "stub", case_id, f"{tool}=JSON"])
            lines.append(
                screen.line(f"{tool}: no recorded result in {plural(len(alike.cases), 'case')}; add one:", "  ")
                # Never cut: a command is there to be copied.
                + f"\n    {printable(command)}"
            )
        others = sorted(self._unmeasured.items(), key=lambda entry: (-entry[1].count, entry[1].first or ()))
        lines += [screen.paragraph(f"{alike.count} x {one_line(message, 200)}", "  ") for message, alike in others]
        return "\n".join(["Unmeasured", *_shown(lines, screen)]) if lines else ""

    def _never_run(self, screen: Screen) -> str:
        lines = [
            screen.paragraph(f"{alike.count} x {one_line(self._stops[code], 200)}", "  ")
            for code, alike in sorted(self._not_run.items())
        ]
        return "\n".join(["Not run", *lines]) if lines else ""


def _comparisons(outcomes: Sequence[Outcome], variants: Sequence[str], baseline: str, screen: Screen) -> Iterator[str]:
    from pytest_llmreplay.compare import compare_outcomes
    from pytest_llmreplay.model.outcome import outcome_row
    from pytest_llmreplay.report.comparison import brief_text

    rows = [outcome_row(outcome) for outcome in outcomes]
    present = {outcome.variant for outcome in outcomes}
    for candidate in variants:
        if candidate == baseline or candidate not in present or baseline not in present:
            continue
        yield brief_text(compare_outcomes(rows, baseline=baseline, candidate=candidate), screen)


def _shown(lines: Sequence[str], screen: Screen) -> Iterator[str]:
    return most_of(lines, len(lines) if screen.verbosity > 0 else _MOST_NAMES, "more; -v shows all")
