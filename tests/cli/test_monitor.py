"""`monitor`, as it is used."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from pytest_llmreplay.cli.monitor import monitor
from pytest_llmreplay.mine.monitoring import LEVEL, Status
from pytest_llmreplay.model.case import Case, Provenance
from pytest_llmreplay.model.conversation import Conversation, Message, ToolCall
from pytest_llmreplay.store.cases import read_cases, write_cases
from pytest_llmreplay.traces import write_conversations
from tests.cli.walk import walk

PAGE = (Path(__file__).parents[2] / "docs" / "monitor.md").read_text(encoding="utf-8")
ASKS = [
    "how do I talk to a person?",
    "can I talk to a real person please",
    "I want to talk to a person, I am Rosalind Quimby",
    "how can I talk to a human person",
]
OTHERS = ["what are your opening hours on Sunday", "my parcel has not arrived yet", "do you sell red shoes in size 42"]
EXPECT = {"calls": {"expected": [{"name": "human"}]}}


def talk(named, text, tool, at, answer="Have a look at 4111 1111 1111 1111."):
    messages = (
        Message("user", text),
        Message("assistant", tool_calls=(ToolCall("c", tool, "{}"),)),
        Message("tool", "nothing", tool_call_id="c"),
        Message("assistant", answer),
    )
    return Conversation(named, messages, started_at=at)


def day(date, failing, well, others=4):
    """A day's conversations: so many who ask for a person and are sent searching, or are passed on; and others."""
    at = f"2026-01-{date:02}T10:00:00+00:00"
    found = [talk(f"bad-{date}-{i}", ASKS[i % 4], "search", at) for i in range(failing)]
    found += [talk(f"good-{date}-{i}", ASKS[i % 4], "human", at) for i in range(well)]
    return found + [talk(f"other-{date}-{i}", OTHERS[i % 3], "search", at) for i in range(others)]


def incident(case_id="person-1", text="how do I talk to a person? I am [NAME_0a1b2c3d]", **fields):
    messages = talk(case_id, text, "search", None).messages
    made = Case(case_id, "support", "incident", "open", messages, 1, expect=EXPECT)
    return replace(made, **fields)


@pytest.fixture
def watched(program_in):
    """A project with one incident, and two logs: of before, and of after it got worse."""
    golden = program_in.root / "golden"
    golden.mkdir()
    own = Provenance(trace_id="bad-3-0")
    write_cases(golden / "a.parquet", [incident(provenance=own), incident("kept", kind="control", status="fixed")])
    write_conversations(program_in.root / "before.parquet", [one for date in (3, 4) for one in day(date, 2, 20)])
    write_conversations(program_in.root / "worse.parquet", [one for date in (5, 6) for one in day(date, 10, 10)])
    write_conversations(program_in.root / "same.parquet", [one for date in (5, 6) for one in day(date, 2, 20)])
    return program_in


def measured(program_in, *arguments, code=0):
    return json.loads(program_in("monitor", *arguments, "--json", code=code).stdout)


def test_the_first_run_shows_rates_and_how_to_accept_them(watched):
    output = watched("monitor", "before.parquet").output.splitlines()
    assert output == [
        "new        person-1  3 of 43 (7.0%, 2.4% to 18.6%): calls search and does not call human",
        "1 case watched in 52 conversations; nothing is accepted yet (golden/monitor.json)",
        "next: pytest-llmreplay monitor before.parquet --accept",
    ]
    assert not (watched.root / "golden" / "monitor.json").exists()


def test_options_are_part_of_what_is_to_be_accepted(watched):
    for options in (("--where", "conversation_id LIKE 'bad%'"), ("--suite", "support"), ("--similar", "0.2")):
        last = watched("monitor", "before.parquet", *options).output.splitlines()[-1]
        assert last == "next: the same command with --accept"


def test_a_rise_is_an_alert_with_its_days_and_ids(watched):
    assert "1 rate accepted in golden/monitor.json" in watched("monitor", "before.parquet", "--accept").output
    output = watched("monitor", "worse.parquet", code=1).output.splitlines()
    assert output == [
        "ALERT      person-1  20 of 40 (50.0%, 35.2% to 64.8%): calls search and does not call human",
        "           accepted 3 of 43 (7.0%, 2.4% to 18.6%); p < 0.001, Holm over 1",
        "           2026-01-05  10 of 20 (50.0%, 29.9% to 70.1%)",
        "           2026-01-06  10 of 20 (50.0%, 29.9% to 70.1%)",
        "           bad-6-0, bad-6-1, bad-6-2 and 17 more",
        "1 case watched in 48 conversations: 1 alert",
        "next: pytest-llmreplay promote worse.parquet --id bad-6-0",
    ]


