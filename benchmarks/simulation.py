"""Do the statistics of a comparison hold? Coverage, false alarms and power, by enumeration and by simulation.

`python benchmarks/simulation.py` runs everything (some minutes), `--quick` a seeded slice, `--json FILE` keeps the
figures. The exit code is 1 when a figure leaves the range that `docs/statistics.md` promises.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.enumeration import Finding, enumerated, interval_of, p_value_of
from pytest_llmreplay.compare.intervals import paired_interval, rate_interval
from pytest_llmreplay.compare.passk import pass_hat_k
from pytest_llmreplay.compare.power import cases_for_margin, minimum_detectable
from pytest_llmreplay.compare.significance import ALPHA, holm, sign_flip

SIZES = (20, 30, 50, 100, 200, 500, 1000)
PASS_RATES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)


@dataclass(frozen=True, slots=True)
class Setting:
    """A population of cases and what V2 does to them.

    A case passes a trial with its own chance, Beta distributed with mean `pass_rate` and correlation `icc` between two
    trials of a case (0: all cases alike, 1: each always passes or always fails). `effect` is `none`, `churn` (a share
    of cases gets a new chance), `drift` (every chance falls by that share), or `breaks` (a share of cases never passes
    again).
    """

    cases: int
    trials: int
    pass_rate: float
    icc: float
    effect: str = "none"
    size: float = 0.0
    weighted: bool = False

    @property
    def difference(self) -> float:
        return -self.size * self.pass_rate if self.effect in ("drift", "breaks") else 0.0

    def __str__(self) -> str:
        what = f"{self.effect} {self.size:g}" if self.size else self.effect
        weights = ", weighted" if self.weighted else ""
        return f"n={self.cases} K={self.trials} pass={self.pass_rate} icc={self.icc} {what}{weights}"


def chances(setting: Setting, generator: np.random.Generator, size: int) -> np.ndarray:
    if setting.icc == 0:
        return np.full(size, setting.pass_rate)
    if setting.icc == 1:
        return (generator.random(size) < setting.pass_rate).astype(float)
    concentration = 1 / setting.icc - 1
    return generator.beta(setting.pass_rate * concentration, (1 - setting.pass_rate) * concentration, size)


def draw(setting: Setting, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[float] | None]:
    """Passed trials of each case under V1 and V2, and the weights."""
    before = chances(setting, generator, setting.cases)
    touched = generator.random(setting.cases) < setting.size
    if setting.effect == "churn":
        after = np.where(touched, chances(setting, generator, setting.cases), before)
    elif setting.effect == "breaks":
        after = np.where(touched, 0.0, before)
    else:
        after = before * (1 - setting.size)
    weights = generator.lognormal(0.0, 0.8, setting.cases).tolist() if setting.weighted else None
    return generator.binomial(setting.trials, before), generator.binomial(setting.trials, after), weights


def simulated(setting: Setting, replicates: int, seed: int) -> list[Finding]:
    """Coverage, false alarms where nothing changed, and the non-inferiority error where the loss is the margin."""
    generator = np.random.default_rng(seed)
    truth = setting.difference
    covered = alarms = tolerated = rate_covered = 0
    changed = 0.0
    tests = replicates if not setting.weighted else min(replicates, 1000)
    for replicate in range(replicates):
        before, after, weights = draw(setting, generator)
        differences = ((after - before) / setting.trials).tolist()
        changed += sum(d != 0 for d in differences) / replicates
        low, high = paired_interval(differences, weights)
        covered += low <= truth <= high
        tolerated += low > truth
        if setting.difference == 0 and replicate < tests:
            alarms += sign_flip(differences, weights, seed=replicate) <= ALPHA
        low, high = rate_interval((before / setting.trials).tolist(), weights, trials=setting.trials)
        rate_covered += low <= setting.pass_rate <= high
    narrow = not setting.weighted and changed >= 20
    bounds = (0.925, 0.975) if narrow else (0.92, 1.0)
    found = [
        Finding("coverage, several trials or weights", str(setting), covered / replicates, *bounds),
        Finding("coverage of a pass rate", str(setting), rate_covered / replicates, 0.90, 1.0),
    ]
    if setting.difference == 0:
        found.append(Finding("false alarms", str(setting), alarms / tests, 0.0, 0.06))
    else:
        name = "non-inferiority error, several trials or weights"
        found.append(Finding(name, str(setting), tolerated / replicates, 0.0, 0.065))
    return found


def settings() -> list[Setting]:
    effects = [("none", 0.0), ("churn", 0.2), ("drift", 0.05), ("breaks", 0.05)]
    grid = [
        Setting(cases, trials, rate, icc, effect, size)
        for cases, trials in ((20, 3), (50, 2), (50, 5), (100, 3), (200, 3), (1000, 2))
        for rate, icc in ((0.5, 0.3), (0.8, 0.0), (0.9, 0.5), (0.98, 0.8))
        for effect, size in effects
    ]
    weighted = [
        Setting(cases, trials, rate, 0.5, effect, size, weighted=True)
        for cases, trials in ((30, 1), (100, 1), (300, 1), (100, 3))
        for rate in (0.7, 0.9)
        for effect, size in effects
    ]
    return grid + weighted


def drawn_tables(cases: int, cells: list[float], replicates: int, seed: int) -> Iterator[tuple[int, int]]:
    """Gains and losses of so many cases, drawn anew in every replicate."""
    generator = np.random.default_rng(seed)
    for _ in range(replicates):
        gains, losses, _ = generator.multinomial(cases, cells)
        yield int(gains), int(losses)


def power_at_the_detectable_difference(cases: int, churn: float, replicates: int, seed: int) -> Finding:
    """One trial a case: whole cases break on top of symmetric churn; how often is it seen?"""
    difference = minimum_detectable(cases, churn)
    half = churn / 2
    drawn = drawn_tables(cases, [half, half + difference, max(1 - churn - difference, 0.0)], replicates, seed)
    seen = sum(p_value_of(gains, losses) <= ALPHA for gains, losses in drawn)
    where = f"n={cases} churn={churn} d={difference:.3f}"
    return Finding("power at the detectable difference", where, seen / replicates, 0.75, 0.97)


def power_of_a_margin(margin: float, churn: float, replicates: int, seed: int) -> Finding:
    """How often the number of cases that a margin needs shows that nothing is lost."""
    cases = cases_for_margin(margin, churn)
    drawn = drawn_tables(cases, [churn / 2, churn / 2, 1 - churn], replicates, seed)
    shown = sum(interval_of(gains, losses, cases)[0] > -margin for gains, losses in drawn)
    where = f"margin={margin} churn={churn} n={cases}"
    return Finding("power of the cases for a margin", where, shown / replicates, 0.75, 0.9)


def false_alarms_over_slices(slices: int, replicates: int, seed: int) -> Finding:
    """Overlapping slices of 100 cases that only churn: how often is any slice called changed after Holm?"""
    generator = np.random.default_rng(seed)
    alarms = 0
    for _ in range(replicates):
        changes = generator.choice([-1.0, 0.0, 1.0], size=100, p=[0.15, 0.7, 0.15])
        members = generator.random((slices, 100)) < 0.4
        alarms += min(holm([sign_flip(changes[inside].tolist()) for inside in members])) <= ALPHA
    return Finding("false alarms over slices, Holm", f"{slices} slices", alarms / replicates, 0.0, 0.06)


def coverage_of_pass_hat(cases: int, k: int, replicates: int, seed: int) -> Finding:
    """pass^k of V1 against V2 where every chance falls by a twentieth; Beta moments give the true difference."""
    generator = np.random.default_rng(seed)
    a, b, trials, fall = 4.0, 1.0, 5, 0.05
    moment = math.prod((a + i) / (a + b + i) for i in range(k))
    truth = ((1 - fall) ** k - 1) * moment
    covered = 0
    for _ in range(replicates):
        chance = generator.beta(a, b, cases)
        before, after = generator.binomial(trials, chance), generator.binomial(trials, chance * (1 - fall))
        differences = [
            pass_hat_k(trials, int(y), k) - pass_hat_k(trials, int(x), k) for x, y in zip(before, after, strict=True)
        ]
        low, high = paired_interval(differences)
        covered += low <= truth <= high
    return Finding(f"coverage of the difference of pass^{k}", f"n={cases} K={trials}", covered / replicates, 0.92, 0.98)


def everything(replicates: int) -> Iterator[Finding]:
    yield from enumerated(SIZES, PASS_RATES)
    for seed, setting in enumerate(settings(), start=1):
        yield from simulated(setting, replicates, seed)
    for cases, churn in itertools.product((30, 50, 100, 300, 1000), (0.0, 0.05, 0.2)):
        yield power_at_the_detectable_difference(cases, churn, replicates, cases)
    for margin, churn in itertools.product((0.02, 0.05), (0.02, 0.1)):
        yield power_of_a_margin(margin, churn, replicates, 7)
    for slices in (3, 10):
        yield false_alarms_over_slices(slices, replicates, slices)
    for k in (2, 3):
        yield coverage_of_pass_hat(100, k, replicates, k)


def quick() -> Iterator[Finding]:
    """The seeded slice that the tests run."""
    yield from enumerated((20, 50), (0.5, 0.9))
    chosen = [
        Setting(50, 3, 0.8, 0.3),
        Setting(100, 3, 0.8, 0.3, "churn", 0.2),
        Setting(100, 3, 0.9, 0.5, "breaks", 0.05),
        Setting(20, 3, 0.9, 0.5, "drift", 0.05),
    ]
    for seed, setting in enumerate(chosen, start=1):
        yield from simulated(setting, 4000, seed)
    yield from simulated(Setting(100, 1, 0.8, 0.5, "breaks", 0.05, weighted=True), 4000, 11)
    yield power_at_the_detectable_difference(50, 0.05, 4000, 1)
    yield power_of_a_margin(0.05, 0.1, 4000, 2)
    yield false_alarms_over_slices(5, 1000, 3)


def summary(findings: list[Finding]) -> str:
    from tabulate import tabulate

    grouped: dict[str, list[Finding]] = {}
    for finding in findings:
        grouped.setdefault(finding.figure, []).append(finding)
    rows = []
    for figure, group in grouped.items():
        lowest, highest = min(group, key=lambda f: f.value), max(group, key=lambda f: f.value)
        outside = sum(not finding.holds for finding in group)
        rows.append([figure, len(group), f"{lowest.value:.3f}", f"{highest.value:.3f}", outside])
    return tabulate(rows, headers=["figure", "settings", "lowest", "highest", "out of range"], tablefmt="github")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the seeded slice that the tests run")
    parser.add_argument("--replicates", type=int, default=4000)
    parser.add_argument("--json", type=Path, help="where to keep every figure")
    options = parser.parse_args()
    findings = list(quick() if options.quick else everything(options.replicates))
    print(summary(findings))
    outside = [finding for finding in findings if not finding.holds]
    for finding in outside:
        print(
            f"out of range: {finding.figure}, {finding.where}: {finding.value:.4f} not in {finding.low}–{finding.high}"
        )
    if options.json:
        options.json.write_text(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=1) + "\n")
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
