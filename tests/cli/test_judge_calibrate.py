"""`judge calibrate LABELS --verdicts FILE`: formats, figures, and what is refused."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

LABELS = [("a", "pass"), ("b", "pass"), ("c", "fail"), ("d", "fail")]
VERDICTS = [("a", "pass"), ("b", "fail"), ("c", "fail"), ("d", "satisfied")]


def labels(rows=LABELS, **columns):
    return [
        {"item_id": item, "label": label, **{k: v[i] for k, v in columns.items()}}
        for i, (item, label) in enumerate(rows)
    ]


def verdicts(rows=VERDICTS, **columns):
    return [
        {"item_id": item, "verdict": word, **{k: v[i] for k, v in columns.items()}}
        for i, (item, word) in enumerate(rows)
    ]


def written(path, rows):
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def measured(program_in, tmp_path):
    def measure(label_rows, verdict_rows, *options, ending="jsonl"):
        result = program_in(
            "judge",
            "calibrate",
            written(tmp_path / f"labels.{ending}", label_rows),
            "--verdicts",
            written(tmp_path / f"verdicts.{ending}", verdict_rows),
            "--json",
            *options,
        )
        return json.loads(result.stdout)

    return measure


@pytest.fixture
def refused(program_in, tmp_path):
    def refuse(label_rows, verdict_rows=None, *options):
        return program_in.mistake(
            "judge",
            "calibrate",
            written(tmp_path / "labels.jsonl", label_rows),
            "--verdicts",
            written(tmp_path / "verdicts.jsonl", verdict_rows or verdicts()),
            *options,
        )

    return refuse


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_every_format_gives_the_same_figures(measured, ending):
    found = measured(labels(), verdicts(), ending=ending)
    assert list(found["groups"]) == ["all"]
    group = found["groups"]["all"]
    assert (group["n"], group["off_menu"]) == (4, 1)
    assert group["accuracy"] == pytest.approx(2 / 3)
    assert group["kappa"] == pytest.approx(0.4)
    assert group["kappa_low"] < 0.4 < group["kappa_high"] <= 1
    assert (group["tpr"], group["tnr"], group["order_agreement"]) == (0.5, 1, None)
    assert found["overall"] == group
    assert found["off_menu_verdicts"] == {"satisfied": 1}
    assert [row["item_id"] for row in found["disagreements"]] == ["b"]


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_sides_may_be_numbers_or_text(measured, ending):
    found = measured(labels([("1", 1), ("2", 2)]), verdicts([("1", "1"), ("2", "1")]), ending=ending)["groups"]["all"]
    assert (found["n"], found["off_menu"], found["accuracy"]) == (2, 0, 0.5)


def test_numbers_that_another_tool_made_real_are_still_sides(measured):
    found = measured(labels([(1.0, 1.0), (2.0, 2.0)]), verdicts([(1, 1), (2, float("nan"))]), ending="parquet")
    assert (found["groups"]["all"]["accuracy"], found["groups"]["all"]["off_menu"]) == (1, 1)


def test_groups_stand_apart(measured):
    rows = verdicts([*VERDICTS, *((item, "pass") for item, _ in LABELS)], group=["x"] * 4 + ["y"] * 4)
    found = measured(labels(), rows)
    assert [found["groups"][name]["accuracy"] for name in ("x", "y")] == [pytest.approx(2 / 3), 0.5]
    assert found["overall"]["n"] == 8


def test_a_group_in_both_files_keeps_its_own_labels(measured):
    rows = labels([("a", "pass"), ("a", "fail")], group=["x", "y"])
    found = measured(rows, verdicts([("a", "pass"), ("a", "pass")], group=["x", "y"]))
    assert [found["groups"][name]["accuracy"] for name in ("x", "y")] == [1, 0]


def test_a_group_of_the_labels_alone_groups_the_verdicts(measured):
    found = measured(labels(group=["x", "x", "y", "y"]), verdicts())
    assert (found["groups"]["x"]["n"], found["groups"]["y"]["n"]) == (2, 2)


def test_labels_may_be_repeated_as_long_as_they_agree(measured):
    assert measured(labels([*LABELS, *LABELS]), verdicts())["groups"]["all"]["n"] == 4


def test_items_of_one_file_only_are_named(measured):
    found = measured(labels([*LABELS, ("e", "pass"), ("f", None)]), verdicts([*VERDICTS, ("g", "pass")]))
    assert found["groups"]["all"]["n"] == 4
    assert (found["without_label"], found["without_verdict"]) == (["g"], ["e"])
    assert found["unlabelled"] == 1


def test_language_is_a_slice_by_itself_and_others_on_request(measured):
    found = measured(
        labels(language=["de", "de", "en", None], shop=["A", "B", "A", "B"]), verdicts(), "--slice", "shop"
    )
    assert {value: f["n"] for value, f in found["slices"]["language"].items()} == {"de": 2, "en": 1, "(none)": 1}
    assert {value: f["accuracy"] for value, f in found["slices"]["shop"].items()} == {"A": 1, "B": 0}


def test_answers_in_the_labels_show_a_leaning_to_length(measured):
    rows = labels(answer=["a long answer indeed", "short", "another long answer", "brief"])
    found = measured(rows, verdicts([("a", "pass"), ("b", "fail"), ("c", "pass"), ("d", "fail")]))
    assert found["groups"]["all"]["length_bias"]["value"] == 0.5


def test_of_a_pair_the_longer_side_is_the_long_one(measured):
    rows = labels([("a", 1), ("b", 2), ("c", 1)], answer_1=["long one", "x", "same"], answer_2=["x", "xx", "size"])
    found = measured(rows, verdicts([("a", 1), ("b", 1), ("c", 2)]))
    assert found["groups"]["all"]["length_bias"]["value"] == -0.5


def test_a_table_is_for_people_and_names_what_comes_next(program_in, tmp_path):
    words = verdicts([("a", "pass"), ("b", "fail"), ("c", "\x1b[31mfail"), ("d", "satisfied")], order=["AB"] * 4)
    result = program_in(
        "judge",
        "calibrate",
        written(tmp_path / "l.csv", labels()),
        "--verdicts",
        written(tmp_path / "v.csv", words),
    )
    assert "accuracy" in result.output
    assert "'satisfied' ×1" in result.output
    assert "b: label pass, verdict fail [AB]" in result.output
    assert "\x1b" not in result.output
    assert "next: pytest-llmreplay judge calibrate" in result.output


@pytest.mark.parametrize(("floor", "code"), [("0.4", 1), ("0.41", 1), ("-1", 1)])
def test_a_floor_is_a_check(program_in, tmp_path, floor, code):
    result = program_in(
        "judge",
        "calibrate",
        written(tmp_path / "l.csv", labels()),
        "--verdicts",
        written(tmp_path / "v.csv", verdicts()),
        "--min-kappa",
        floor,
        code=code,
    )
    assert ("below the floor" if floor == "0.41" else "may be chance") in result.output


def test_a_judge_above_the_floor_ends_well(program_in, tmp_path):
    many = [(f"{item}{i}", label) for i in range(10) for item, label in LABELS]
    names = [written(tmp_path / "l.csv", labels(many)), "--verdicts", written(tmp_path / "v.csv", verdicts(many))]
    said = program_in("judge", "calibrate", *names, "--min-kappa", "0.8").output
    assert " 0.82 to 1.00 " in said
    assert "below the floor" not in said


@pytest.mark.parametrize(
    ("label_rows", "said"),
    [
        (labels([("a", "satisfied")]), "row 1: label: unknown label (found 'satisfied'); allowed: pass, fail, 1, 2"),
        (labels([("a", True)]), "unknown label (found 'True')"),
        (labels([("a", "pass"), ("a", "fail")]), "has two labels, in rows 1 and 2 (found 'a')"),
        (labels([("", "pass")]), "row 1: item_id: is empty"),
        (labels([("a", None)]), "holds no label"),
        (labels([("z", "pass")]), "no verdict belongs to any of its items"),
        ([{"id": "a", "label": "pass"}], "has no column 'item_id'; it has id, label"),
    ],
)
def test_a_mistake_in_the_labels_is_one_sentence(refused, label_rows, said):
    assert said in refused(label_rows)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (verdicts([("a", "pass"), ("a", "pass")]), "has two verdicts, in rows 1 and 2"),
        (verdicts([("a", "1"), ("b", "1"), ("c", "1")], order=["x", "y", "z"]), "there are two presentation orders"),
        (verdicts([("a", "pass")], repeat=["one"]), "row 1: repeat: must be a whole number (found 'one')"),
        (verdicts([("a", "pass")], score=["high"]), "row 1: score: must be a number (found 'high')"),
        ([{"item_id": "a", "label": "pass"}], "has no column 'verdict'"),
    ],
)
def test_a_mistake_in_the_verdicts_is_one_sentence(refused, rows, said):
    assert said in refused(labels(), rows)


def test_two_verdicts_on_one_question_are_told_apart_by_their_number(measured):
    found = measured(labels(), verdicts([*VERDICTS, ("a", "fail")], repeat=[1, 1, 1, 1, 2]))
    assert (found["groups"]["all"]["n"], found["groups"]["all"]["repeatability"]) == (4, 0)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("l.txt", "", "has an unknown ending (found '.txt')"),
        ("l.jsonl", "{", "l.jsonl:1: is not JSON"),
        ("l.jsonl", "[]", "l.jsonl:1: a line must be an object"),
        ("l.csv", "item_id,label\na", "l.csv:2: has 1 cells where the header has 2"),
        ("l.csv", "item_id,item_id\n", "has a column twice"),
        ("l.parquet", "PAR1", "cannot be read as Parquet"),
    ],
)
def test_a_file_that_is_not_what_its_ending_says_is_one_sentence(program_in, tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    assert said in program_in.mistake("judge", "calibrate", name, "--verdicts", name)


def test_a_missing_file_is_one_sentence(program_in):
    assert "l.csv: cannot be read: No such file" in program_in.mistake("judge", "calibrate", "l.csv", "--verdicts", "v")
