import itertools

import pytest

from pytest_llmreplay.compare.passk import pass_at_k, pass_hat_k
from tests.shared_data import shared


@pytest.mark.parametrize(("trials", "passed"), [(n, c) for n in range(1, 7) for c in range(n + 1)])
def test_both_equal_the_share_over_all_choices_of_k_trials(trials, passed):
    outcomes = [True] * passed + [False] * (trials - passed)
    for k in range(1, trials + 1):
        chosen = list(itertools.combinations(outcomes, k))
        assert pass_at_k(trials, passed, k) == pytest.approx(sum(map(any, chosen)) / len(chosen))
        assert pass_hat_k(trials, passed, k) == pytest.approx(sum(map(all, chosen)) / len(chosen))


@pytest.mark.parametrize(("trials", "passed", "k"), [(3, 1, 4), (3, 1, 0), (3, 4, 1), (0, 0, 1)])
def test_more_attempts_than_trials_are_refused(trials, passed, k):
    with pytest.raises(ValueError, match="trials"):
        pass_at_k(trials, passed, k)
    with pytest.raises(ValueError, match="trials"):
        pass_hat_k(trials, passed, k)


def test_pass_hat_k_of_gpt_4o_on_tau_bench_airline_as_its_authors_publish_it():
    import pyarrow.parquet as pq

    table = pq.read_table(shared("data", "traces_airline_tau1.parquet"), columns=["task_id", "passed"])
    passed: dict[str, int] = {}
    for row in table.to_pylist():
        passed[row["task_id"]] = passed.get(row["task_id"], 0) + row["passed"]
    found = [sum(pass_hat_k(4, count, k) for count in passed.values()) / len(passed) for k in (1, 2, 3, 4)]
    assert [round(value, 3) for value in found] == [0.420, 0.273, 0.220, 0.200]