def test_no_rise_is_no_alert(watched):
    watched("monitor", "before.parquet", "--accept")
    assert "1 steady" in watched("monitor", "same.parquet").output
    assert "2026-01-05  2 of 22" in watched("monitor", "same.parquet", "-v").output


def test_what_was_accepted_is_not_counted_again(watched):
    watched("monitor", "before.parquet", "--accept")
    [watch] = measured(watched, "*.parquet", "--where", "started_at < '2026-01-05'", code=10)["watches"]
    assert (watch["status"], watch["similar"], watch["days"]) == ("unmeasured", 0, [])
    [watch] = measured(watched, "before.parquet", "worse.parquet", code=1)["watches"]
    assert [one["day"] for one in watch["days"]] == ["2026-01-05", "2026-01-06"]


def test_logs_that_end_before_the_acceptance_are_told(watched):
    watched("monitor", "before.parquet", "--accept")
    assert watched("monitor", "before.parquet", code=10).output.splitlines()[-1] == (
        "next: give logs of after 2026-01-04 10:00: what began before was accepted, and does not count again"
    )


def test_json_says_all(watched):
    watched("monitor", "before.parquet", "--accept")
    data = measured(watched, "worse.parquet", "--since", "2026-01-06", code=1)
    [watch] = data.pop("watches")
    assert data == {
        "level": 0.01,
        "baseline": "golden/monitor.json",
        "since": "2026-01-06T00:00:00+00:00",
        "latest": "2026-01-06T10:00:00+00:00",
        "conversations": 48,
        "undated": 0,
        "not_watched": [],
        "exit_code": 1,
    }
    assert (watch["shown"], watch["similar"], watch["rate"]) == (10, 20, 0.5)
    assert watch["accepted"]["until"] == "2026-01-04T10:00:00+00:00"
    assert (watch["accepted"]["shown"], watch["accepted"]["similar"]) == (3, 43)
    assert 0 < watch["p_value"] == watch["p_holm"] < 0.001
    assert watch["conversations"][0] == "bad-6-0"
    assert (watch["status"], watch["derived_from"], watch["similar_from"]) == ("alert", "calls", 0.3)


def test_what_customers_wrote_is_neither_printed_nor_kept_in_the_project(watched):
    outputs = [
        watched("monitor", "before.parquet", "--accept").output,
        watched("monitor", "worse.parquet", "-v", code=1).output,
        watched("monitor", "worse.parquet", "--json", code=1).output,
        (watched.root / "golden" / "monitor.json").read_text(),
    ]
    for output in outputs:
        assert not any(part in output for part in ("Rosalind", "4111", "talk to a"))
    assert [path.name for path in watched.root.iterdir() if path.name.startswith(".")] == []


def test_nothing_measured_is_ten_and_never_green(watched):
    write_conversations(watched.root / "other.parquet", day(5, 0, 0))
    assert watched("monitor", "other.parquet", code=10).output.splitlines()[-1].startswith("next: give logs of more")
    accepted = watched("monitor", "other.parquet", "--accept", code=10).output
    assert "0 rates accepted" in accepted
    assert not (watched.root / "golden" / "monitor.json").exists()
    watched("monitor", "before.parquet", "--accept")
    output = watched("monitor", "other.parquet", code=10).output
    assert "unmeasured person-1  no similar conversation" in output


def test_conversations_without_a_time_are_counted_and_said(watched):
    timeless = [replace(one, started_at=None) for one in day(5, 5, 5)]
    write_conversations(watched.root / "timeless.parquet", timeless)
    output = watched("monitor", "timeless.parquet", code=10).output
    assert "14 conversations, 14 of which do not say when they began and are not counted" in output


def test_an_id_cannot_command_the_terminal(watched):
    hostile = [replace(one, conversation_id=f"\x1b[31m;rm -rf ~\n{one.conversation_id}") for one in day(5, 20, 0)]
    write_conversations(watched.root / "hostile.parquet", hostile)
    watched("monitor", "before.parquet", "--accept")
    output = watched("monitor", "hostile.parquet", code=1).output
    assert "\x1b" not in output
    assert "--id '\\x1b[31m;rm -rf ~" in output


