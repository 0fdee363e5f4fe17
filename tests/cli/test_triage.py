"""`triage`, as it is used: on logs that say what went wrong, and on logs that do not."""

import datetime as dt
import itertools
import json
import time
from dataclasses import replace

import pytest

from benchmarks.make_logs import Regression, shop_conversations, with_failures
from pytest_llmreplay.mine.intents_file import read_intents
from pytest_llmreplay.model.conversation import Conversation, Message, ToolCall
from pytest_llmreplay.providers import embeddings
from pytest_llmreplay.traces import write_conversations
from tests.cli.conftest import conversation

REGRESSION = Regression("2026-02-03", "order", "v2", 0.4)


def shop_log(path, count, regression=None):
    made = itertools.islice(shop_conversations(5), count)
    write_conversations(path, with_failures(made, 5, 0.04, regression))


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    path = tmp_path_factory.mktemp("logs") / "planted.parquet"
    shop_log(path, 4000, REGRESSION)
    return str(path)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    path = tmp_path_factory.mktemp("logs") / "quiet.parquet"
    shop_log(path, 500)
    return str(path)


def talk(number, *, failed=False, tool="lookup", **fields):
    messages = (
        Message("user", f"where is order {number}?"),
        Message("assistant", None, tool_calls=(ToolCall("c", tool, "{}"),)),
        Message("tool", '{"order": 1}', tool_call_id="c"),
        Message("assistant", "" if failed else "It arrives on Friday."),
    )
    given = {"model": "m1", "started_at": f"2026-03-{1 + number % 20:02d}T10:00:00+00:00", **fields}
    return Conversation(f"t{number}", messages, **given)


def told(result):
    return json.loads(result.stdout)


def test_a_planted_regression_is_the_top_line(program_in, planted):
    lines = program_in("triage", planted, "--by", "prompt_version").output.splitlines()
    assert lines[0].startswith("Since 2026-02-0")
    assert "conversations that call order with prompt version v2 fail in " in lines[0]
    assert lines[2].startswith("failed means: negative feedback, an error, a label")
    assert "negative_feedback" in lines[3]
    assert lines[4].startswith("The failures of the first finding are systemic: no user has more than ")
    assert any(line.startswith("prompt version ") for line in lines)
    assert any(line.startswith("order ") and line.rstrip().endswith("*") for line in lines)
    assert lines[-1] == f"next: pytest-llmreplay find {planted} --signal negative_feedback"


def test_json_has_the_finding_with_its_figures(program_in, planted):
    result = told(program_in("triage", planted, "--by", "tool", "--json"))
    [finding, *_] = result["findings"]
    assert {(one["dimension"], one["value"]) for one in finding["conditions"]} == {
        ("tool", "order"),
        ("prompt_version", "v2"),
    }
    assert finding["since"][:9] == "2026-02-0"
    assert finding["before"]["high"] < finding["inside"]["low"]
    assert finding["p_adjusted"] < 1e-6
    assert set(result["groups"]) == {"tool", "model", "prompt_version", "segment"}
    assert result["failing"]["total"] == 4000
    assert result["tools"][0]["tool"] == "order"
    assert result["tools"][0]["low"] > 1


def test_with_nothing_planted_it_says_so(program_in, quiet):
    output = program_in("triage", quiet).output
    assert output.startswith("Nothing stands out: ")
    assert (
        "no intent, tool, model, prompt version or segment has more failures than chance explains, always"
        in output.splitlines()[0]
    )
    assert told(program_in("triage", quiet, "--by", "tool", "--json"))["findings"] == []


def test_intents_are_kept_under_their_ids(program_in, quiet):
    intents = program_in.root / "intents.parquet"
    first = told(program_in("triage", quiet, "--by", "intent", "--intents", "intents.parquet", "--json"))
    kept = read_intents(intents, embedder=embeddings.static_embedder().identity)
    groups = {group["value"]: group["failing"]["total"] for group in first["groups"]["intent"]}
    assert set(groups) - {"other"} <= {intent.intent_id for intent in kept.found}
    assert sum(groups.values()) == 500
    again = told(program_in("triage", quiet, "--by", "intent", "--intents", "intents.parquet", "--json"))
    assert {group["value"]: group["failing"]["total"] for group in again["groups"]["intent"]} == groups


def test_intents_that_cannot_be_kept_are_one_sentence(program_in, quiet):
    (program_in.root / "file").touch()
    told = program_in.mistake("triage", quiet, "--by", "intent", "--intents", "file/intents.parquet")
    assert told.startswith("file/intents.parquet: cannot be written: ")


