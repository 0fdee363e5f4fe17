"""A golden case: one promoted conversation and what is expected of whoever answers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pytest_llmreplay.model.canonical import canonical_arguments, digest
from pytest_llmreplay.model.conversation import Message, Step, Tool, lost_in, tools_digest

Kind = Literal["incident", "control"]
CaseStatus = Literal["draft", "open", "fixed", "retired"]
Severity = Literal["critical", "high", "medium", "low"]
FailureCategory = Literal["quality", "safety", "security", "reliability", "cost"]
FailureStage = Literal["retrieval", "tool", "prompt", "model", "guardrail"]

SCHEMA_VERSION = 1
ANY_ARGUMENTS = "*"
"""In place of a recorded result's arguments: it answers a call of its tool whatever the arguments."""
REFERENCES = "references"
"""The key of a case's metadata that says that its text is elsewhere, and what is needed to bring it back."""


@dataclass(frozen=True, slots=True)
class RecordedResult:
    """What a tool returned in production; `arguments` is canonical JSON, `source` where the result came from."""

    turn: int
    name: str
    arguments: str
    result: str
    source: str = "production"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a case came from; `source_file` is relative to the project, `row` counts from 1."""

    trace_id: str | None = None
    source_file: str | None = None
    source_sha256: str | None = None
    row: int | None = None
    format: str | None = None
    model: str | None = None
    prompt_version: str | None = None
    promoted_at: str | None = None
    promoted_by: str | None = None
    redactor_version: str | None = None
    correlation_ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """One golden case.

    `messages` is the whole recorded conversation and `turn` the failing turn in it (from 1); `tools` is None when the
    log does not say which were offered. `expect` is the expectation as plain data, in the form of the YAML files.
    `vars` fill the system prompt's template, `occurred_at` (ISO 8601) is the replay's now. `weight` is how many
    production conversations the case stands for.
    """

    case_id: str
    suite: str
    kind: Kind
    status: CaseStatus
    messages: tuple[Message, ...]
    turn: int
    title: str | None = None
    severity: Severity | None = None
    failure_category: FailureCategory | None = None
    failure_stage: FailureStage | None = None
    intent: str | None = None
    tags: tuple[str, ...] = ()
    summary: str | None = None
    owner: str | None = None
    due: str | None = None
    tools: tuple[Tool, ...] | None = None
    vars: Mapping[str, Any] = field(default_factory=dict)
    occurred_at: str | None = None
    steps: tuple[Step, ...] = ()
    recorded_results: tuple[RecordedResult, ...] = ()
    expect: Mapping[str, Any] = field(default_factory=dict)
    weight: float = 1.0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)
    expires_at: str | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def holds_references(self) -> bool:
        """Whether keyed hashes stand in the place of its text."""
        return REFERENCES in self.metadata

    @property
    def content_digest(self) -> str:
        """Digest of all that can change the outcome of a replay; labels and provenance are not part of it."""
        return digest(
            {
                "messages": [message.to_openai() for message in self.messages],
                "turn": self.turn,
                "tools": None if self.tools is None else tools_digest(self.tools),
                "vars": dict(self.vars),
                "occurred_at": self.occurred_at,
                "recorded_results": [[r.turn, r.name, r.arguments, r.result] for r in self.recorded_results],
                "expect": self.expect,
            }
        )


def recorded_results_of(messages: tuple[Message, ...]) -> tuple[RecordedResult, ...]:
    """The tool results in a conversation, each joined to the call that it answers.

    Ids repeat in real logs, on different tools too, so a result belongs to the earliest unanswered call with its id
    since the last assistant message that made calls; a result without a usable id belongs to the next unanswered one.
    A result that the log does not hold is not recorded.
    """
    results: list[RecordedResult] = []
    pending: list[tuple[str | None, str, str]] = []
    turn = 0
    for message in messages:
        if message.role == "user":
            turn += 1
        if message.tool_calls:
            pending = [(call.id, call.name, call.arguments) for call in message.tool_calls]
        elif message.role in ("tool", "function") and pending:
            by_id = (i for i, (call_id, _, _) in enumerate(pending) if call_id == message.tool_call_id)
            _, name, arguments = pending.pop(next(by_id, 0))
            if lost_in(message) is None:
                results.append(RecordedResult(turn, name, canonical_arguments(arguments), message.content or ""))
    return tuple(results)