def test_a_conversation_counts_once_and_only_if_it_was_answered(watched):
    logged = day(5, 2, 3)
    silent = replace(logged[0], conversation_id="silent", messages=logged[0].messages[:1])
    for name in ("one", "two"):
        write_conversations(watched.root / f"{name}.parquet", [*logged, silent])
    [watch] = measured(watched, "one.parquet", "two.parquet")["watches"]
    assert (watch["shown"], watch["similar"], watch["conversations"]) == (2, 5, ["bad-5-0", "bad-5-1"])


def write_lines(path, conversations, ids=()):
    """A plain log of one line a conversation, whose ids are left out unless they are given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"started_at": one.started_at, "messages": [
            {"role": "user", "content": one.messages[0].content},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": one.messages[1].tool_calls[0].name, "arguments": "{}"}}
            ]},
        ]}
        for one in conversations
    ]  # fmt: skip
    for row, given in zip(rows, ids, strict=False):
        row["conversation_id"] = given
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_files_of_one_name_whose_conversations_have_no_ids_are_all_counted(watched):
    for date in (5, 6, 7):
        write_lines(watched.root / "daily" / f"2026-01-0{date}" / "chat.jsonl", day(date, 1, 3))
    [watch] = measured(watched, "daily")["watches"]
    assert (watch["shown"], watch["similar"]) == (3, 12)
    assert [(one["shown"], one["similar"]) for one in watch["days"]] == [(1, 4)] * 3
    assert [w["similar"] for w in measured(watched, "daily", "daily/2026-01-05/chat.jsonl")["watches"]] == [12]


def test_ids_that_were_made_of_one_name_are_told_by_all_who_name_ids(watched):
    expected = (
        "the conversations of 2 files have no ids, and the same ones were made of the files' names; "
        "promote --id takes the first of each: name its file there\n"
    )
    for date in (5, 6):
        write_lines(watched.root / "daily" / f"{date}" / "chat.jsonl", day(date, 2, 3))
    for command in (("monitor", "daily"), ("find", "daily", "--like", "a person"), ("triage", "daily")):
        assert watched(*command).stderr == expected, command
    assert watched("monitor", "daily/5").stderr == ""
    output = watched("promote", "daily", "--id", "chat-1", "--residual", "keep", code=1).output
    assert "in this promotion, daily/5/chat.jsonl, record 1" in output
    assert "1 case written" in output


def test_a_conversation_with_an_id_counts_once_in_files_that_overlap(watched):
    for name in ("monday", "tuesday"):
        write_lines(watched.root / name / "chat.jsonl", day(5, 1, 3, others=0), "abcd")
    [watch] = measured(watched, "monday", "tuesday")["watches"]
    assert (watch["shown"], watch["similar"]) == (1, 4)


def promoted_from(program_in, log, named):
    """The project's only case is what `promote` makes of one conversation."""
    for path in (program_in.root / "golden").iterdir():
        path.unlink()
    (program_in.root / "expect.yaml").write_text(json.dumps({"kind": "expectations", "expect": EXPECT}))
    program_in("promote", log, "--id", named, "--expect", "expect.yaml", "--residual", "keep")


def test_the_own_conversation_does_not_count_when_its_id_was_redacted(watched):
    log, mail = "chats/mail.jsonl", "anna.berg@gmail.com"
    write_lines(watched.root / log, day(5, 2, 3), [mail, *"bcde"])
    promoted_from(watched, log, mail)
    [watch] = measured(watched, log)["watches"]
    [case] = [case for path in (watched.root / "golden").rglob("*.parquet") for case in read_cases(path)]
    assert mail not in (case.provenance.trace_id or mail)
    assert (watch["shown"], watch["similar"], watch["conversations"]) == (1, 4, ["b"])
    write_lines(watched.root / log, day(6, 2, 3), "fghij")
    assert [one["similar"] for one in measured(watched, log)["watches"]] == [5]


def test_the_own_conversation_is_one_of_those_with_ids_made_of_names_of_files(watched):
    for date in (5, 6):
        write_lines(watched.root / f"{date}" / "chat.jsonl", day(date, 2, 3))
    promoted_from(watched, "5/chat.jsonl", "chat-1")
    [watch] = measured(watched, "5", "6")["watches"]
    assert [(one["shown"], one["similar"]) for one in watch["days"]] == [(1, 4), (2, 5)]


