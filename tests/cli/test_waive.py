import datetime as dt

import pytest
import yaml

from pytest_llmreplay.config.waivers import load_waivers
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.store.cases import read_cases
from tests.cli.conftest import conversation

EXPECT = {"calls": {"expected": [{"name": "order"}]}}


@pytest.fixture
def cases(program_in, log):
    log(conversation("t-1", expect=EXPECT), conversation("t-2", expect=EXPECT))
    program_in("promote", "log.jsonl", "--expect-column", "expect", "--out", "golden/a.parquet")
    return [case.case_id for case in read_cases(program_in.root / "golden/a.parquet")]


def waive(program_in, case, until="2099-12-31", owner="ann", reason="the tool is down", **kwargs):
    return program_in("waive", case, "--until", until, "--owner", owner, "--reason", reason, **kwargs)


def test_a_waiver_is_written_and_read_again(program_in, cases):
    shown = waive(program_in, cases[0], reason="a: b # c\n- d").stdout
    assert f"{cases[0]} is waived until 2099-12-31 (ann: a: b # c - d)" in shown
    [waiver] = load_waivers(program_in.root / "configs/waivers.yaml")
    assert (waiver.case, waiver.until, waiver.owner) == (cases[0], dt.date(2099, 12, 31), "ann")
    assert waiver.reason == "a: b # c - d"
    assert "0 problems" in program_in("validate").stdout


def test_another_waiver_is_appended_and_comments_stay(program_in, cases):
    waive(program_in, cases[0])
    path = program_in.root / "configs/waivers.yaml"
    path.write_text(path.read_text() + "  # agreed with Bea\n")
    waive(program_in, cases[1])
    assert "# agreed with Bea" in path.read_text()
    assert [waiver.case for waiver in load_waivers(path)] == cases


def test_a_waiver_of_the_same_case_takes_the_place_of_the_earlier_one(program_in, cases):
    waive(program_in, cases[0])
    assert "waived anew" in waive(program_in, cases[0], until="2098-01-01").stdout
    assert [str(w.until) for w in load_waivers(program_in.root / "configs/waivers.yaml")] == ["2098-01-01"]


@pytest.mark.parametrize(
    "before", ["kind: waivers\nwaivers: []\n", "kind: waivers\n", "{kind: waivers, waivers: []}\n"]
)
def test_however_the_file_is_written_it_holds_the_waiver_afterwards(program_in, cases, before):
    path = program_in.root / "configs/waivers.yaml"
    path.parent.mkdir()
    path.write_text(before)
    waive(program_in, cases[0])
    assert yaml.safe_load(path.read_text())["waivers"][0]["case"] == cases[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"until": "tomorrow"}, "is no date"),
        ({"until": "2020-01-01"}, "is in the past"),
        ({"owner": " "}, "owner"),
        ({"reason": "\n"}, "reason"),
    ],
)
def test_a_mistake_is_refused_and_nothing_is_written(program_in, cases, change, words):
    arguments = {"--until": "2099-12-31", "--owner": "a", "--reason": "b", **{f"--{k}": v for k, v in change.items()}}
    flat = [text for option in arguments.items() for text in option]
    assert words in program_in.mistake("waive", cases[0], *flat)
    assert not (program_in.root / "configs/waivers.yaml").exists()


def test_an_unknown_case_is_refused_with_a_suggestion(program_in, cases):
    told = program_in.mistake("waive", cases[0][:-1], "--until", "2099-01-01", "--owner", "a", "--reason", "b")
    assert "no golden case has this id" in told
    assert "did you mean" in told


def test_a_case_that_is_waived_twice_is_a_mistake(tmp_path):
    path = tmp_path / "waivers.yaml"
    line = "- {case: a, until: 2099-01-01, owner: o, reason: r}\n"
    path.write_text(f"kind: waivers\nwaivers:\n{line}{line}")
    with pytest.raises(UserError, match="'a' is waived twice"):
        load_waivers(path)
