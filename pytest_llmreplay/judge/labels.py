"""Labels of people and verdicts of a judge, read from the columns of a table and put beside each other. Pure."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_llmreplay.judge.agreement import MENU, Judged
from pytest_llmreplay.model.canonical import digest
from pytest_llmreplay.model.errors import UserError

Columns = Mapping[str, Sequence[Any]]
Key = tuple[str, str | None, str | None]
"""Item, group, order; the last two are None where the labels do not tell them apart."""

ALL = "all"
"""The group of everything where no file says another."""
LANGUAGE = "language"
_NONE = "(none)"
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Labelled:
    """An item with its label; `row` (from 1) is its place in the file, `cells` what the row holds besides.

    `long` is that of `Judged`.
    """

    item_id: str
    label: str
    row: int
    group: str | None = None
    order: str | None = None
    long: bool | None = None
    slices: Mapping[str, str] = field(default_factory=dict)
    cells: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a file; `by` says what beside the item tells them apart: `group`, `order`, both or neither.

    `unlabelled` counts the rows without a label.
    """

    file: str
    items: Mapping[Key, Labelled]
    by: tuple[str, ...]
    unlabelled: int

    @property
    def digest(self) -> str:
        """Digest of the labels and of what was labelled, whatever the order of the rows."""
        return digest(sorted([*key_text(key), item.label, _text(dict(item.cells))] for key, item in self.items.items()))


@dataclass(frozen=True, slots=True)
class Given:
    """A verdict as it was given; `score` is what the judge decided by, if it says so (0 to 1)."""

    item_id: str
    verdict: str
    group: str | None = None
    order: str | None = None
    repeat: int = 1
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """Verdicts beside labels, by group; the ids of items of which only one is there; how many rows have no label."""

    groups: Mapping[str, Sequence[Judged]]
    without_label: tuple[str, ...]
    without_verdict: tuple[str, ...]
    unlabelled: int


def labels_of(columns: Columns, file: str, slices: Sequence[str] = ()) -> Labels:
    """Read labels.

    Args:
        columns: with `item_id` and `label`; `group` and `order` where a label holds only there; `language` and the
            columns in `slices` to slice by; `answer`, or `answer_1` and `answer_2`, for the length bias.
        file: where they stand, for the errors.
        slices: names of further columns to slice by.

    Raises:
        UserError: a column is missing, a label is none of the allowed words, or an item has two labels.
    """
    _need(columns, ("item_id", "label", *slices), file, f"it has {', '.join(columns) or 'none'}")
    by = tuple(name for name in ("group", "order") if name in columns)
    long = _long(columns)
    sliced = [name for name in dict.fromkeys((LANGUAGE, *slices)) if name in columns]
    rest = [name for name in columns if name not in ("item_id", "label", "group", "order")]
    items: dict[Key, Labelled] = {}
    unlabelled = 0
    for index, (item_id, label) in enumerate(
        zip(map(word, columns["item_id"]), map(word, columns["label"]), strict=True)
    ):
        if not label:
            unlabelled += 1
            continue
        _check_label(item_id, label, file, index + 1)
        item = Labelled(
            item_id,
            label,
            index + 1,
            group=_cell(columns, "group", index),
            order=_cell(columns, "order", index),
            long=long[index] if long else None,
            slices={name: word(columns[name][index]) or _NONE for name in sliced},
            cells={name: columns[name][index] for name in rest if columns[name][index] is not None},
        )
        known = items.setdefault((item.item_id, item.group, item.order), item)
        if known.label != label:
            raise UserError(
                f"has two labels, in rows {known.row} and {index + 1}", file=file, key="item_id", value=item_id
            )
    if not items:
        raise UserError("holds no label", file=file, key="label")
    return Labels(file, items, by, unlabelled)


def verdicts_of(columns: Columns, file: str) -> list[Given]:
    """Read verdicts.

    Args:
        columns: with `item_id` and `verdict`; optional `group`, `order`, `repeat` (a whole number, where the judge was
            asked repeatedly) and `score`.
        file: where they stand, for the errors.

    Raises:
        UserError: a column is missing, there are two verdicts on one question, or more than two orders.
    """
    _need(columns, ("item_id", "verdict"), file, "a file of verdicts has item_id and verdict")
    given = [
        Given(
            item_id,
            word(verdict),
            _cell(columns, "group", index),
            _cell(columns, "order", index),
            _repeat(columns, index, file),
            _score(columns, index, file),
        )
        for index, (item_id, verdict) in enumerate(zip(map(word, columns["item_id"]), columns["verdict"], strict=True))
    ]
    _check_unique(given, "repeat" in columns, file)
    return given