def test_new_wishes_become_new_intents_and_old_ids_stay(program_in, quiet):
    told(program_in("triage", quiet, "--by", "intent", "--intents", "intents.parquet", "--json"))
    embedder = embeddings.static_embedder().identity
    before = {one.intent_id for one in read_intents(program_in.root / "intents.parquet", embedder=embedder).found}
    soups = [
        replace(talk(n), messages=(Message("user", f"is the {soup} soup vegetarian?"), Message("assistant", "Yes.")))
        for n, soup in enumerate(itertools.islice(itertools.cycle(("tomato", "pumpkin", "lentil", "bean")), 100))
    ]
    write_conversations(program_in.root / "soups.parquet", soups)
    both = told(
        program_in("triage", quiet, "soups.parquet", "--by", "intent", "--intents", "intents.parquet", "--json")
    )
    after = {
        one.intent_id: one.name for one in read_intents(program_in.root / "intents.parquet", embedder=embedder).found
    }
    assert before < set(after)
    totals = {group["value"]: group["failing"]["total"] for group in both["groups"]["intent"]}
    assert sum(totals.values()) == 600
    assert sum(totals.get(new, 0) for new in set(after) - before) >= 90
    assert any("soup" in after[new] for new in set(after) - before)


def test_without_the_extra_one_sentence_says_what_is_missing(program_in, quiet, monkeypatch):
    monkeypatch.setattr(embeddings, "find_spec", lambda name: None)
    embeddings.static_embedder.cache_clear()
    result = told(program_in("triage", quiet, "--json"))
    [note] = result["notes"]
    assert "There are no intents: " in note
    assert "pip install 'pytest-llmreplay[mine]'" in note
    assert "intent" not in result["groups"]
    assert "extra 'mine'" in program_in.mistake("triage", quiet, "--by", "intent")


def test_what_failed_means_can_be_said(program_in):
    talks = [talk(n, failed=n % 3 == 0, latency_s=float(n)) for n in range(60)]
    write_conversations(program_in.root / "log.parquet", talks)
    by_default = program_in("triage", "log.parquet", "--by", "model").output
    assert "failed: 33.3 % (20 of 60;" in by_default
    asked = program_in("triage", "log.parquet", "--by", "model", "--failed", "latency_s >= 50").output
    assert "failed means: latency_s >= 50\nfailed: 16.7 % (10 of 60;" in asked
    assert asked.splitlines()[-1] == "next: the same command with --suggest 6 --out suggestions.parquet"
    both = told(
        program_in(
            *("triage", "log.parquet", "--by", "model", "--json"),
            *("--failed", "latency_s >= 50", "--signal", "empty_answer"),
        )
    )
    assert both["failed_means"] == "the signal empty_answer, or latency_s >= 50"
    assert both["failing"]["count"] == len({n for n in range(60) if n % 3 == 0 or n >= 50})


@pytest.mark.parametrize(
    ("rows", "after"),
    [
        ([{"reward": n % 2} for n in range(20)], "the same command with --suggest 6 --out suggestions.parquet"),
        ([{"feedback": n % 2} for n in range(20)], "pytest-llmreplay find log.jsonl --signal negative_feedback"),
        ([{} for n in range(20)], "pytest-llmreplay signals list"),
    ],
    ids=["label", "signal", "none"],
)
def test_the_next_command_shows_what_failed(program_in, rows, after):
    talks = [conversation(f"r{n}", **row) for n, row in enumerate(rows)]
    (program_in.root / "log.jsonl").write_text("\n".join(map(json.dumps, talks)))
    assert program_in("triage", "log.jsonl").output.splitlines()[-1] == f"next: {after}"


def test_conversations_without_a_time_that_since_leaves_out_are_told(program_in):
    talks = [conversation(f"r{n}", **({"started_at": "2026-03-01"} if n else {})) for n in range(4)]
    (program_in.root / "log.jsonl").write_text("\n".join(map(json.dumps, talks)))
    assert told(program_in("triage", "log.jsonl", "--json"))["notes"] == []
    found = told(program_in("triage", "log.jsonl", "--since", "2026-02-01", "--json"))
    assert found["failing"]["total"] == 3
    assert found["notes"] == ["Left out: 1 conversation that does not say when it began."]


