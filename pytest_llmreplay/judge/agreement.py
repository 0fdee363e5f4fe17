"""How well verdicts agree with labels: the figures of a calibration. Pure.

A label is `pass` or `fail`, or the preferred side `1` or `2`; `pass` and `1` are positive. A verdict is on the menu
when it is one of the two words of its item's label, exactly; any other verdict is counted and never mapped.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_llmreplay.judge.kappa import Cell, cohen_kappa, cohen_kappa_by_item

POSITIVE: Mapping[str, str] = {"pass": "pass", "fail": "pass", "1": "1", "2": "1"}
"""By label: the positive word of its menu."""
MENU: Mapping[str, tuple[str, str]] = {
    "pass": ("pass", "fail"),
    "fail": ("pass", "fail"),
    "1": ("1", "2"),
    "2": ("1", "2"),
}
"""By label: the words that a verdict on its item may be."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict beside the label of its item.

    `group` tells judges apart, `order` names the presentation order (a judge has two), `repeat` tells apart answers to
    the same question (the least is the first). `long` says whether a positive verdict sides with length: the answer is
    longer than most, or side 1 is the longer one; None where lengths are equal or not known. `slices` are further
    columns of the item, such as its language.
    `score` is what the judge decided by, from 0 to 1; None where it does not say.
    """

    item_id: str
    label: str
    verdict: str
    group: str = ""
    order: str | None = None
    repeat: int = 1
    long: bool | None = None
    slices: Mapping[str, str] = field(default_factory=dict)
    score: float | None = None

    @property
    def question(self) -> tuple[str, str, str | None]:
        """What was asked, and of whom."""
        return self.item_id, self.group, self.order

    @property
    def on_menu(self) -> bool:
        """Whether the verdict is one of the two words of the item's menu."""
        return self.verdict in MENU[self.label]

    @property
    def cell(self) -> Cell:
        """Where it stands in the table of label and verdict; 0 is positive."""
        positive = POSITIVE[self.label]
        return int(self.label != positive), int(self.verdict != positive)


