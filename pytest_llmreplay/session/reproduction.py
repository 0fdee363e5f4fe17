"""Replaying cases before they are written: does what went wrong in production happen here, too?"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_llmreplay.checks import check_trajectory
from pytest_llmreplay.config.environment import load_environment
from pytest_llmreplay.config.variant import load_variant
from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.errors import InfrastructureError, NotRun, Unmeasurable, UserError
from pytest_llmreplay.model.expectation import parse_expectation
from pytest_llmreplay.model.outcome import OutcomeStatus, outcome_status
from pytest_llmreplay.model.ports import Replayer
from pytest_llmreplay.model.variant import Variant
from pytest_llmreplay.providers.budget import Budget
from pytest_llmreplay.providers.recorded import RecordMode
from pytest_llmreplay.replay.turns import offered_tools
from pytest_llmreplay.session.compose import Workshop, build_replayers
from pytest_llmreplay.session.host import window_of
from pytest_llmreplay.session.variants import variant_files
from pytest_llmreplay.store.recordings import RecordingStore

_WAIT_S = 60.0
_NOT_MEASURED: tuple[OutcomeStatus, ...] = ("error", "unmeasured", "not_run")


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What came of replaying a case: how many trials had which outcome, and why some could not be measured.

    Only `failed` counts as reproduced; trouble on the way says nothing about the variant.
    """

    variant: str
    variant_digest: str
    counts: Counter[OutcomeStatus]
    trouble: tuple[str, ...] = ()

    @property
    def measured(self) -> int:
        """How many trials came to a verdict."""
        return self.counts["failed"] + self.counts["passed"]

    def note(self) -> dict[str, Any]:
        """What is kept with the case."""
        others: dict[str, int] = {name: self.counts[name] for name in _NOT_MEASURED if self.counts[name]}
        trials = {"trials": self.counts.total(), "failed": self.counts["failed"], "passed": self.counts["passed"]}
        return {"variant": self.variant, "variant_digest": self.variant_digest, **trials, **others}


@dataclass(frozen=True, slots=True)
class Bench:
    """Where and how cases are replayed: the project's folders, the record mode and the budget."""

    root: Path
    state: Path
    environment: Path
    cassettes: Sequence[Path]
    record: RecordMode
    max_cost_usd: float
    notice: Callable[[str], None]


def find_variant(wanted: str, configs: Path, root: Path) -> Variant:
    """The variant of this name in `configs`, or in this file.

    Raises:
        UserError: there is none, or it has a mistake.
    """
    if Path(wanted).is_file():
        return load_variant(Path(wanted), root=root)
    variants = {variant.name: variant for variant in (load_variant(path, root=root) for path in variant_files(configs))}
    if wanted not in variants:
        raise UserError("there is no such variant", key="--variant", value=wanted, allowed=sorted(variants))
    return variants[wanted]


def reproduce(cases: Sequence[Case], variant: Variant, trials: int, bench: Bench) -> list[Reproduction]:
    """Replay each case so many times and apply its deterministic checks.

    Trials are numbered from 1 as those of a run, so that a run finds the same recordings.

    Raises:
        UserError: the target cannot be set up, or the recordings cannot be read or written.
    """
    recordings = RecordingStore(bench.state / "recordings", bench.cassettes, on_notice=bench.notice)
    recordings.seal_abandoned()
    workshop = Workshop(
        root=bench.root,
        environment=load_environment(bench.environment),
        recordings=recordings,
        record=bench.record,
        budget=Budget(max_cost_usd=bench.max_cost_usd),
        wait_s=_WAIT_S,
        notice=bench.notice,
    )
    try:
        replayer = build_replayers({variant.name: variant}, workshop)[variant.name]
        return asyncio.run(_reproduced(cases, variant, trials, replayer))
    finally:
        recordings.close()


async def _reproduced(cases: Sequence[Case], variant: Variant, trials: int, replayer: Replayer) -> list[Reproduction]:
    window = asyncio.Semaphore(window_of(variant))

    async def trial(case: Case, number: int) -> tuple[OutcomeStatus, str | None]:
        async with window:
            return await _status(case, variant, number, replayer)

    async def all_of(case: Case) -> Reproduction:
        results = await asyncio.gather(*(trial(case, number) for number in range(1, trials + 1)))
        trouble = tuple(dict.fromkeys(why for _, why in results if why is not None))
        return Reproduction(variant.name, variant.digest, Counter(status for status, _ in results), trouble)

    try:
        return list(await asyncio.gather(*(all_of(case) for case in cases)))
    finally:
        await replayer.close()


async def _status(case: Case, variant: Variant, trial: int, replayer: Replayer) -> tuple[OutcomeStatus, str | None]:
    """The outcome of one trial by the rule, and why it was not measured."""
    expectation = parse_expectation(case.expect, file=case.case_id)
    try:
        trajectory = await replayer.replay(case, trial)
    except Unmeasurable as error:
        return "unmeasured", str(error)
    except NotRun as error:
        return "not_run", str(error)
    except InfrastructureError as error:
        return "error", str(error)
    except Exception as error:  # noqa: BLE001 (a defect in one trial must not take the other trials with it)
        return "error", f"{type(error).__name__}: {error}"
    report = check_trajectory(expectation, trajectory, offered_tools(variant, case))
    status = outcome_status(failures=bool(report.failures), unmeasured=bool(report.unmeasured))
    return status, report.unmeasured[0].message if status == "unmeasured" else None
