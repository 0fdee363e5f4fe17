"""The terminal summary of a run: outcomes by variant, the comparison, what regressed, what could not be measured."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from pytest_llmreplay.compare.ratchet import item_verdict
from pytest_llmreplay.model.outcome import Outcome, OutcomeStatus
from pytest_llmreplay.report.judged import judge_lines
from pytest_llmreplay.report.text import one_line, printable

_MOST_NAMES = 10
_STATUSES: tuple[OutcomeStatus, ...] = ("passed", "failed", "error", "unmeasured", "not_run")


@dataclass(frozen=True, slots=True)
class RunView:
    """What a summary is made of; `baseline` is the baseline's name, `variants` their order."""

    outcomes: Sequence[Outcome]
    variants: Sequence[str]
    baseline: str | None


def summary_text(view: RunView) -> str:
    """The whole summary."""
    return "\n\n".join(block for block in _blocks(view) if block)


def _blocks(view: RunView) -> Iterator[str]:
    yield _variant_table(view)
    if view.baseline is not None:
        yield from _comparisons(view)
    elif len(view.variants) > 1:
        yield "No baseline is named, so nothing is compared; add --llmreplay-baseline NAME."
    yield _judge(view)
    yield _regressed(view)
    yield _now_passing(view)
    yield _troubles(view)
    yield _missing_results(view)


def _variant_table(view: RunView) -> str:
    rows = []
    for variant in view.variants:
        outcomes = [outcome for outcome in view.outcomes if outcome.variant == variant]
        counts = Counter(outcome.status for outcome in outcomes)
        name = f"{variant} (baseline)" if variant == view.baseline else variant
        rows.append([name, *(counts[status] for status in _STATUSES), *_usage_cells(outcomes)])
    headers = ["variant", "passed", "failed", "error", "unmeasured", "not run", "mean latency", "tokens", "USD", "live"]
    return tabulate(rows, headers=headers, disable_numparse=True, stralign="right", colalign=("left",))


def _usage_cells(outcomes: Iterable[Outcome]) -> list[str]:
    ran = [outcome for outcome in outcomes if outcome.live_share is not None]
    latencies = [outcome.latency_s for outcome in ran if outcome.latency_s is not None]
    tokens = [
        o.input_tokens + o.output_tokens for o in ran if o.input_tokens is not None and o.output_tokens is not None
    ]
    costs = [outcome.cost_usd for outcome in ran if outcome.cost_usd is not None]
    steps = sum(outcome.steps for outcome in ran)
    live = sum(outcome.steps * (outcome.live_share or 0) for outcome in ran)
    return [
        f"{sum(latencies) / len(latencies):.2f} s" if latencies else "-",
        f"{sum(tokens):,}" if tokens else "-",
        f"{sum(costs):.4f}" if costs else "-",
        f"{live / steps:.0%}" if steps else "-",
    ]


def _comparisons(view: RunView) -> Iterator[str]:
    from pytest_llmreplay.compare import compare_outcomes
    from pytest_llmreplay.model.outcome import outcome_row

    rows = [outcome_row(outcome) for outcome in view.outcomes]
    present = {outcome.variant for outcome in view.outcomes}
    for candidate in view.variants:
        if candidate == view.baseline or candidate not in present or view.baseline not in present:
            continue
        comparison = compare_outcomes(rows, baseline=str(view.baseline), candidate=candidate)
        counts: Mapping[str, Any] = comparison.counts
        table = tabulate([list(counts.values())], headers=[name.replace("_", " ") for name in counts])
        causes = [f"  {one_line(cluster.line, 200)}" for cluster in comparison.clusters[:_MOST_NAMES]]
        said = [table, printable(comparison.sentence), *causes, *_more(len(comparison.clusters))]
        yield "\n".join([f"{view.baseline} -> {candidate}, by case", *said])


def _regressed(view: RunView) -> str:
    red = [outcome for outcome in view.outcomes if _verdict(view, outcome) == "failed"]
    if not red:
        return ""
    lines = ["Regressed: these must pass and do not"]
    for outcome in red[:_MOST_NAMES]:
        why = f": {outcome.reasons[0].code}" if outcome.reasons else ""
        lines.append(f"  {outcome.case_id} [{outcome.variant}-{outcome.trial}] ({outcome.kind}){why}")
    return "\n".join([*lines, *_more(len(red))])


def _judge(view: RunView) -> str:
    from pytest_llmreplay.model.outcome import outcome_row

    return "\n".join(judge_lines(outcome_row(outcome) for outcome in view.outcomes if outcome.verdict is not None))


def _now_passing(view: RunView) -> str:
    lines = []
    for variant in view.variants:
        verdicts = Counter(_verdict(view, outcome) for outcome in view.outcomes if outcome.variant == variant)
        if verdicts["now_passes"] or verdicts["known_failing"]:
            lines.append(
                f"Open incidents on {variant}: {verdicts['now_passes']} now pass, "
                f"{verdicts['known_failing']} are known and still fail"
            )
    return "\n".join(lines)


def _troubles(view: RunView) -> str:
    troubled = [outcome for outcome in view.outcomes if outcome.status == "error"]
    if not troubled:
        return ""
    by_message: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in troubled:
        by_message[outcome.reasons[0].message if outcome.reasons else "no reason was kept"].append(outcome)
    lines = ["Errors: trouble on the way, neither pass nor fail"]
    for message, outcomes in list(by_message.items())[:_MOST_NAMES]:
        lines.append(f"  {len(outcomes)} x {one_line(message, 200)}")
    return "\n".join([*lines, *_more(len(by_message))])


def _missing_results(view: RunView) -> str:
    """Unmeasured cases by tool, with the command that would add the missing result."""
    by_tool: dict[str, list[Outcome]] = defaultdict(list)
    others: Counter[str] = Counter()
    for outcome in view.outcomes:
        if outcome.status != "unmeasured":
            continue
        missing = [answer.name for answer in outcome.tool_answers if answer.source == "unrecorded"]
        for tool in dict.fromkeys(missing):
            by_tool[tool].append(outcome)
        if not missing and outcome.reasons:
            others[outcome.reasons[0].message.splitlines()[0]] += 1
    lines = []
    for tool, outcomes in sorted(by_tool.items()):
        cases = list(dict.fromkeys(outcome.case_id for outcome in outcomes))
        command = shlex.join(["pytest-llmreplay", "golden", "stub", cases[0], f"{tool}=JSON"])
        lines.append(
            f"  {one_line(tool)}: no recorded result in {len(cases)} case(s); add one: {one_line(command, 200)}"
        )
    lines += [f"  {count} x {one_line(message, 200)}" for message, count in others.most_common(_MOST_NAMES)]
    return "\n".join(["Unmeasured", *lines]) if lines else ""


def _verdict(view: RunView, outcome: Outcome) -> str:
    return item_verdict(
        kind=outcome.kind,
        case_status=outcome.case_status,
        status=outcome.status,
        baseline=outcome.variant == view.baseline,
    )


def _more(count: int) -> list[str]:
    return [f"  (+{count - _MOST_NAMES} more)"] if count > _MOST_NAMES else []
