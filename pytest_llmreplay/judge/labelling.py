"""What people are to label: outcomes of a run as rows that say nothing of who answered or what was decided. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_llmreplay.judge.material import Material, material_of_outcome
from pytest_llmreplay.model.canonical import digest
from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """An item for a person: its id, which names the case and what was done but not who did it, and what is shown."""

    item_id: str
    material: Material
    intent: str | None


def items_of(
    outcomes: Iterable[Outcome], cases: Mapping[str, Case], references: Mapping[str, str | None]
) -> list[Unlabelled]:
    """The outcomes that have an answer, each different one once, in an order that tells nothing.

    Args:
        outcomes: of one run or several.
        cases: by id; an outcome whose case is not there or has changed since is left out.
        references: by case id, a good answer.
    """
    items: dict[str, Unlabelled] = {}
    for outcome in outcomes:
        case = cases.get(outcome.case_id)
        if outcome.answer is None or case is None or case.content_digest != outcome.case_digest:
            continue
        item_id = f"{case.case_id}-{digest([outcome.answer, outcome.calls])[:8]}"
        material = material_of_outcome(case, outcome, reference=references.get(case.case_id))
        items.setdefault(item_id, Unlabelled(item_id, material, case.intent))
    return sorted(items.values(), key=lambda item: digest(item.item_id))


def labelled_row(item: Unlabelled, label: str) -> dict[str, Any]:
    """A line of a labels file, which `material_of_item` reads back."""
    material = item.material
    row = {
        "item_id": item.item_id,
        "label": label,
        "messages": [message.to_openai() for message in material.conversation],
        "tool_results": [
            {"name": call.name, "arguments": call.arguments, "result": result} for call, result in material.tool_results
        ],
        "documents": [
            {"name": step.name, "query": step.input, "text": step.output, "ids": list(step.document_ids)}
            for step in material.documents
        ],
        "reference": material.reference,
        "summary": material.summary,
        "answer": material.answer,
        "intent": item.intent,
    }
    return {name: value for name, value in row.items() if value not in (None, [])}