def join(labels: Labels, given: Sequence[Given]) -> Joined:
    """Put each verdict beside the label of its item.

    A label holds for every verdict on its item. Where both files have `group` (or `order`) it holds only for verdicts
    of that group (or order); where only the labels have `group`, it groups the verdicts too.

    Raises:
        UserError: no verdict has a label, or an item has two labels and the verdicts do not tell which is meant.
    """
    by = tuple(name for name in labels.by if any(getattr(one, name) is not None for one in given))
    known = _known(labels, by)
    groups: defaultdict[str, list[Judged]] = defaultdict(list)
    without_label: dict[str, None] = {}
    met: set[Key] = set()
    for one in given:
        key = (one.item_id, one.group if "group" in by else None, one.order if "order" in by else None)
        item = known.get(key)
        if item is None:
            without_label[one.item_id] = None
            continue
        met.add(key)
        group = one.group or item.group or ALL
        judged = Judged(
            one.item_id, item.label, one.verdict, group, one.order, one.repeat, item.long, item.slices, one.score
        )
        groups[group].append(judged)
    if not groups:
        raise UserError("no verdict belongs to any of its items", file=labels.file, key="item_id")
    without_verdict = dict.fromkeys(key[0] for key in known if key not in met)
    return Joined(dict(groups), tuple(without_label), tuple(without_verdict), labels.unlabelled)


def word(value: Any) -> str:
    """A cell as a word: text without white space around it, whole numbers without a point, nothing as empty text."""
    if isinstance(value, str):
        return value.strip()
    if value is None or value != value:  # NaN is how tables of other tools spell an empty cell  # noqa: PLR0124
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else _text(value)


def key_text(key: Key) -> tuple[str, str, str]:
    """A key whose parts can be sorted."""
    item_id, group, order = key
    return item_id, group or "", order or ""


def _known(labels: Labels, by: Sequence[str]) -> dict[Key, Labelled]:
    known: dict[Key, Labelled] = {}
    for item in labels.items.values():
        key = (item.item_id, item.group if "group" in by else None, item.order if "order" in by else None)
        other = known.setdefault(key, item)
        if other.label != item.label:
            raise UserError(
                f"has two labels, in rows {other.row} and {item.row}, and the verdicts do not tell which is meant",
                file=labels.file,
                key="item_id",
                value=item.item_id,
            )
        if "group" not in by and other.group != item.group:
            raise UserError(
                f"is in two groups, in rows {other.row} and {item.row}, and the verdicts do not tell which is meant",
                file=labels.file,
                key="item_id",
                value=item.item_id,
            )
    return known


def _need(columns: Columns, names: Sequence[str], file: str, fix: str) -> None:
    for name in names:
        if name not in columns:
            raise UserError(f"has no column '{name}'", file=file, fix=fix)


def _check_label(item_id: str, label: str, file: str, row: int) -> None:
    place = f"{file}: row {row}"
    if not item_id:
        raise UserError("is empty", file=place, key="item_id")
    if label not in MENU:
        raise UserError("unknown label", file=place, key="label", value=label, allowed=list(MENU))


def _check_unique(given: Sequence[Given], with_repeats: bool, file: str) -> None:
    rows: dict[tuple[str, str | None, str | None, int], int] = {}
    orders: defaultdict[str | None, set[str]] = defaultdict(set)
    for row, one in enumerate(given, start=1):
        known = rows.setdefault((one.item_id, one.group, one.order, one.repeat), row)
        if known != row:
            where = "".join(
                f", {name} {value!r}" for name, value in (("group", one.group), ("order", one.order)) if value
            )
            raise UserError(
                f"has two verdicts, in rows {known} and {row}{where}",
                file=file,
                key="item_id",
                value=one.item_id,
                fix="number them in 'repeat'" if with_repeats else "number repeated answers in a column 'repeat'",
            )
        if one.order is not None:
            orders[one.group].add(one.order)
    for found in orders.values():
        if len(found) > 2:
            raise UserError("there are two presentation orders", file=file, key="order", value=", ".join(sorted(found)))


def _cell(columns: Columns, name: str, index: int) -> str | None:
    return (word(columns[name][index]) or _NONE) if name in columns else None


def _repeat(columns: Columns, index: int, file: str) -> int:
    if "repeat" not in columns:
        return 1
    text = word(columns["repeat"][index])
    if not text.removeprefix("-").isdecimal():
        raise UserError("must be a whole number", file=f"{file}: row {index + 1}", key="repeat", value=text)
    return int(text)


def _score(columns: Columns, index: int, file: str) -> float | None:
    text = word(columns["score"][index]) if "score" in columns else ""
    try:
        return float(text) if text else None
    except ValueError:
        raise UserError("must be a number", file=f"{file}: row {index + 1}", key="score", value=text) from None


def _long(columns: Columns) -> list[bool | None] | None:
    """For each row whether a positive verdict sides with length; None where the answers are not there."""
    if "answer_1" in columns and "answer_2" in columns:
        return [
            None if one is None or other is None or len(one) == len(other) else len(one) > len(other)
            for one, other in zip(_texts(columns["answer_1"]), _texts(columns["answer_2"]), strict=True)
        ]
    if "answer" not in columns:
        return None
    lengths = [None if text is None else len(text) for text in _texts(columns["answer"])]
    known = [length for length in lengths if length is not None]
    middle = statistics.median(known) if known else 0
    return [None if length is None or length == middle else length > middle for length in lengths]


def _texts(cells: Sequence[Any]) -> Iterator[str | None]:
    return (cell if isinstance(cell, str) else None for cell in cells)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
