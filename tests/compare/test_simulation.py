"""The seeded slice of `benchmarks/simulation.py`: the procedures keep their promises where the truth is known."""

import math

import pytest

from benchmarks import enumeration, simulation


def test_coverage_false_alarms_and_power_are_in_the_ranges_that_the_documentation_promises():
    findings = list(simulation.quick())
    assert len(findings) > 130
    assert [finding for finding in findings if not finding.holds] == []


def test_the_enumeration_would_notice_an_interval_that_does_not_hold(monkeypatch):
    def wald(gains, losses, cases):
        difference = (gains - losses) / cases
        half = 1.96 * math.sqrt((gains + losses) / cases - difference**2) / math.sqrt(cases)
        return difference - half, difference + half

    monkeypatch.setattr(enumeration, "interval_of", wald)
    rare = [f for f in enumeration.enumerated((20,), (0.9,)) if f.figure == "coverage, rare breaks"]
    assert min(finding.value for finding in rare) < 0.6
    assert not all(finding.holds for finding in rare)


@pytest.mark.parametrize("setting", simulation.settings()[:4])
def test_the_population_has_the_difference_that_it_claims(setting):
    import numpy as np

    generator = np.random.default_rng(5)
    large = simulation.Setting(200_000, setting.trials, setting.pass_rate, setting.icc, setting.effect, setting.size)
    before, after, _ = simulation.draw(large, generator)
    assert (after.mean() - before.mean()) / setting.trials == pytest.approx(setting.difference, abs=0.005)
    assert before.mean() / setting.trials == pytest.approx(setting.pass_rate, abs=0.005)
