import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pytest_llmreplay.model.outcome import Outcome
from pytest_llmreplay.store.runs import RunStore
from tests.compare.build import many, rows
from tests.shared_data import shared


def jsonl(root, made, name="rows.jsonl"):
    (root / name).write_text("".join(json.dumps(row) + "\n" for row in made))
    return name


def run_of(root, made, run_id, **info):
    with RunStore(root / ".pytest_llmreplay").start(info, run_id=run_id) as run:
        for row in made:
            run.add(Outcome(**row))
        run.seal()


def data(program_in, *arguments):
    return json.loads(program_in("compare", *arguments, "--json").stdout)


def real_pairs():
    """The outcomes by reward of each real pair, as rows."""
    found = {}
    for row in pq.read_table(shared("data", "pairs_airline.parquet")).to_pylist():
        for side in ("v1", "v2"):
            status = "passed" if row[f"{side}_passed"] else "failed"
            found.setdefault(row["pair_id"], []).append(
                {
                    "case_id": row["task_id"],
                    "variant": row[f"{side}_run"],
                    "trial": 1,
                    "status": status,
                    "score": row[f"{side}_reward"],
                }
            )
    return found


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_the_four_real_pairs_are_reproduced_exactly(program_in, form):
    counts = {}
    for pair, made in real_pairs().items():
        name = f"{pair}.{form}"
        if form == "jsonl":
            jsonl(program_in.root, made, name)
        else:
            pq.write_table(pa.Table.from_pylist(made), program_in.root / name)
        found = data(program_in, name)["counts"]
        counts[pair.replace("tau2_airline_", "")] = [
            found[label] for label in ("fixed", "regressed", "both_pass", "both_fail")
        ]
        assert found["flaky"] == found["unmeasured"] == 0
    assert counts == {
        "gpt-4o__vs__claude-sonnet-4-5": [15, 2, 21, 12],
        "gpt-4.1__vs__gpt-4.1-sft": [6, 3, 7, 4],
        "qwen2.5-7b__vs__gpt-4o": [17, 3, 6, 24],
        "qwen2.5-7b__vs__claude-sonnet-4-5": [27, 0, 9, 14],
    }


def test_two_runs_with_equal_totals_and_different_cases_are_churn(program_in):
    made = many(both_pass=12, fixed=4, regressed=4)
    run_of(program_in.root, [row for row in made if row["variant"] == "v1"], "one")
    run_of(program_in.root, [row for row in made if row["variant"] == "v2"], "two")
    found = data(program_in, "one", "two", "--baseline", "v1")
    assert (found["counts"]["fixed"], found["counts"]["regressed"], found["difference"]) == (4, 4, 0.0)
    assert "this is churn" in " ".join(program_in("compare", "one", "two").stdout.split())


def test_the_last_run_is_compared_with_the_baseline_that_it_names(program_in):
    made = rows({"a": ("P", "F"), "b": ("P", "P")}, baseline="zeta", candidate="alpha")
    run_of(program_in.root, made, "r1", baseline="zeta", variants={"zeta": {}, "alpha": {}})
    found = data(program_in)
    assert (found["baseline"], found["candidate"]) == ("zeta", "alpha")
    assert found["counts"]["regressed"] == 1
    assert "next: pytest-llmreplay report last" in program_in("compare").stdout


def test_one_variant_in_two_runs_is_told_apart_by_the_place_of_the_run(program_in):
    made = many(both_pass=3, regressed=2)
    for name in ("v1", "v2"):
        mine = [{**row, "variant": "prod"} for row in made if row["variant"] == name]
        run_of(program_in.root, mine, f"run-{name}", baseline="prod")
    found = data(program_in, "run-v1", "run-v2")
    assert (found["baseline"], found["candidate"], found["counts"]["regressed"]) == ("prod@1", "prod@2", 2)


def test_parts_of_one_run_are_put_together(program_in):
    made = many(both_pass=3, fixed=2)
    first = jsonl(program_in.root, [row for row in made if row["case_id"].startswith("pp")], "a.jsonl")
    second = jsonl(program_in.root, [row for row in made if row["case_id"].startswith("fx")], "b.jsonl")
    assert data(program_in, first, second)["counts"] == {
        "fixed": 2, "regressed": 0, "both_pass": 3, "both_fail": 0, "flaky": 0, "unmeasured": 0
    }  # fmt: skip


def test_different_material_is_refused_and_says_which(program_in):
    made = [{**row, "environment_digest": row["variant"]} for row in many(both_pass=2)]
    name = jsonl(program_in.root, made)
    sentence = program_in.mistake("compare", name)
    assert "the environment differs in pp000, pp001" in sentence
    assert "--allow" in sentence
    assert "Compared although the environment differs" in " ".join(
        program_in("compare", name, "--allow").stdout.split()
    )


