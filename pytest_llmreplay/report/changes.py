"""What an engineer hands over: the changes from V1 to V2, with the evidence for each and the cases that they moved."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_llmreplay.compare import Comparison
from pytest_llmreplay.compare.wording import percent
from pytest_llmreplay.model.conversation import Tool
from pytest_llmreplay.model.variant import Variant
from pytest_llmreplay.report.comparison import notes_of
from pytest_llmreplay.report.markdown import code, escaped
from pytest_llmreplay.report.text import printable

_MOST_CASES = 200


def changes_text(
    before: Variant, after: Variant, comparison: Comparison, *, runs: Iterable[Mapping[str, Any]] = ()
) -> str:
    """The changes as Markdown.

    Args:
        before: the baseline, with all that it refers to.
        after: the candidate.
        comparison: of the two.
        runs: what their runs say of themselves.
    """
    sections = [
        f"# Changes from {escaped(comparison.baseline)} to {escaped(comparison.candidate)}",
        escaped(comparison.sentence),
        *_what_changed(before, after),
        *_evidence(before, after, comparison, runs),
        *_cases(comparison),
        *(f"> {escaped(note)}" for note in notes_of(comparison)),
    ]
    return "\n\n".join(sections) + "\n"


def _what_changed(before: Variant, after: Variant) -> Iterator[str]:
    found = [
        *_section("System prompt", _prompt_diff(before.system_prompt, after.system_prompt)),
        *_tools(before.tools, after.tools),
        *_section("Target and parameters", _json_diff(_target(before), _target(after))),
        *_section("Replay settings", _json_diff(before.replay.model_dump(), after.replay.model_dump())),
        *_section("Examples", _json_diff(*([m.to_openai() for m in v.examples] for v in (before, after)))),
    ]
    yield from found or ["Nothing that could change an outcome differs between the two variants."]


def _evidence(
    before: Variant, after: Variant, comparison: Comparison, runs: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    yield "## Evidence"
    lines = []
    tallies = (comparison.baseline_trials, comparison.candidate_trials)
    names = (comparison.baseline, comparison.candidate)
    for variant, name, tally in zip((before, after), names, tallies, strict=True):
        rate = comparison.pass_rates[name]
        low, high = rate.interval
        lines.append(
            f"- {code(name)}: pass rate {percent(rate.rate)} (95 % interval {percent(low)} to {percent(high)}) over "
            f"{comparison.overall.cases} cases; {tally.trials} trials, {tally.passed} passed, {tally.failed} failed, "
            f"{tally.error} errors, {tally.unmeasured} unmeasured, {tally.not_run} not run; digest "
            f"{code(variant.digest[:16])}"
        )
    for run in runs:
        commit = f", commit {code(str(run['git_commit']))}" if run.get("git_commit") else ""
        if run.get("run_id"):
            lines.append(f"- run {code(str(run['run_id']))}{commit}")
    yield "\n".join(lines)


def _cases(comparison: Comparison) -> Iterator[str]:
    for direction, title in (("fixed", "Cases that it fixed"), ("regressed", "Cases that it broke")):
        flips = [flip for flip in comparison.flips if flip.direction == direction]
        yield f"## {title}: {len(flips)}"
        lines = [
            f"- {code(flip.case_id)} ({flip.cause}{', flaky' if flip.label == 'flaky' else ''}) {code(flip.detail)}"
            for flip in flips[:_MOST_CASES]
        ]
        if len(flips) > _MOST_CASES:
            lines.append(f"- and {len(flips) - _MOST_CASES} more")
        if lines:
            yield "\n".join(line.rstrip() for line in lines)


def _tools(before: Sequence[Tool] | None, after: Sequence[Tool] | None) -> Iterator[str]:
    if before == after:
        return
    if before is None or after is None:
        said = {None: "as recorded in each case"}
        sides = [
            said[None] if tools is None else ", ".join(code(tool.name) for tool in tools) for tools in (before, after)
        ]
        yield f"## Tools\n\n{sides[0]} → {sides[1]}"
        return
    old, new = ({tool.name: tool for tool in tools} for tools in (before, after))
    lines = [
        *(f"- removed {code(name)}" for name in old if name not in new),
        *(f"- added {code(name)}" for name in new if name not in old),
    ]
    diffs = [
        f"### {code(name)}\n\n{_fence(_json_diff(_tool(old[name]), _tool(new[name])))}"
        for name in old
        if name in new and old[name] != new[name]
    ]
    if list(old) != list(new) and not lines:
        lines.append("- the order changed: " + ", ".join(code(name) for name in new))
    yield "\n\n".join(["## Tools", *(["\n".join(lines)] if lines else []), *diffs])


def _tool(tool: Tool) -> Any:
    try:
        return {**tool.to_openai()["function"], "effect": tool.effect}
    except ValueError:
        return {"name": tool.name, "description": tool.description, "parameters": tool.parameters}


def _target(variant: Variant) -> dict[str, Any]:
    shown: dict[str, Any] = variant.target.model_dump(mode="json", exclude_none=True, exclude={"api_key_env"})
    return shown


def _prompt_diff(before: str | None, after: str | None) -> list[str]:
    sides = [["(as recorded in each case)"] if prompt is None else prompt.splitlines() for prompt in (before, after)]
    return _diff(*sides)


def _json_diff(before: Any, after: Any) -> list[str]:
    return _diff(*(json.dumps(v, indent=2, ensure_ascii=False, default=str).splitlines() for v in (before, after)))


def _diff(before: Sequence[str], after: Sequence[str]) -> list[str]:
    return [line.rstrip("\n") for line in difflib.unified_diff(before, after, lineterm="", n=3)][2:]


def _section(title: str, diff: Sequence[str]) -> Iterator[str]:
    if diff:
        yield f"## {title}\n\n{_fence(diff)}"


def _fence(lines: Sequence[str]) -> str:
    text = printable("\n".join(lines))
    longest = max((len(run) for run in re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}diff\n{text}\n{fence}"
