"""The judge of a session: who judges, whether it counts, and what becomes of a trial that has a rubric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from pytest_llmreplay.config.judge import rubric_of
from pytest_llmreplay.judge.applied import CHECK, JudgedPart, applied
from pytest_llmreplay.judge.judging import Judging
from pytest_llmreplay.judge.material import Material, material_of_trial
from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.errors import InfrastructureError, LlmReplayError, NotRun
from pytest_llmreplay.model.expectation import Expectation, parse_expectation
from pytest_llmreplay.model.judge import Judge
from pytest_llmreplay.model.outcome import Outcome
from pytest_llmreplay.model.rubric import InlineRubric, Rubric, RubricReference
from pytest_llmreplay.model.trajectory import Trajectory
from pytest_llmreplay.model.variant import ModelTarget, Variant
from pytest_llmreplay.model.verdict import Verdict
from pytest_llmreplay.providers.pressure import begin_trial
from pytest_llmreplay.session.compose import Workshop, recorded_provider
from pytest_llmreplay.session.power import Power
from pytest_llmreplay.session.ways import abilities_of


def build_judging(judge: Judge, workshop: Workshop) -> Judging:
    """The judge, ready to be asked; what it spends counts in the run's budget, and what stops it stops it alone.

    Raises:
        UserError: its model cannot be reached as it is written.
    """
    own = replace(workshop, budget=workshop.budget.part())
    return Judging(judge, recorded_provider(judge.target, own), abilities_of(judge))


@dataclass(slots=True)
class TrialJudge:
    """Judges what trials with a rubric came to.

    Args:
        judging: the judge; None when there is none.
        power: whether its verdicts count.
        root: the project's folder.
        warn: told once, when the judge is first asked about the answers of its own model.
    """

    judging: Judging | None
    power: Power
    root: Path
    warn: Callable[[str], None]
    _warned: bool = False
    _rubrics: dict[str, Rubric] = field(default_factory=dict)

    def part_of(self, expectation: Expectation) -> JudgedPart | None:
        """The judged part of an expectation; None when it has no rubric.

        Raises:
            UserError: the rubric is not there, or has a mistake.
        """
        expected = expectation.rubric
        if expected is None:
            return None
        rubric = self._rubric(expected)
        return JudgedPart(
            rubric,
            expected.reference,
            alone=all(part is None for part in (expectation.calls, expectation.answer, expectation.limits)),
            required=self.power.rule.required,
            advisory=self.power.advisory(rubric),
        )

    def rubric_to_ask(self, case: Case, file: str) -> Rubric | None:
        """The rubric by which the judge may be asked about a case; None when it will not be.

        Raises:
            UserError: the expectation or the rubric has a mistake.
        """
        part = self.part_of(parse_expectation(case.expect, file=f"{file}::{case.case_id}"))
        return part.rubric if part is not None and self._asked_judge is not None else None

    def named(self, outcome: Outcome, part: JudgedPart | None) -> Outcome:
        """The outcome with the digests of its rubric and of whoever judges."""
        if part is None:
            return outcome
        judge = self._asked_judge
        return replace(
            outcome,
            rubric_digest=part.rubric.digest,
            judge_digest=judge.digest if judge else "",
            judge_model=judge.target.model if judge else "",
        )

    def stands(self, outcome: Outcome, part: JudgedPart | None) -> bool:
        """Whether an earlier outcome is what the judge would make of it now."""
        now = self.named(outcome, part)
        if (now.rubric_digest, now.judge_digest) != (outcome.rubric_digest, outcome.judge_digest):
            return False
        if part is None:
            return True
        if outcome.verdict is not None:
            return outcome.verdict.advisory == part.advisory
        judge = self._asked_judge
        if judge is not None:
            return judge.when == "when_checks_pass" and outcome.status != "passed"
        unjudged = any(reason.check == CHECK for reason in outcome.reasons)
        return unjudged == (part.alone or part.required)

    async def judged(
        self, outcome: Outcome, part: JudgedPart, case: Case, trajectory: Trajectory, variant: Variant
    ) -> Outcome:
        """The outcome with its verdict; nothing that goes wrong on the way to the judge is raised."""
        judge = self._asked_judge
        if judge is None or (judge.when == "when_checks_pass" and outcome.status != "passed"):
            return applied(outcome, part, None, None)
        material = material_of_trial(case, trajectory, reference=part.reference, examples=variant.examples)
        if material is None or (material.answer is None and "answer" in part.rubric.sees):
            return applied(outcome, part, self._no_verdict(part, judge, "there is no answer to judge"), None)
        self._warn_of_own_model(judge, variant)
        trouble: LlmReplayError | None = None
        # The judge has a deadline of its own, whatever the target lost to trouble.
        begin_trial()
        try:
            verdict = await self._verdict(part, material)
        except (InfrastructureError, NotRun) as error:
            trouble = error
            verdict = self._no_verdict(part, judge, f"the judge could not be asked: {error}")
        return applied(outcome, part, verdict, trouble)

    async def close(self) -> None:
        """Close the way to the judge."""
        if self.judging is not None:
            await self.judging.close()

    @property
    def _asked_judge(self) -> Judge | None:
        judge = self.power.judge
        return None if judge is None or judge.when == "never" else judge

    async def _verdict(self, part: JudgedPart, material: Material) -> Verdict:
        if self.judging is None:
            raise RuntimeError("a judge was asked that was never built")
        return await self.judging.verdict(part.rubric, material)

    def _warn_of_own_model(self, judge: Judge, variant: Variant) -> None:
        """Judges favour what their own model wrote (Panickssery et al. 2024, arXiv 2404.13076)."""
        target = variant.target
        if self._warned or not isinstance(target, ModelTarget) or _name(target) != _name(judge.target):
            return
        self._warned = True
        said = f"the judge's model {judge.target.model} is also that of {variant.name}: judges favour their own answers"
        self.warn(said)

    def _no_verdict(self, part: JudgedPart, judge: Judge, problem: str) -> Verdict:
        return Verdict("unmeasured", part.rubric.digest, judge.digest, judge.target.model, problem=problem)

    def _rubric(self, expected: RubricReference | InlineRubric) -> Rubric:
        if isinstance(expected, InlineRubric):
            return expected
        rubric = self._rubrics.get(expected.file)
        if rubric is None:
            rubric = self._rubrics[expected.file] = rubric_of(expected, self.root)
        return rubric


def _name(target: ModelTarget) -> str:
    """The model's name without the provider's, since one model is reached in several ways."""
    return target.model.rpartition("/")[2]
