import json
import stat
from collections import Counter
from dataclasses import replace

import pytest

from benchmarks.redaction import measure
from pytest_llmreplay.model.conversation import Conversation, Message, ToolCall
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.promote import Promotion, Stopped, promote
from pytest_llmreplay.promote.redact import Pseudonyms, Redactor, Rules, key_path, redaction_key, stored_as_logged
from pytest_llmreplay.promote.redact.scan import Scan, leftovers_of

ARGUMENTS = {
    "user_id": "mia_li_3668",
    "customer": {"name": {"first_name": "Mia", "last_name": "Li"}, "email": "mia.li@example.org"},
    "dob": "1990-04-05",
    "phone": "+1 415 555 2671",
    "address": {"line1": "975 Sunset Drive", "city": "Austin", "zip": "78750"},
}


def redactor(*, fake=False, names=(), key=b"k" * 32, **rules):
    return Redactor(Rules(**rules), Pseudonyms(lambda: key, fake=fake), lambda words: [w for w in words if w in names])


def case_of(*texts, arguments=ARGUMENTS, step=None, **columns):
    messages = [Message("system", "You help the customers of a shop.")]
    for text in texts:
        messages += [Message("user", text), Message("assistant", "well")]
    messages.insert(2, Message("assistant", tool_calls=(ToolCall("1", "look_up", json.dumps(arguments)),)))
    messages.insert(3, Message("tool", '{"ok": true}', tool_call_id="1"))
    conversation = Conversation("c-1", tuple(messages), **columns)
    [case] = promote([conversation], Promotion("s", "incident", "2026-01-01"), [step or redactor()])
    return case


def said(case):
    return [message.content for message in case.messages if message.role == "user"]


@pytest.mark.parametrize(
    "spelling",
    [
        "mia li", "MIA LI", "Li, Mia", "Mia's", "Mia Li’s", "mia_li_3668", "Mia_Li_3668", "MIA.LI@EXAMPLE.ORG",
        "mia dot li at example dot org", "(415) 555-2671", "4155552671", "0014155552671", "415.555.2671",
        "April 5, 1990", "5th of April 1990", "04/05/1990", "5.4.1990", "19900405", "975 sunset drive",
        "975 SUNSET DRIVE", "78750",
    ],
)  # fmt: skip
@pytest.mark.parametrize("fake", [False, True])
def test_a_value_at_a_typed_place_is_replaced_in_every_spelling(spelling, fake):
    [text] = said(case_of(f"so, {spelling} it was", step=redactor(fake=fake)))
    assert text.startswith("so, ")
    assert text.endswith(" it was")
    assert spelling.casefold() not in text.casefold()
    assert not any(part in text.casefold() for part in ("mia", "3668", "2671", "1990", "sunset", "78750"))


def test_other_text_is_left_alone():
    text = "I like the city of Austin, flight HAT204 on 2024-05-16 at 10:30 for $1,234.56, order 4417, mild miami limes"
    assert said(case_of(text)) == [text]


@pytest.mark.parametrize("date", ["2024-05-20", "(2024-05-20)", "20/05/2024", "5.20.24", "2024-05-20 14"])
def test_a_date_is_no_telephone_number_even_after_a_word_that_speaks_of_one(date):
    text = f"please contact me about flight 204 or call me on {date} again"
    assert said(case_of(text)) == [text]


def test_a_uuid_and_two_numbers_that_happen_to_follow_are_no_cards_or_telephones():
    texts = ["fca35246-6684-4425-8dca-8f and 6276644", "9725 is the flight, 22c438db-7d61-4153-9749-55101ac54d"]
    assert said(case_of(*texts)) == texts


def test_what_is_one_value_has_one_pseudonym_in_every_conversation():
    first = case_of("write to mia.li@example.org")
    second = case_of("MIA.LI@example.org again", arguments={})
    pseudonym = json.loads(first.messages[2].tool_calls[0].arguments)["customer"]["email"]
    assert said(first) == [f"write to {pseudonym}"]
    assert said(second) == [f"{pseudonym} again"]
    other_key = case_of("write to mia.li@example.org", step=redactor(key=b"x" * 32))
    assert pseudonym not in said(other_key)[0]


