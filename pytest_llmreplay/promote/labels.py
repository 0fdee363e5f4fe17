"""Labels proposed by rules that can be read, each with its evidence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from pytest_llmreplay.checks import check_trajectory
from pytest_llmreplay.model import phrases
from pytest_llmreplay.model.canonical import canonical_arguments
from pytest_llmreplay.model.case import Case, FailureCategory, FailureStage, Severity
from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.model.expectation import parse_expectation
from pytest_llmreplay.model.trajectory import Trajectory
from pytest_llmreplay.promote.logged import negative_feedback
from pytest_llmreplay.promote.pipeline import Step
from pytest_llmreplay.promote.recorded import recorded_trajectory

EVIDENCE = "label_evidence"
"""The key of the case's metadata that keeps why its labels were proposed."""

_REFUSAL, _ERROR, _SAYS_TROUBLE = map(re.compile, (phrases.REFUSAL, phrases.ERROR, phrases.SAYS_TROUBLE))

Written = Callable[[str, Case], str]
"""Given what a person wrote about a case: the same, redacted as the case was."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a rule found: the failure's category and stage, and the words that show it."""

    rule: str
    category: FailureCategory
    stage: FailureStage
    evidence: str


@dataclass(frozen=True, slots=True)
class Given:
    """The labels that a person gave; None leaves them to the rules."""

    failure_category: FailureCategory | None = None
    failure_stage: FailureStage | None = None
    severity: Severity | None = None
    intent: str | None = None
    summary: str | None = None
    title: str | None = None
    owner: str | None = None
    due: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def says_something(self) -> bool:
        """Whether any label was given."""
        return any(getattr(self, name) for name in self.__dataclass_fields__)


def label(given: Given, written: Written = lambda text, _case: text) -> Step:
    """The step that labels a case: what a person gave, else what the first rule that holds proposes.

    `written` redacts what a person wrote about a case as the case was.
    """

    def step(case: Case) -> Case:
        found = list(proposals(case)) if case.kind == "incident" else []
        first = found[0] if found else None
        metadata = dict(case.metadata)
        if found:
            metadata[EVIDENCE] = {one.rule: one.evidence for one in found}
        severe = any(one.rule == "negative feedback" for one in found)
        proposed = replace(
            case,
            failure_category=case.failure_category or (first.category if first else None),
            failure_stage=case.failure_stage or (first.stage if first else None),
            severity=case.severity or ("high" if severe else "medium" if first else None),
            title=case.title or proposed_title(case),
            summary=case.summary or (f"{first.rule}: {first.evidence}" if first else None),
            metadata=metadata,
        )
        return relabelled(proposed, given, written)

    return step


def proposed_title(case: Case) -> str | None:
    """The beginning of what the user said in the failing turn."""
    return _cut(_failing_words(case), 80) or None


def relabelled(case: Case, given: Given, written: Written = lambda text, _case: text) -> Case:
    """The case with the labels that a person gave; what they wrote is redacted as the case was."""

    def text(said: str | None, kept: str | None) -> str | None:
        return kept if not said else said if said == kept else written(said, case)

    return replace(
        case,
        failure_category=given.failure_category or case.failure_category,
        failure_stage=given.failure_stage or case.failure_stage,
        severity=given.severity or case.severity,
        intent=text(given.intent, case.intent),
        title=text(given.title, case.title),
        summary=text(given.summary, case.summary),
        owner=given.owner or case.owner,
        due=given.due or case.due,
        tags=tuple(dict.fromkeys((*case.tags, *(written(tag, case) for tag in given.tags)))),
    )


def proposals(case: Case) -> Iterator[Label]:
    """What the rules find in the failing turn, the most telling first."""
    trajectory = recorded_trajectory(case.messages, case.turn)
    turn = trajectory.turns[-1].produced if trajectory.turns else ()
    yield from _schema(case, trajectory)
    yield from _ignored_errors(turn)
    yield from _repeated(turn)
    yield from _answers(case, turn, trajectory.answer)
    yield from _ignored_documents(case, trajectory.answer)
    negative = next(negative_feedback(case.metadata.get("feedback")), None)
    if negative is not None:
        yield Label("negative feedback", "quality", "model", negative)


def _schema(case: Case, trajectory: Trajectory) -> Iterator[Label]:
    if case.tools is None:
        return
    report = check_trajectory(parse_expectation({"calls": {"schema": True}}), trajectory, case.tools)
    for reason in report.failures[:1]:
        rule = "unknown tool" if reason.code == "unknown_tool" else "schema error"
        yield Label(rule, "reliability", "tool", _cut(reason.message, 160))


def _ignored_errors(turn: tuple[Message, ...]) -> Iterator[Label]:
    for result, following in pairwise(turn):
        if result.role != "tool" or not _ERROR.search(result.content or "") or following.role != "assistant":
            continue
        if not following.tool_calls and not _SAYS_TROUBLE.search(following.content or ""):
            yield Label("tool error ignored", "reliability", "tool", _cut(result.content or "", 160))
            return


def _repeated(turn: tuple[Message, ...]) -> Iterator[Label]:
    seen: set[tuple[str, str]] = set()
    for call in (call for message in turn for call in message.tool_calls):
        same = (call.name, canonical_arguments(call.arguments))
        if same in seen:
            yield Label("repeated call", "cost", "model", _cut(f"{call.name}({same[1]})", 160))
            return
        seen.add(same)


def _answers(case: Case, turn: tuple[Message, ...], answer: str | None) -> Iterator[Label]:
    refusal = next((message.refusal for message in turn if message.refusal), None)
    if refusal or (answer and _REFUSAL.search(answer)):
        yield Label("refusal", "quality", "guardrail", _cut(refusal or answer or "", 160))
    elif not (answer or "").strip():
        yield Label("empty answer", "quality", "model", f"turn {case.turn} ends without an answer")


def _ignored_documents(case: Case, answer: str | None) -> Iterator[Label]:
    for step in case.steps:
        if step.kind != "retrieval" or step.turn != case.turn or not step.output or not answer:
            continue
        if len(_rare(step.output)) >= 3 and not _rare(step.output) & _rare(answer):
            name = step.name or "the retrieval"
            yield Label("retrieved documents ignored", "quality", "retrieval", f"{name} and the answer share no word")
            return


def _rare(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.casefold()) if len(word) >= 5}


def _failing_words(case: Case) -> str:
    said = [message.content or "" for message in case.messages if message.role == "user"]
    return said[case.turn - 1] if len(said) >= case.turn else ""


def _cut(text: str, longest: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
