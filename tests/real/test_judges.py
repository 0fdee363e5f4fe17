"""What real judges said, against the figures that others published of them; through the command line."""

from __future__ import annotations

import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from pytest_llmreplay.cli.main import program
from tests.shared_data import shared

LABELS = shared("data", "llmbar_natural.parquet")
JUDGES = shared("data", "llmbar_natural_judges.parquet")
PUBLISHED = shared("data", "llmbar_natural_upstream_statistics.json")
AIRLINE = shared("data", "judge_verdicts_airline.parquet")


def calibrated(folder, labels, verdicts, ending="parquet"):
    """What `judge calibrate --json` says of tables of labels and verdicts."""
    names = []
    for name, table in (("labels", labels), ("verdicts", verdicts)):
        path = folder / f"{name}.{ending}"
        if ending == "parquet":
            pq.write_table(pa.table(table), path)
        elif ending == "csv":
            import pyarrow.csv

            pyarrow.csv.write_csv(pa.table(table), path)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in pa.table(table).to_pylist()))
        names.append(str(path))
    arguments = ["judge", "calibrate", names[0], "--verdicts", names[1], "--json"]
    result = CliRunner().invoke(program, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def llmbar():
    items = pq.read_table(LABELS)
    rows = [row for row in pq.read_table(JUDGES).to_pylist() if row["is_last_round"]]
    labels = {"item_id": items["item_id"], "label": items["human_label"]}
    verdicts = {
        "item_id": [row["item_id"] for row in rows],
        "verdict": [row["judge_winner"] for row in rows],
        "order": [row["order"] for row in rows],
        "group": [f"{row['judge_model']}/{row['strategy']}" for row in rows],
    }
    return labels, verdicts


@pytest.fixture(scope="module", params=["parquet", "csv", "jsonl"])
def llmbar_groups(request, tmp_path_factory):
    return calibrated(tmp_path_factory.mktemp("llmbar"), *llmbar(), ending=request.param)["groups"]


def test_accuracy_is_the_authors_in_all_thirty_judge_configurations(llmbar_groups):
    """The authors count a verdict off the menu as wrong; `accuracy` leaves it out, `accuracy_strict` does not."""
    published = json.loads(PUBLISHED.read_text())
    assert len(published) == 30
    assert set(llmbar_groups) == set(published)
    for name, authors in published.items():
        found = llmbar_groups[name]
        average = float(authors["correct_average"].removesuffix("%")) / 100
        assert found["n"] == 200
        assert found["accuracy_strict"] == pytest.approx(average, abs=1e-12), name
        assert found["accuracy"] * (found["n"] - found["off_menu"]) / found["n"] == pytest.approx(average, abs=1e-12)


def test_the_agreement_of_the_orders_is_the_authors(llmbar_groups):
    for name, authors in json.loads(PUBLISHED.read_text()).items():
        assert llmbar_groups[name]["order_agreement"] == pytest.approx(authors["kappa_agreement"], abs=1e-12), name


def test_verdicts_off_the_menu_are_counted_in_every_configuration(llmbar_groups):
    off = {name: group["off_menu"] for name, group in llmbar_groups.items() if group["off_menu"]}
    assert off == {
        "ChatGPT/CoT": 1,
        "PaLM2/CoT": 2,
        "PaLM2/Metrics": 4,
        "PaLM2/Swap": 2,
        "PaLM2/Swap_CoT": 2,
        "PaLM2/Vanilla": 4,
        "PaLM2/Vanilla_NoRules": 6,
    }


@pytest.mark.parametrize(
    ("name", "kappa", "low", "high"),
    [
        # statsmodels 0.15.0, cohens_kappa on the verdicts on the menu.
        ("GPT-4/Vanilla", 0.9077868852459016, 0.848922504859265, 0.9666512656325381),
        ("PaLM2/Vanilla_NoRules", 0.6859486293977984, 0.582736634363068, 0.7891606244325289),
        ("ChatGPT/CoT", 0.47887034659820293, 0.35605650363135105, 0.6016841895650549),
    ],
)
def test_kappa_and_its_interval_are_those_of_statsmodels(llmbar_groups, name, kappa, low, high):
    found = llmbar_groups[name]
    assert (found["kappa"], found["kappa_low"], found["kappa_high"]) == pytest.approx((kappa, low, high), abs=1e-12)


def test_two_orders_of_one_item_are_not_two_items(llmbar_groups):
    for found in llmbar_groups.values():
        assert found["items"] == 100
        by_item = found["kappa_high_by_item"] - found["kappa_low_by_item"]
        assert by_item > 0.99 * (found["kappa_high"] - found["kappa_low"])


def airline(tmp_path):
    rows = pq.read_table(AIRLINE).to_pylist()
    labels = {
        "item_id": [row["trace_id"] for row in rows],
        "label": ["pass" if row["truth_passed"] else "fail" for row in rows],
    }
    verdicts = {
        "item_id": [row["trace_id"] for row in rows],
        "verdict": [row["judge_verdict"] for row in rows],
        "group": [row["judge_prompt_name"] for row in rows],
    }
    return rows, calibrated(tmp_path, labels, verdicts)


def test_agreement_with_the_reward_is_that_of_the_published_rows_per_prompt(tmp_path):
    rows, found = airline(tmp_path)
    assert {name: group["n"] for name, group in found["groups"].items()} == Counter(
        row["judge_prompt_name"] for row in rows
    )
    for name, group in found["groups"].items():
        literal = [r for r in rows if r["judge_prompt_name"] == name and r["judge_verdict"] in ("pass", "fail")]
        assert group["n"] - group["off_menu"] == len(literal)
        agreed = sum(bool(row["agreement"]) for row in literal)
        assert group["accuracy"] == pytest.approx(agreed / len(literal))
        assert group["accuracy_strict"] == pytest.approx(agreed / group["n"])


def test_what_is_no_verdict_is_counted_and_never_mapped(tmp_path):
    _, found = airline(tmp_path)
    assert found["off_menu_verdicts"] == {"satisfied": 22, "satisfactory": 3, "compliant": 1, "correct": 1}
    assert {name: group["off_menu"] for name, group in found["groups"].items()} == {
        "policy_chain_of_thought_v1": 27,
        "policy_conversation_v1": 0,
        "customer_outcome_v1": 0,
        "quick_triage_v1": 0,
    }


@pytest.mark.parametrize(
    ("name", "kappa", "low", "high"),
    [
        # statsmodels 0.15.0, cohens_kappa on the verdicts on the menu.
        ("policy_chain_of_thought_v1", -0.13688212927756638, -0.5393788065637746, 0.26561454800864176),
        ("policy_conversation_v1", 0.3680884676145341, 0.11918519003675174, 0.6169917451923165),
        ("customer_outcome_v1", -0.16279069767441853, -0.4088872686603842, 0.08330587331154715),
        ("quick_triage_v1", 0.06296851574212887, -0.07322435555130365, 0.1991613870355614),
    ],
)
def test_no_prompt_of_this_judge_reaches_the_usual_floor(tmp_path, name, kappa, low, high):
    group = airline(tmp_path)[1]["groups"][name]
    assert (group["kappa"], group["kappa_low"], group["kappa_high"]) == pytest.approx((kappa, low, high), abs=1e-12)
    assert group["kappa"] < 0.6
