"""What a labelled item has to show to a judge: the columns of a labels file as material. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pytest_llmreplay.judge.calibration import Mode
from pytest_llmreplay.judge.labels import Labelled, Labels
from pytest_llmreplay.judge.material import Material
from pytest_llmreplay.model.conversation import Message, Step, ToolCall
from pytest_llmreplay.model.errors import UserError

SINGLE = ("answer",)
PAIR = ("answer_1", "answer_2")


def mode_of(labels: Labels) -> Mode:
    """Whether the items are single answers or pairs of answers.

    Raises:
        UserError: an item holds neither, or its label is not from the menu that fits.
    """
    items = labels.items.values()
    mode: Mode = "pairwise" if any(name in item.cells for item in items for name in PAIR) else "pointwise"
    wanted, words = (PAIR, ("1", "2")) if mode == "pairwise" else (SINGLE, ("pass", "fail"))
    if "order" in labels.by:
        raise UserError("has no place where the judge is asked: it asks in both orders", file=labels.file, key="order")
    for item in items:
        place = f"{labels.file}: row {item.row}"
        missing = [name for name in wanted if not isinstance(item.cells.get(name), str)]
        if missing:
            raise UserError("is missing, and the judge would have nothing to judge", file=place, key=missing[0])
        if item.label not in words:
            raise UserError(f"a {mode} label is another", file=place, key="label", value=item.label, allowed=words)
    return mode


def material_of_item(item: Labelled, file: str, answer: str = "answer") -> Material:
    """An item as it can be shown to a judge.

    Args:
        item: with `input` (the user's message) or `messages` (OpenAI chat messages), and optionally `tool_results`
            (a list of `{name, arguments, result}`), `documents` (texts, or `{name, query, text, ids}`), `reference`
            and `summary`; lists may be given as JSON text.
        file: where it stands, for the errors.
        answer: the column of the answer to show.

    Raises:
        UserError: a column holds something else.
    """
    place = f"{file}: row {item.row}"
    cells = item.cells
    return Material(
        answer=_text(cells, answer, place),
        conversation=_conversation(cells, place),
        tool_results=tuple(_tool_result(cell, place) for cell in _list(cells, "tool_results", place)),
        documents=tuple(_document(cell, place) for cell in _list(cells, "documents", place)),
        reference=_text(cells, "reference", place),
        summary=_text(cells, "summary", place),
    )


def _conversation(cells: Mapping[str, Any], place: str) -> tuple[Message, ...]:
    if "messages" in cells:
        try:
            found = [Message.from_openai(message) for message in _list(cells, "messages", place)]
        except (AttributeError, ValueError) as error:
            raise UserError(f"holds something else than chat messages: {error}", file=place, key="messages") from error
        return tuple(message for message in found if message.role not in ("system", "developer"))
    said = _text(cells, "input", place)
    return () if said is None else (Message("user", said),)


def _tool_result(cell: Any, place: str) -> tuple[ToolCall, str | None]:
    name = cell.get("name", cell.get("tool")) if isinstance(cell, Mapping) else None
    if not isinstance(name, str):
        raise UserError("must be a list of {name, arguments, result}", file=place, key="tool_results", value=cell)
    return ToolCall(None, name, _as_text(cell.get("arguments")) or "{}"), _as_text(cell.get("result"))


def _document(cell: Any, place: str) -> Step:
    if isinstance(cell, str):
        return Step(1, "retrieval", output=cell)
    if not isinstance(cell, Mapping):
        raise UserError("must be a list of texts or {name, query, text, ids}", file=place, key="documents", value=cell)
    return Step(
        1,
        "retrieval",
        name=_as_text(cell.get("name")),
        input=_as_text(cell.get("query")),
        output=_as_text(cell.get("text")),
        document_ids=tuple(str(name) for name in cell.get("ids") or ()),
    )


def _list(cells: Mapping[str, Any], name: str, place: str) -> list[Any]:
    value = cells.get(name)
    if value is None or value == "":
        return []
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise UserError(f"is not JSON: {error}", file=place, key=name) from error
    if not isinstance(value, list):
        raise UserError("must be a list", file=place, key=name, value=value)
    return value


def _text(cells: Mapping[str, Any], name: str, place: str) -> str | None:
    value = cells.get(name)
    if value is not None and not isinstance(value, str):
        raise UserError("must be text", file=place, key=name, value=value)
    return value or None


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