def test_a_case_without_a_sign_is_listed_as_not_watched(watched):
    plain = (Message("user", "how do I talk to a person?"), Message("assistant", "You can call us."))
    blind = incident("blind", messages=plain, expect={"answer": {"contains_any": "9:00"}})
    write_cases(watched.root / "golden" / "b.parquet", [blind, incident("old", status="retired")])
    assert "not watched  blind: nothing shows its failure" in watched("monitor", "before.parquet").output
    data = measured(watched, "before.parquet", "--suite", "golden/b.parquet", code=10)
    assert (data["watches"], [one["case_id"] for one in data["not_watched"]]) == ([], ["blind"])
    output = watched("monitor", "before.parquet", "--suite", "golden/b.parquet", code=10).output
    assert output.endswith("next: pytest-llmreplay golden edit blind, to say its failure_category and failure_stage\n")


def test_signals_of_the_recorded_conversation_are_watched_too(watched):
    refused = (
        Message("user", "how do I talk to a person?"),
        Message("assistant", "I'm sorry, but I can't help with that."),
    )
    case = incident("refused", messages=refused, expect={"answer": {"contains_any": "9:00"}})
    write_cases(watched.root / "golden" / "b.parquet", [case])
    refusal = "I'm sorry, but I can't help with that."
    at = "2026-01-05T10:00:00Z"
    logged = [talk(f"r{i}", ASKS[i % 4], "search", at, answer=refusal if i < 3 else "Yes.") for i in range(8)]
    write_conversations(watched.root / "refusals.parquet", logged)
    [watch] = measured(watched, "refusals.parquet", "--suite", "golden/b.parquet")["watches"]
    assert (watch["signal"], watch["derived_from"], watch["shown"], watch["similar"]) == ("refusal", "signals", 3, 8)


def test_a_changed_sign_or_similarity_is_not_compared(watched):
    watched("monitor", "before.parquet", "--accept")
    output = watched("monitor", "worse.parquet", "--similar", "0.4", code=10).output
    assert "changed    person-1" in output
    assert "what was accepted counted another signal" in output


def test_a_new_case_is_shown_beside_what_is_compared(watched):
    watched("monitor", "before.parquet", "--accept")
    write_cases(watched.root / "golden" / "b.parquet", [incident("late")])
    statuses = {watch["case_id"]: watch["status"] for watch in measured(watched, "same.parquet")["watches"]}
    assert statuses == {"late": "new", "person-1": "steady"}


def test_accepting_a_suite_keeps_the_others_and_the_whole_forgets_the_gone(watched):
    write_cases(watched.root / "golden" / "b.parquet", [incident("late", suite="late")])
    watched("monitor", "before.parquet", "--accept")
    path = watched.root / "golden" / "monitor.json"
    assert list(json.loads(path.read_text())["cases"]) == ["late", "person-1"]
    watched("monitor", "worse.parquet", "--accept", "--suite", "late")
    assert {c: r["similar"] for c, r in json.loads(path.read_text())["cases"].items()} == {"late": 40, "person-1": 43}
    (watched.root / "golden" / "b.parquet").unlink()
    watched("monitor", "worse.parquet", "--accept")
    assert list(json.loads(path.read_text())["cases"]) == ["person-1"]
    watched("validate")


def test_mistakes(watched):
    assert "--accept writes it" in watched.mistake("monitor", "worse.parquet", "--baseline", "x.json")
    assert "did you mean 'support'" in watched.mistake("monitor", "worse.parquet", "--suite", "suport")
    assert "is no time" in watched.mistake("monitor", "worse.parquet", "--since", "yesterday")
    assert "worse.parquet" in watched.mistake("monitor", "wors.parquet")


def test_the_page_is_true(watched):
    (watched.root / "logs").mkdir()
    for name in ("before", "same", "worse"):
        (watched.root / f"{name}.parquet").rename(watched.root / "logs" / f"{name}.parquet")
    assert walk(PAGE, watched) == 4
    for status in get_args(Status):
        assert f"`{status}`" in PAGE, status
    data = measured(watched, "logs/worse.parquet", code=1)
    for key in (*data, *data["watches"][0], *data["watches"][0]["days"][0]):
        assert f"`{key}`" in PAGE, key
    for option in re.findall(r"--[a-z]+", PAGE):
        assert option in {name for parameter in monitor.params for name in parameter.opts} | {"--like", "--id"}, option
    assert f"at most {LEVEL}" in PAGE
