"""A rubric: the criteria by which a judge looks at what a target did, as a person writes them."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pytest_llmreplay.model.canonical import digest
from pytest_llmreplay.model.written import Written

Scale = Literal["pass_fail", "1-5"]
Sight = Literal["conversation", "answer", "tool_results", "documents", "reference", "summary"]

_OF_THE_TARGET = frozenset({"answer", "tool_results"})

Score = Annotated[int, Field(ge=1, le=5)]


class Criterion(Written):
    """One question that the judge decides."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$", description="Unique in the rubric, such as names_the_hours.")
    question: str = Field(min_length=1, description="One question about one thing; yes is a pass.")
    weight: float = Field(1.0, gt=0, allow_inf_nan=False, description="Its part of the weighted share.")
    must_pass: bool = Field(False, description="Without it the whole fails, whatever the share.")
    scale: Scale = Field("pass_fail", description="pass_fail, or 1-5 with anchors and pass_from.")
    anchors: dict[Score, str] = Field(default_factory=dict, description="What a score stands for; at least 1 and 5.")
    pass_from: Annotated[int, Field(ge=2, le=5)] | None = Field(None, description="The score from which 1-5 passes.")

    @model_validator(mode="after")
    def _scale_is_whole(self) -> Criterion:
        if self.scale == "pass_fail" and (self.anchors or self.pass_from is not None):
            raise ValueError("anchors and pass_from belong to scale 1-5")
        if self.scale == "1-5" and (not {1, 5} <= set(self.anchors) or self.pass_from is None):
            raise ValueError("scale 1-5 needs anchors for 1 and 5 at least, and pass_from")
        return self


class Rubric(Written):
    """`kind: rubric`: criteria, what of them must hold, and what the judge sees."""

    criteria: tuple[Criterion, ...] = Field(json_schema_extra={"minItems": 1})
    pass_at: float = Field(1.0, gt=0, le=1, description="The weighted share of the criteria that must pass.")
    sees: tuple[Sight, ...] = Field(
        ("conversation", "answer", "tool_results", "reference"), description="What the judge is shown."
    )

    @field_validator("criteria")
    @classmethod
    def _unique(cls, criteria: tuple[Criterion, ...]) -> tuple[Criterion, ...]:
        if not criteria:
            raise ValueError("is empty, so nothing would be judged")
        ids = [criterion.id for criterion in criteria]
        twice = next((name for name in ids if ids.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"criterion '{twice}' is there twice")
        return criteria

    @field_validator("sees")
    @classmethod
    def _sees_the_target(cls, sees: tuple[Sight, ...]) -> tuple[Sight, ...]:
        if not _OF_THE_TARGET & set(sees):
            raise ValueError("needs answer or tool_results: a judge that sees neither says nothing about the variant")
        return sees

    @cached_property
    def digest(self) -> str:
        """Digest of all that can change a verdict: criteria, `pass_at` and what is seen."""
        return digest({name: self.written[name] for name in Rubric.model_fields})

    @property
    def written(self) -> dict[str, Any]:
        """The rubric as plain data, with its defaults filled in."""
        return self.model_dump(mode="json")


class RubricReference(Written):
    """The rubric of a case, in a file."""

    file: str = Field(min_length=1, description="The rubric's file.")
    reference: str | None = Field(None, min_length=1, description="A good answer to this very case.")


class InlineRubric(Rubric):
    """The rubric of a case, written where the case is."""

    reference: str | None = Field(None, min_length=1, description="A good answer to this very case.")