def test_json_keeps_its_form_and_malformed_arguments_are_redacted_too():
    arguments = {"n": 1, "note": json.dumps({"inner": "mia.li@example.org"}), "numbers": [4111111111111111, 12]}
    [call] = case_of("hello", arguments=arguments).messages[2].tool_calls
    data = json.loads(call.arguments)
    assert data["n"] == 1
    assert json.loads(data["note"])["inner"].startswith("[EMAIL_")
    assert data["numbers"][0].startswith("[CARD_")
    assert data["numbers"][1] == 12
    conversation = Conversation(
        "c", (Message("user", "hi"), Message("assistant", tool_calls=(ToolCall("1", "f", '{"name": "Mia Li", '),)))
    )
    [case] = promote([conversation], Promotion("s", "incident", "2026"), [redactor()])
    assert case.messages[1].tool_calls[0].arguments.startswith('{"name": "[NAME_')


def test_user_and_session_ids_become_keyed_hashes_and_counts_are_kept():
    case = case_of("hi", user_id="user-77", session_id="sess-9911")
    assert case.metadata["user_id"].startswith("[USER_ID_")
    assert case.metadata["session_id"].startswith("[SESSION_ID_")
    assert case.metadata["redaction"]["counts"]["session_id"] == 1
    assert case.provenance.redactor_version == "1"


def test_a_personal_conversation_id_does_not_name_the_case():
    conversation = Conversation("mia.li@example.org-7", (Message("user", "hi"), Message("assistant", "ho")))
    [case] = promote([conversation], Promotion("s", "incident", "2026"), [redactor()])
    assert "mia" not in case.case_id + case.provenance.trace_id


def test_a_conversation_that_is_called_like_its_session_can_still_be_joined_with_its_log():
    conversation = Conversation(
        "sess-9911-ab", (Message("user", "in sess-9911-ab"), Message("assistant", "ho")), session_id="sess-9911-ab"
    )
    [case] = promote([conversation], Promotion("s", "incident", "2026"), [redactor()])
    assert case.provenance.trace_id == "sess-9911-ab"
    assert case.messages[0].content == f"in {case.metadata['session_id']}"
    assert case.metadata["session_id"].startswith("[SESSION_ID_")


def test_fakes_keep_the_form():
    case = case_of("card 4111 1111 1111 1111, ip 10.1.2.3", step=redactor(fake=True))
    data = json.loads(case.messages[2].tool_calls[0].arguments)
    assert data["customer"]["email"].endswith("@example.com")
    assert len(data["phone"]) == len("+1 415 555 2671")
    assert data["phone"].startswith("+1 ")
    card = said(case)[0][5:24]
    digits = [int(d) for d in card if d.isdigit()]
    assert [len(group) for group in card.split()] == [4, 4, 4, 4]
    assert sum(sum(divmod(d * 2, 10)) if i % 2 else d for i, d in enumerate(reversed(digits))) % 10 == 0
    assert case.metadata["redaction"]["style"] == "fake"


@pytest.mark.parametrize("fake", [False, True])
def test_another_conversation_is_redacted_as_the_case_was(fake):
    mine = redactor(fake=fake, names=("Zoltanka",))
    case = case_of("this is Mia, and Zoltanka's at 975 Sunset Drive", step=mine)
    logged = Conversation(
        "c-1",
        (Message("user", "this is Mia, and Zoltanka's at 975 sunset drive"), Message("assistant", "Hello Mia and mia_li_3668")),
    )  # fmt: skip
    other = mine.conversation(logged, like=case)
    assert other.messages[0].content.casefold() == said(case)[0].casefold()
    user = json.loads(case.messages[2].tool_calls[0].arguments)["user_id"]
    assert other.messages[1].content.endswith(f"and {user}")
    assert "Mia" not in other.messages[1].content


def test_a_case_that_was_stored_as_logged_leaves_the_other_conversation_alone():
    case = case_of("this is Mia", step=stored_as_logged("a test"))
    logged = Conversation("c-1", (Message("user", "this is Mia"),))
    assert redactor().conversation(logged, like=case) is logged


def test_the_second_scan_stops_the_case_with_the_place_and_without_the_value():
    stopped = case_of("glued xacct90417755y here", arguments={"user_id": "acct-90417755"})
    assert isinstance(stopped, Stopped)
    assert "messages[1].content (a value that was replaced elsewhere)" in stopped.why
    assert "9041" not in stopped.why