@dataclass(frozen=True, slots=True)
class Bias:
    """A difference of shares with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Figures:
    """How well the verdicts of one group agree with the labels; None where a figure is not defined.

    `n` counts the verdicts (one a question: repeats only enter `repeatability`), `items` the items, `off_menu` the
    verdicts off the menu. `accuracy`, `kappa`, `tpr` and `tnr` are those of the verdicts on the menu, `accuracy_strict`
    counts a verdict off the menu as wrong. `kappa_low` and `kappa_high` take every verdict as independent,
    `kappa_low_by_item` and `kappa_high_by_item` only the items. `table` holds true and false positives and negatives.
    """

    n: int
    items: int
    off_menu: int
    accuracy: float | None
    accuracy_strict: float | None
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None
    kappa_low_by_item: float | None
    kappa_high_by_item: float | None
    tpr: float | None
    tnr: float | None
    order_agreement: float | None
    repeatability: float | None
    length_bias: Bias | None
    table: Mapping[str, int]


def figures_of(judged: Iterable[Judged]) -> Figures:
    """The figures of one group of verdicts."""
    rows = list(judged)
    asked = first_answers(rows)
    on_menu = [row for row in asked if row.on_menu]
    by_item: defaultdict[str, list[Cell]] = defaultdict(list)
    for row in on_menu:
        by_item[row.item_id].append(row.cell)
    cells = Counter(row.cell for row in on_menu)
    hits, misses, alarms, rejections = (cells[cell] for cell in ((0, 0), (0, 1), (1, 0), (1, 1)))
    kappa = cohen_kappa([[hits, misses], [alarms, rejections]])
    items = cohen_kappa_by_item(by_item.values())
    right = hits + rejections
    return Figures(
        n=len(asked),
        items=len({row.item_id for row in asked}),
        off_menu=len(asked) - len(on_menu),
        accuracy=_ratio(right, len(on_menu)),
        accuracy_strict=_ratio(right, len(asked)),
        kappa=kappa.value if kappa else None,
        kappa_low=kappa.low if kappa else None,
        kappa_high=kappa.high if kappa else None,
        kappa_low_by_item=items.low if items else None,
        kappa_high_by_item=items.high if items else None,
        tpr=_ratio(hits, hits + misses),
        tnr=_ratio(rejections, rejections + alarms),
        order_agreement=order_agreement(asked),
        repeatability=repeatability(rows),
        length_bias=length_bias(on_menu),
        table={"tp": hits, "fn": misses, "fp": alarms, "tn": rejections},
    )


def first_answers(rows: Sequence[Judged]) -> list[Judged]:
    """One verdict a question (an item in an order, asked of one judge): the first that was given."""
    first: dict[tuple[str, str, str | None], Judged] = {}
    for row in rows:
        known = first.get(row.question)
        if known is None or row.repeat < known.repeat:
            first[row.question] = row
    return list(first.values())


def order_agreement(asked: Iterable[Judged]) -> float | None:
    """Cohen's kappa between the two presentation orders, over the items judged in both.

    As the authors of LLMBar compute it: every answer other than the positive one is one class, off the menu or not
    (Zeng et al. 2024, Evaluating large language models at evaluating instruction following, ICLR).
    """
    orders: defaultdict[str, dict[str, int]] = defaultdict(dict)
    answers: defaultdict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for row in asked:
        if row.order is not None:
            places = orders[row.group]
            place = places.setdefault(row.order, len(places))
            answers[row.item_id, row.group][place] = row.cell[1]
    table = [[0, 0], [0, 0]]
    for given in answers.values():
        if len(given) == 2:
            table[given[0]][given[1]] += 1
    kappa = cohen_kappa(table)
    return kappa.value if kappa else None


def repeatability(rows: Iterable[Judged]) -> float | None:
    """The chance that two answers to one question are the same word, averaged over the questions asked repeatedly."""
    answers: defaultdict[tuple[str, str, str | None], list[str]] = defaultdict(list)
    for row in rows:
        answers[row.question].append(row.verdict)
    shares = []
    for words in answers.values():
        if len(words) > 1:
            alike = sum(count * (count - 1) for count in Counter(words).values())
            shares.append(alike / (len(words) * (len(words) - 1)))
    return _ratio(sum(shares), len(shares))


def length_bias(on_menu: Iterable[Judged]) -> Bias | None:
    """How much more often the verdicts side with length than the labels do, as a difference of shares.

    A decision sides with length when it passes an answer longer than the median or fails a shorter one, or prefers the
    longer of two. People may rightly prefer longer answers; only the judge's excess over them is bias (Saito et al.
    2023, Verbosity bias in preference labeling by large language models). The items are the units of the interval.
    """
    from pytest_llmreplay.compare.intervals import paired_interval

    excess: defaultdict[str, list[int]] = defaultdict(list)
    for row in on_menu:
        if row.long is not None:
            label, verdict = row.cell
            excess[row.item_id].append((label - verdict) if row.long else (verdict - label))
    if not excess:
        return None
    means = [sum(values) / len(values) for values in excess.values()]
    return Bias(sum(means) / len(means), *paired_interval(means))


def by_slice(rows: Iterable[Judged]) -> dict[str, dict[str, Figures]]:
    """The figures by each further column of the items and each of its values."""
    sliced: defaultdict[str, defaultdict[str, list[Judged]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for column, value in row.slices.items():
            sliced[column][value].append(row)
    return {
        column: {value: figures_of(part) for value, part in sorted(values.items())}
        for column, values in sorted(sliced.items())
    }


def disagreements(rows: Sequence[Judged]) -> list[Judged]:
    """The first verdicts on the menu that differ from their label, for a person to read."""
    return [row for row in first_answers(rows) if row.on_menu and row.verdict != row.label]


def _ratio(part: float, whole: int) -> float | None:
    return part / whole if whole else None
