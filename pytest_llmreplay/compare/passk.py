"""pass@k and pass^k: what k attempts at one case would do."""

from __future__ import annotations

from math import comb


def pass_at_k(trials: int, passed: int, k: int) -> float:
    """The chance that at least one of k trials passes: 1 − C(n−c, k)/C(n, k), unbiased for n ≥ k trials.

    Raises:
        ValueError: k is not between 1 and the number of trials.
    """
    _check(trials, passed, k)
    return 1 - comb(trials - passed, k) / comb(trials, k)


def pass_hat_k(trials: int, passed: int, k: int) -> float:
    """The chance that all of k trials pass (pass^k): C(c, k)/C(n, k), unbiased for n ≥ k trials.

    Raises:
        ValueError: k is not between 1 and the number of trials.
    """
    _check(trials, passed, k)
    return comb(passed, k) / comb(trials, k)


def _check(trials: int, passed: int, k: int) -> None:
    if not (0 <= passed <= trials and 1 <= k <= trials):
        raise ValueError(f"k = {k} of {trials} trials with {passed} passed")
