"""The judge as a person writes it: the model that applies rubrics, and how it is asked."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from pydantic import Field, field_validator

from pytest_llmreplay.model.canonical import digest
from pytest_llmreplay.model.variant import PACE, ModelTarget
from pytest_llmreplay.model.written import Written

Scoring = Literal["sampled", "expected"]
When = Literal["when_checks_pass", "always", "never"]

PROTOCOL = 1
"""Version of what the judge is told and how its replies are read: raise it with every change of either."""


class Judge(Written):
    """`kind: judge`: which model judges, how often it is asked, and when."""

    target: ModelTarget
    votes: int = Field(1, ge=1, description="Times that each verdict is asked for; odd, the majority decides.")
    scoring: Scoring = Field(
        "sampled", description="expected: the mean of the scores by their token probabilities, on scale 1-5."
    )
    when: When = Field("when_checks_pass", description="When a case with a rubric is judged.")
    structured: bool | None = Field(
        None, description="Whether the model replies under a JSON schema (response_format); default: what is known."
    )

    @field_validator("votes")
    @classmethod
    def _odd(cls, votes: int) -> int:
        if votes % 2 == 0:
            raise ValueError("must be odd, so that there is a majority")
        return votes

    @cached_property
    def digest(self) -> str:
        """Digest of all that can change a verdict: not when it is asked for, or how fast."""
        return digest(
            {
                "target": self.target.model_dump(mode="json", exclude=PACE),
                "votes": self.votes,
                "scoring": self.scoring,
                "structured": self.structured,
                "protocol": PROTOCOL,
            }
        )
