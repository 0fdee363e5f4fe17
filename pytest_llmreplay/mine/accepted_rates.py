"""The accepted rates of a suite's watches: a small JSON file to be committed, without a word of any customer."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from pytest_llmreplay.mine.failure_signal import FailureSignal, Source
from pytest_llmreplay.mine.monitoring import Rate
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.written import Written, parse_written


class AcceptedSignal(Written):
    """The failure signal that was counted."""

    source: Source
    called: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    anywhere: bool = False

    @classmethod
    def of(cls, signal: FailureSignal) -> AcceptedSignal:
        """The same, as it is written."""
        return cls(
            source=signal.source,
            called=signal.called,
            missing=signal.missing,
            signals=signal.signals,
            anywhere=signal.anywhere,
        )


class AcceptedRate(Written):
    """What was accepted for one case: of `similar` conversations up to `until` so many `shown` its failure signal."""

    signal: AcceptedSignal
    similar_from: float = Field(ge=-1, le=1, description="The cosine from which a turn was similar.")
    shown: int = Field(ge=0)
    similar: int = Field(ge=1)
    interval: tuple[float, float] = Field(description="Wilson's score interval of the rate, 95 %.")
    until: dt.datetime = Field(description="When the latest conversation of the log began.")
    accepted_at: dt.datetime

    @model_validator(mode="after")
    def _possible(self) -> AcceptedRate:
        if self.shown > self.similar:
            raise ValueError("more conversations show the failure than are similar")
        if self.until.tzinfo is None or self.accepted_at.tzinfo is None:
            raise ValueError("a time must say its zone")
        return self

    @property
    def rate(self) -> Rate:
        """The rate."""
        return Rate(self.shown, self.similar)


class AcceptedRates(Written):
    """The whole file; `embedding` names what turned texts into vectors."""

    kind: Literal["monitor"] = "monitor"
    schema_version: Literal[1] = 1
    embedding: str
    cases: dict[str, AcceptedRate]

    def to_text(self) -> str:
        """The file's text, the same for the same rates, so that a review sees what has changed."""
        data = self.model_dump(mode="json", exclude_defaults=True)
        data = {"kind": self.kind, "schema_version": self.schema_version, **data}
        return json.dumps(data, indent=2, sort_keys=True) + "\n"


def read_accepted(path: Path) -> AcceptedRates:
    """The accepted rates in a file.

    Raises:
        UserError: it cannot be read, or is no such file.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot be read as JSON: {error}", file=str(path)) from error
    return parse_written(AcceptedRates, data, file=str(path))