def test_labels_and_errors_of_the_log_count(program_in):
    rows = [
        *(conversation(f"r{n}", reward=n % 2) for n in range(10)),
        conversation("label", label="Failed"),
        conversation("well", label="good", success=True),
        conversation("success", success=False),
        conversation("error", error="timeout"),
    ]
    (program_in.root / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    result = told(program_in("triage", "log.jsonl", "--by", "model", "--json"))
    assert result["failing"]["count"] == 5 + 3
    assert result["reasons"] == {"error": 1, "label": 7}


def test_since_leaves_out_what_was_before(program_in):
    write_conversations(program_in.root / "log.parquet", [talk(n, failed=n % 20 < 5) for n in range(60)])
    result = told(program_in("triage", "log.parquet", "--by", "model", "--since", "2026-03-04", "--json"))
    assert (result["first_day"], result["failing"]["total"], result["failing"]["count"]) == ("2026-03-04", 51, 6)


@pytest.mark.parametrize(("since", "left"), [("24h", ["20h"]), ("2d", ["20h", "30h"]), ("7d", ["20h", "30h", "3d"])])
def test_since_may_be_so_long_ago(program_in, since, left):
    now = dt.datetime.now(dt.UTC)
    hours = {"20h": 20, "30h": 30, "3d": 72, "8d": 192}
    talks = [
        talk(n, model=name, started_at=(now - dt.timedelta(hours=ago)).isoformat())
        for n, (name, ago) in enumerate(hours.items())
    ]
    write_conversations(program_in.root / "log.parquet", [*talks, talk(9, model="undated", started_at=None)])
    result = told(program_in("triage", "log.parquet", "--by", "model", "--since", since, "--json"))
    assert sorted(group["value"] for group in result["groups"]["model"]) == left


@pytest.fixture
def in_new_york(monkeypatch):
    with monkeypatch.context() as zone:
        zone.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_new_york")
def test_days_and_since_are_those_of_utc_wherever_the_program_runs(program_in):
    starts = ("2026-03-05T01:30:00+02:00", "2026-03-04T23:30:00-02:00", "2026-03-05T00:30:00", "2026-03-05")
    talks = [talk(n, model=start, started_at=start) for n, start in enumerate(starts)]
    write_conversations(program_in.root / "log.parquet", talks)
    result = told(program_in("triage", "log.parquet", "--by", "model", "--json"))
    assert {group["value"]: group["trend"][0]["day"] for group in result["groups"]["model"]} == {
        starts[0]: "2026-03-04",
        **dict.fromkeys(starts[1:], "2026-03-05"),
    }
    after = told(program_in("triage", "log.parquet", "--by", "model", "--since", "2026-03-05", "--json"))
    assert sorted(group["value"] for group in after["groups"]["model"]) == sorted(starts[1:])


def test_any_column_of_text_and_any_metadata_is_a_dimension(program_in):
    talks = [talk(n, failed=n % 4 == 0, metadata={"country": "at" if n % 4 == 0 else "de"}) for n in range(80)]
    write_conversations(program_in.root / "log.parquet", talks)
    result = told(program_in("triage", "log.parquet", "--by", "metadata.country", "--json"))
    assert [(one["value"], one["failing"]["count"]) for one in result["groups"]["metadata.country"]] == [
        ("at", 20),
        ("de", 0),
    ]
    assert result["top"].startswith("Conversations with metadata.country at fail in 100.0 %")


def test_a_dimension_that_the_log_does_not_have_is_told(program_in, quiet):
    told = json.loads(program_in("triage", quiet, "--by", "model", "--by", "metadata.nope", "--json").stdout)
    assert told["notes"] == ["No conversation has metadata.nope."]


def test_wrong_calls_are_a_question_of_routing(program_in):
    from pytest_llmreplay.model.conversation import Tool

    offered = (Tool("lookup"),)
    talks = [talk(n, failed=True, tool="lookup" if n % 4 else "invented", tools=offered) for n in range(40)]
    write_conversations(program_in.root / "log.parquet", talks)
    output = program_in("triage", "log.parquet", "--by", "model").output
    assert "Routing: in 25.0 % (10 of 40; 95 %: 14.2–40.2 %) of the failures the calls were already wrong" in output
    assert "generation: 75.0 %" in output


def test_values_of_a_log_cannot_draw_on_the_terminal(program_in):
    talks = [talk(n, failed=n % 2 == 0, model="\x1b[2Jm" if n % 2 == 0 else "m") for n in range(60)]
    write_conversations(program_in.root / "log.parquet", talks)
    output = program_in("triage", "log.parquet", "--by", "model").output
    assert "\x1b" not in output
    assert "\\x1b[2Jm" in output.splitlines()[0]


def test_mistakes(program_in):
    write_conversations(program_in.root / "log.parquet", [talk(1)])
    assert "did you mean 'model'" in program_in.mistake("triage", "log.parquet", "--by", "modl")
    assert "did you mean 'latency_s'" in program_in.mistake("triage", "log.parquet", "--failed", "latency > 1")
    assert "getenv is not allowed" in program_in.mistake("triage", "log.parquet", "--failed", "getenv('HOME') = ''")
    assert "did you mean 'refusal'" in program_in.mistake("triage", "log.parquet", "--signal", "refusl")
    assert "write 2026-01-31, 7d or 24h" in program_in.mistake("triage", "log.parquet", "--since", "yesterday")


def test_a_log_of_one_conversation_without_users_words(program_in):
    silent = replace(talk(1), messages=(Message("assistant", "Hello"),), started_at=None, model=None)
    write_conversations(program_in.root / "log.parquet", [silent])
    result = told(program_in("triage", "log.parquet", "--json"))
    assert result["top"] == "None of 1 conversations failed."
    assert result["notes"] == ["There are no intents: the log holds no text of users."]
