"""What a judge has shown against people's labels, the file that keeps it, and whether it still counts."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pytest_llmreplay.judge.agreement import Figures
from pytest_llmreplay.model.errors import UserError

Mode = Literal["pointwise", "pairwise"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """One calibration: a judge with a rubric against the labels of a file, on a day.

    `label_digest` is that of the labels and of what was judged, `slices` the figures by column and value, `repeats`
    how often each question was asked, `threshold` the share of a rubric's weight at which the verdicts agreed best.
    `model`, `rubric` and `labels` name the three for people.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    judge_digest: str
    rubric_digest: str
    label_digest: str
    date: dt.date
    mode: Mode
    model: str
    rubric: str
    labels: str
    repeats: int
    figures: Figures
    threshold: float | None = None
    slices: Mapping[str, Mapping[str, Figures]] = field(default_factory=dict)


def calibration_path(judge_file: Path) -> Path:
    """Where the calibrations of a judge are kept: beside its file, `judge.calibration.json` for `judge.yaml`."""
    return judge_file.with_name(f"{judge_file.stem}.calibration.json")


def calibration_text(calibrations: Sequence[Calibration]) -> str:
    """The content of the file: the newest calibration, and below `others` those with other rubrics or modes."""
    newest, *others = (asdict(calibration) for calibration in calibrations)
    return json.dumps({**newest, "others": others}, indent=2, default=str) + "\n"


def read_calibrations(path: Path) -> tuple[Calibration, ...]:
    """The calibrations in a file, the newest first; none when there is no such file.

    Raises:
        UserError: the file cannot be read, or holds something else.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise UserError(f"cannot be read: {error}", file=str(path), fix=_REDO) from error
    if not isinstance(data, dict):
        raise UserError("is no calibration", file=str(path), fix=_REDO)
    others = data.pop("others", [])
    try:
        return tuple(TypeAdapter(list[Calibration]).validate_python([data, *others]))
    except TypeError as error:
        raise UserError("is no calibration", file=str(path), key="others", fix=_REDO) from error
    except ValidationError as error:
        wrong = error.errors()[0]
        key = ".".join(str(part) for part in wrong["loc"][1:])
        raise UserError(f"is no calibration: {wrong['msg']}", file=str(path), key=key, fix=_REDO) from error


def updated(known: Sequence[Calibration], new: Calibration) -> tuple[Calibration, ...]:
    """The new calibration before those of the same judge that it does not replace."""
    kept = [
        other
        for other in known
        if other.judge_digest == new.judge_digest and (other.rubric_digest, other.mode) != (new.rubric_digest, new.mode)
    ]
    return new, *kept


def calibration_for(
    calibrations: Sequence[Calibration], *, rubric_digest: str, mode: Mode = "pointwise"
) -> Calibration | None:
    """The calibration with this rubric, else the newest one (whose problem is then named), else None."""
    fitting = (one for one in calibrations if (one.rubric_digest, one.mode) == (rubric_digest, mode))
    return next(fitting, calibrations[0] if calibrations else None)


def calibration_problem(
    calibration: Calibration | None,
    *,
    rubric_digest: str,
    judge_digest: str,
    today: dt.date,
    min_kappa: float,
    max_age_days: int,
    mode: Mode = "pointwise",
) -> str | None:
    """Why the judge's verdicts are advisory, in a few words; None when they count.

    They count when the judge was calibrated as it is, with this rubric, recently enough, when its kappa reaches the
    floor, and when the interval of kappa with the items as the units lies above 0: below that, agreement by chance
    is not excluded.
    """
    if calibration is None:
        return "the judge was never calibrated"
    if calibration.judge_digest != judge_digest:
        return "the judge has changed since it was calibrated"
    if calibration.rubric_digest != rubric_digest:
        return "the judge was calibrated with another rubric"
    if calibration.mode != mode:
        return f"the judge was calibrated {calibration.mode} and is asked {mode}"
    return _age_problem(calibration.date, today, max_age_days) or kappa_problem(calibration.figures, min_kappa)


def kappa_problem(figures: Figures, min_kappa: float) -> str | None:
    """Why figures give a judge no power over a gate; None when they do."""
    if figures.kappa is None or figures.kappa_low_by_item is None or figures.kappa_high_by_item is None:
        return "kappa is not defined: labels and verdicts are all of one and the same class, or all off the menu"
    interval = (
        f"kappa is {figures.kappa:.2f} (95 % {figures.kappa_low_by_item:.2f} to {figures.kappa_high_by_item:.2f})"
    )
    # A kappa that reaches the floor but for the rounding of a division reaches it.
    if figures.kappa < min_kappa - 1e-9:
        return f"{interval}, below the floor of {min_kappa:g}"
    if figures.kappa_low_by_item <= 0:
        return f"{interval}: on {figures.items} items that may be chance"
    return None


def _age_problem(date: dt.date, today: dt.date, max_age_days: int) -> str | None:
    age = (today - date).days
    if age < -1:
        return f"the calibration is dated {date}, in the future"
    return f"the calibration is {age} days old; at most {max_age_days} count" if age > max_age_days else None


_REDO = "calibrate again with pytest-llmreplay judge calibrate LABELS --judge FILE"