@pytest.mark.parametrize(
    "text",
    [
        "mia@example.org", "4111-1111-1111-1111", "DE89 3704 0044 0532 0130 00", "+49 30 901820", "123-45-6789",
        "10.20.30.40", "https://a:b@host/", "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    ],
)  # fmt: skip
def test_the_second_scan_sees_by_itself_and_what_it_sees_the_first_pass_replaces(text):
    assert list(Scan(lambda _: False).kinds_in(f"so {text} it is", frozenset(), ()))
    assert said(case_of(f"so {text} it is"))[0].count("[") == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("it is M20IZOI.", True),
        ("it is (M20 izo-i)!", True),
        ("ref=xM20IZOI99", True),
        ("reservation M20IZO is not modified", False),
        ("am 20izoi", False),
    ],
)
def test_what_is_left_is_told_in_any_spelling_but_not_where_two_words_meet(text, told):
    left = leftovers_of(["M20IZOI"])
    assert bool(list(Scan(lambda _: False).kinds_in(text, left, ()))) is told


def test_leftovers_that_could_arise_by_chance_are_not_looked_for():
    assert leftovers_of(["Mia", "12345678", "mia_li_3668"]) == {"mili3668".replace("mi", "mia", 1)}


def test_a_text_that_a_person_allowed_stays():
    step = redactor(allow=["help@shop.example"])
    assert said(case_of("to help@shop.example", step=step)) == ["to help@shop.example"]


def test_possible_names_are_asked_for_and_replaced_everywhere():
    asked = []
    step = Redactor(Rules(), Pseudonyms(lambda: b"k" * 32), lambda words: asked.extend(words) or words)
    case = case_of("hello, Zoltanka here", "it's zoltanka again, and Kowalczyk’s dog", arguments={}, step=step)
    assert asked == ["Kowalczyk", "Zoltanka"]
    assert "oltanka" not in repr(case.messages)
    assert "’s dog" in said(case)[1]


def test_words_of_the_tools_and_of_the_dictionary_name_nobody():
    asked = []
    step = Redactor(Rules(), Pseudonyms(lambda: b"k" * 32), lambda words: asked.extend(words) or ())
    conversation = case_of("The Refund was Wrong. Zorblat is Great, I Don't Know, SKU-ABCD", step=step, arguments={})
    assert asked == ["Zorblat"]
    assert conversation.metadata["redaction"]["possible_names_kept"] == 1


def test_planted_data_of_twelve_kinds_is_found():
    for fake in (False, True):
        sown, missed, stopped = measure(40, 5, fake=fake)
        assert not missed, missed
        assert not stopped
        assert len({kind for kind, _ in sown}) == 12
        assert Counter(place for _, place in sown).keys() >= {"message", "nested", "split", "typed"}


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path):
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    key = redaction_key(environ)
    path = key_path(environ)
    assert redaction_key(environ) == key
    assert len(key) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(UserError, match="others may read"):
        redaction_key(environ)


def test_the_environment_gives_the_key_before_the_file(tmp_path):
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "PYTEST_LLMREPLAY_REDACTION_KEY": "long enough a key"}
    assert redaction_key(environ) == b"long enough a key"
    assert not key_path(environ).exists()
    with pytest.raises(UserError, match="shorter than"):
        redaction_key({"PYTEST_LLMREPLAY_REDACTION_KEY": "short"})


def test_without_anything_personal_no_key_is_needed():
    def no_key():
        raise AssertionError("the key was asked for")

    step = Redactor(Rules(), Pseudonyms(no_key), lambda words: ())
    assert said(case_of("where is my order?", arguments={"q": 1}, step=step)) == ["where is my order?"]


def test_the_expectation_is_redacted_alike_and_its_tools_keep_their_names():
    expect = {"calls": {"expected": [{"name": "get_user", "args": {"user_id": {"one_of": ["mia_li_3668", "x_9_9"]}}}]}}
    case = case_of("hi", step=lambda case: redactor()(replace(case, expect=expect)))
    [call] = case.expect["calls"]["expected"]
    assert call["name"] == "get_user"
    assert all(value.startswith("[USER_ID_") for value in call["args"]["user_id"]["one_of"])
    assert call["args"]["user_id"]["one_of"][0] == json.loads(case.messages[2].tool_calls[0].arguments)["user_id"]
