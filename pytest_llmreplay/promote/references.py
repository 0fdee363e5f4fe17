"""Cases without text: a keyed hash stands where a text was, and who may read the log brings the text back."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_llmreplay.model.canonical import canonical_json
from pytest_llmreplay.model.case import ANY_ARGUMENTS, REFERENCES, Case, RecordedResult, recorded_results_of
from pytest_llmreplay.model.conversation import Conversation, Message, Step, ToolCall
from pytest_llmreplay.model.errors import LlmReplayError
from pytest_llmreplay.promote.duplicates import user_turns
from pytest_llmreplay.promote.labels import EVIDENCE, proposed_title

_REFERENCE = re.compile(r"\[REF_[0-9a-f]{64}\]")
_CODE = re.compile(r"[\w.:/@#+\[\]-]{1,80}")
_KEPT = frozenset({"proof", "redaction", "proposed", "approval", "prompt_name", "prompt_version"})


class UnresolvedError(LlmReplayError):
    """The text of a case cannot be brought back; the place is named and the text never."""


@dataclass(frozen=True, slots=True)
class Hashes:
    """Makes references: keyed, since a short text is found by trying when its plain hash is known.

    `key` is the redaction key, taken when it is first needed.
    """

    key: Callable[[], bytes]

    def of(self, text: str) -> str:
        """The reference that stands for a text."""
        return f"[REF_{self.digest(text)}]"

    def digest(self, text: str) -> str:
        """The keyed hash of a text, as 64 hexadecimal digits."""
        return hmac.new(self.key(), b"text\0" + text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def said(self, case: Case) -> str:
        """The keyed hash of what the user said, by which an exact duplicate is known."""
        return self.digest("\n".join(user_turns(case.messages, case.turn)))


def is_reference(text: str | None) -> bool:
    """Whether a text is a reference."""
    return text is not None and _REFERENCE.fullmatch(text) is not None


def as_references(case: Case, hashes: Hashes, stands_for: list[str]) -> Case:
    """The case with references in place of its text; its expectation, tools, labels and ids stay.

    Args:
        case: a redacted case, with text.
        hashes: makes the references.
        stands_for: the pseudonyms in the case, by which the text is redacted alike when it comes back.
    """
    metadata = {name: value for name, value in case.metadata.items() if name in _KEPT or _says_no_text(value)}
    evidence: Any = case.metadata.get(EVIDENCE) or {}
    note = {"stands_for": stands_for, "said": hashes.said(case), "left_out": sorted({*case.metadata} - {*metadata})}
    return replace(
        case,
        title=None if case.title == proposed_title(case) else case.title,
        summary=next((rule for rule, why in evidence.items() if str(why) in (case.summary or "")), case.summary),
        messages=tuple(_hidden_message(message, hashes) for message in case.messages),
        steps=tuple(
            replace(step, input=_hidden(step.input, hashes), output=_hidden(step.output, hashes)) for step in case.steps
        ),
        recorded_results=tuple(_hidden_result(result, hashes) for result in case.recorded_results),
        vars={REFERENCES: hashes.of(canonical_json(dict(case.vars)))} if case.vars else {},
        metadata={**metadata, REFERENCES: note},
    )


def with_text(case: Case, conversation: Conversation, hashes: Hashes) -> Case:
    """The case with its text, taken from the conversation and verified piece by piece.

    What is no reference stays as it is in the case, so that renamed tools and edited parts survive.

    Args:
        case: a case that holds references.
        conversation: the one it was promoted from, redacted as the case was.
        hashes: with the key of the promotion.

    Raises:
        UnresolvedError: a part is missing, or is not what was promoted.
    """
    found = _Found(hashes)
    messages = found.each("messages", case.messages, conversation.messages, found.message)
    recorded = iter(recorded_results_of(conversation.messages))
    return replace(
        case,
        messages=messages,
        steps=found.each("steps", case.steps, conversation.steps, found.step),
        recorded_results=tuple(found.result(result, recorded) for result in case.recorded_results),
        vars=found.variables(case.vars, conversation.metadata.get("vars")),
    )


def reference_for(case: Case) -> dict[str, Any]:
    """What a resolver is told of a case, so that it can find the conversation."""
    origin = case.provenance
    return {
        "case_id": case.case_id,
        "trace_id": origin.trace_id,
        "correlation_ids": dict(origin.correlation_ids),
        "source_file": origin.source_file,
        "row": origin.row,
        "format": origin.format,
        "prompt_name": case.metadata.get("prompt_name"),
        "prompt_version": origin.prompt_version,
        "document_ids": [name for step in case.steps for name in step.document_ids],
    }


@dataclass(frozen=True, slots=True)
class _Found:
    """Puts texts in the place of their references."""

    hashes: Hashes

    def each(self, name: str, stored: tuple[Any, ...], given: tuple[Any, ...], fill: Callable[..., Any]) -> Any:
        if len(stored) != len(given):
            raise UnresolvedError(f"the conversation has {len(given)} {name} and the case {len(stored)}")
        return tuple(fill(one, other, f"{name}[{i}]") for i, (one, other) in enumerate(zip(stored, given, strict=True)))

    def text(self, stored: str | None, given: str | None, place: str) -> str | None:
        if not is_reference(stored):
            return stored
        if given is None or self.hashes.of(given) != stored:
            raise UnresolvedError(f"{place} is not what was promoted")
        return given

    def message(self, stored: Message, given: Message, place: str) -> Message:
        parts = stored.content_parts
        if parts is not None and is_reference(json.loads(parts) if parts.startswith('"') else None):
            parts = self.text(json.loads(parts), given.content_parts, f"{place}.content_parts")
        return replace(
            stored,
            content=self.text(stored.content, given.content, f"{place}.content"),
            content_parts=parts,
            tool_calls=self.each(f"{place}.tool_calls", stored.tool_calls, given.tool_calls, self.call),
            refusal=self.text(stored.refusal, given.refusal, f"{place}.refusal"),
        )

    def call(self, stored: ToolCall, given: ToolCall, place: str) -> ToolCall:
        return replace(stored, arguments=self.text(stored.arguments, given.arguments, f"{place}.arguments") or "")

    def step(self, stored: Step, given: Step, place: str) -> Step:
        shown = self.text(stored.output, given.output, f"{place}.output")
        return replace(stored, input=self.text(stored.input, given.input, f"{place}.input"), output=shown)

    def result(self, stored: RecordedResult, recorded: Iterator[RecordedResult]) -> RecordedResult:
        if not is_reference(stored.result) and not is_reference(stored.arguments):
            return stored
        given = next(recorded, None)
        if given is None:
            raise UnresolvedError("the conversation has fewer results of tools than the case")
        arguments = self.text(stored.arguments, given.arguments, f"the arguments of {stored.name}")
        result = self.text(stored.result, given.result, f"the result of {stored.name}")
        return replace(stored, arguments=arguments or "", result=result or "")

    def variables(self, stored: Mapping[str, Any], given: Any) -> Mapping[str, Any]:
        reference = stored.get(REFERENCES)
        if not is_reference(reference):
            return stored
        whole = dict(given) if isinstance(given, Mapping) else {}
        self.text(reference, canonical_json(whole), "vars")
        return whole


def _hidden(text: str | None, hashes: Hashes) -> str | None:
    return hashes.of(text) if text else text


def _hidden_message(message: Message, hashes: Hashes) -> Message:
    return replace(
        message,
        content=_hidden(message.content, hashes),
        content_parts=json.dumps(hashes.of(message.content_parts)) if message.content_parts else message.content_parts,
        tool_calls=tuple(replace(call, arguments=_hidden(call.arguments, hashes) or "") for call in message.tool_calls),
        refusal=_hidden(message.refusal, hashes),
    )


def _hidden_result(result: RecordedResult, hashes: Hashes) -> RecordedResult:
    """A result of production as references; what a person wrote is no customer's text, and is nowhere else."""
    if result.source != "production":
        return result
    # Arguments are canonical JSON here and never empty, so that each result of production holds a reference.
    arguments = result.arguments if result.arguments == ANY_ARGUMENTS else hashes.of(result.arguments)
    return replace(result, arguments=arguments, result=hashes.of(result.result))


def _says_no_text(value: Any) -> bool:
    """Whether a value of the metadata is a number, a code, or made of such: no sentence that somebody wrote."""
    if isinstance(value, str):
        return _CODE.fullmatch(value) is not None
    if isinstance(value, Mapping):
        return all(_says_no_text(part) for item in value.items() for part in item)
    if isinstance(value, list | tuple):
        return all(map(_says_no_text, value))
    return True