def test_several_candidates_are_a_table_and_no_best_one_is_named_without_reason(program_in):
    made = [*many(both_pass=10), *(r for r in rows({"pp000": ("P", "F")}, candidate="v3") if r["variant"] == "v3")]
    name = jsonl(program_in.root, made)
    found = data(program_in, name)
    assert (found["best"], [c["candidate"] for c in found["comparisons"]]) == (None, ["v2", "v3"])
    assert set(found["p_holm"]) == {"v2", "v3"}
    assert "No variant is significantly better" in program_in("compare", name).stdout
    assert data(program_in, name, "--candidate", "v3")["candidate"] == "v3"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"case_id": 1}\n{oops\n', "rows.jsonl:2: is not JSON"),
        ("[1]\n", "rows.jsonl:1: a line must be an object"),
        ('{"case_id": "a", "variant": "v1", "trial": 1, "status": "passed"}\n', "there is only the variant 'v1'"),
        (
            '{"case_id": "a", "variant": "v1", "status": "passed", "trial": 1, "calls": "x"}\n',
            "must be a list of calls",
        ),
        ("", "there is no outcome in it"),
    ],
)
def test_what_is_no_outcome_is_refused_with_its_place(program_in, content, words):
    (program_in.root / "rows.jsonl").write_text(content)
    assert words in program_in.mistake("compare", "rows.jsonl")


def test_an_unknown_name_is_refused_with_a_suggestion(program_in):
    name = jsonl(program_in.root, many(both_pass=2))
    assert "did you mean 'v1'?" in program_in.mistake("compare", name, "--baseline", "v11")
    assert "there is no run 'nope'" in program_in.mistake("compare", "nope")
    assert "baseline accept" in program_in.mistake("compare", name, "--baseline", "accepted")


def test_lists_that_a_flat_file_holds_as_json_are_read(program_in):
    made = many(both_pass=1, regressed=3)
    for row in made:
        tool = "search" if row["status"] == "failed" else "human"
        row["calls"] = json.dumps([{"name": tool, "arguments": "{}"}])
        row["reasons"] = json.dumps([{"check": "calls", "code": "wrong_name"}] if tool == "search" else [])
    pq.write_table(pa.Table.from_pylist(made), program_in.root / "flat.parquet")
    [cluster] = data(program_in, "flat.parquet")["clusters"]
    assert (cluster["cause"], cluster["code"], cluster["tool"]) == ("routing", "wrong_name", "human")


def test_a_row_a_case_is_written_for_tables(program_in):
    name = jsonl(program_in.root, many(both_pass=1, regressed=1))
    program_in("compare", name, "--parquet", "cases.parquet")
    found = pq.read_table(program_in.root / "cases.parquet").to_pylist()
    assert [(row["case_id"], row["label"], row["difference"]) for row in found] == [
        ("pp000", "both_pass", 0.0),
        ("rg000", "regressed", -1.0),
    ]


def test_nothing_that_a_model_wrote_reaches_the_terminal_as_a_command(program_in, monkeypatch):
    evil = "\x1b]0;owned\x07\x1b[31m\u202e::error::x\n::set-output name=a::b"
    made = [
        {**row, "case_id": f"{row['case_id']}{evil}", "reasons": [{"check": "calls", "code": evil, "message": evil}]}
        for row in many(regressed=2)
    ]
    name = jsonl(program_in.root, made)
    shown = program_in("compare", name, "-v").stdout
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    lines = program_in("compare", name).stdout.splitlines()
    assert lines[0].startswith("::stop-commands::")
    token = lines[0].removeprefix("::stop-commands::")
    assert f"::{token}::" in lines


@pytest.mark.parametrize("columns", ["45", "70", "160"])
def test_tables_fit_the_terminal(program_in, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    made = [{**row, "cost_usd": 0.01, "severity": "high"} for row in many(both_pass=9, regressed=2)]
    shown = program_in("compare", jsonl(program_in.root, made)).stdout
    assert max(len(line) for line in shown.splitlines()) <= int(columns)
    assert "compare" not in program_in("compare", "rows.jsonl", "-q").stdout


def test_what_it_names_next_can_be_run_where_there_are_several_candidates(program_in):
    third = [{**row, "variant": "v3"} for row in many(both_pass=9, fixed=3) if row["variant"] == "v2"]
    made = [*many(both_pass=9, fixed=3), *third]
    name = jsonl(program_in.root, made)
    shown = program_in("compare", name, "--baseline", "v1", "--candidate", "v3", "--candidate", "v2").stdout
    command = shown.splitlines()[-1].removeprefix("next: pytest-llmreplay ")
    assert command == f"report {name} --baseline v1 --candidate v3"
    program_in(*command.split())
