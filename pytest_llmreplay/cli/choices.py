"""What `promote` was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.model.case import REFERENCES
from pytest_llmreplay.model.errors import UserError

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_llmreplay.model.case import FailureCategory, FailureStage, Severity
    from pytest_llmreplay.providers.recorded import RecordMode


@dataclass(frozen=True, slots=True)
class Choices:
    """The options of `promote`, by their names."""

    ids: tuple[str, ...]
    ids_file: str | None
    where: str | None
    sample: int | None
    by: str | None
    expect: Path | None
    expect_column: str | None
    like_trace: str | None
    control: bool
    turn: int | None
    id_column: str | None
    format_name: str | None
    residual: str | None
    fake: bool
    store_personal_data: str | None
    store: str
    on_duplicate: str
    allow_passing: bool
    borrow: tuple[str, ...]
    stubs: tuple[str, ...]
    failure_category: FailureCategory | None
    failure_stage: FailureStage | None
    severity: Severity | None
    intent: str | None
    title: str | None
    summary: str | None
    owner: str | None
    due: datetime | None
    expires: datetime | None
    tags: tuple[str, ...]
    promoted_by: str | None
    reproduce: int | None
    variant: str | None
    max_cost: float | None
    record: RecordMode | None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Choices:
        """The options, after those that exclude each other are refused.

        Raises:
            UserError: two options exclude each other, or a reason is empty.
        """
        choices = cls(**{field.name: options[field.name] for field in fields(cls)})
        given = [name for name in ("expect", "expect_column", "like_trace") if getattr(choices, name) is not None]
        if len(given) > 1:
            names = " and ".join("--" + name.replace("_", "-") for name in given)
            raise UserError(f"{names} exclude each other")
        if choices.store == REFERENCES and choices.borrow:
            fix = "a borrowed result is another customer's text; write one with --stub TOOL=JSON"
            raise UserError("--store references and --borrow exclude each other", fix=fix)
        if (choices.reproduce is None) != (choices.variant is None):
            raise UserError("--reproduce N and --variant V belong together")
        if choices.reproduce is None and (choices.max_cost is not None or choices.record is not None):
            raise UserError("--max-cost and --record say nothing without --reproduce")
        if choices.store_personal_data is not None:
            if not choices.store_personal_data.strip():
                raise UserError("needs a reason, which is kept in each case", key="--store-personal-data")
            if choices.fake or choices.residual:
                raise UserError("--store-personal-data redacts nothing, so --fake and --residual say nothing with it")
        return choices
