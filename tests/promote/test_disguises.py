"""Planted values that hide: in escapes, look-alike characters, keys, markup, answers to questions."""

import base64
import json
import time

import pytest

from pytest_llmreplay.model.conversation import Conversation, Message, ToolCall
from pytest_llmreplay.promote import Promotion, promote
from pytest_llmreplay.promote.redact import Pseudonyms, Redactor, Rules
from pytest_llmreplay.promote.redact.plain import plain, plain_text


def redacted(*chat, arguments="{}", result="{}", fake=False, **columns):
    said = [Message("assistant" if i % 2 else "user", text) for i, text in enumerate(chat)]
    messages = (
        *said[:1],
        Message("assistant", tool_calls=(ToolCall("1", "f", arguments),)),
        Message("tool", result, tool_call_id="1"),
        *said[1:],
    )
    step = Redactor(Rules(), Pseudonyms(lambda: b"k" * 32, fake=fake), lambda words: ())
    [case] = promote([Conversation("c-1", messages, **columns)], Promotion("s", "incident", "2026"), [step])
    return case


def written(case):
    return "".join(map(repr, (case.messages, case.recorded_results, case.metadata, case.provenance, case.title)))


TEXTS = {
    "mail": [
        ("https://x.example/?email=mia.li%40example.org&x=1", "mia"),
        ("mia.li&#64;example.org or mia.li&commat;example.org", "mia"),
        ("mia.li\N{FULLWIDTH COMMERCIAL AT}example.org", "mia"),
        ("mia.li\N{ZERO WIDTH SPACE}@example.org", "mia"),
        ("mi\N{SOFT HYPHEN}a.li@example.org", "li@"),
        ("mia.li @ example.org", "mia"),
        ("mia . li @ example . org", "mia"),
        ("mia dot li at example dot org", "mia"),
        ("MIA.LI AT EXAMPLE DOT ORG", "MIA"),
        ("mia.li (a) example.org, mia.li_at_example.org", "mia"),
        ("mia.li at example.org or mia at gmail.com", "mia"),
        ('"mia li"@example.org', "mia"),
        ("o'neil@example.org", "neil"),
        ("mïa.lí@exämple.org", "mïa"),
        ("data: mia.li@example.org", "mia"),
        ("data:text/plain,mia.li@example.org", "mia"),
        (r"{\"to\": \"mia.li\u0040example.org\"", "mia"),
        ("see " + base64.b64encode(b"write to mia.li@example.org").decode(), "bWlhL"),
        (base64.urlsafe_b64encode(b'{"email": "mia.li@example.org"}').decode().rstrip("="), "eyJlbW"),
    ],
    "number": [
        ("4111\N{NO-BREAK SPACE}1111\N{NO-BREAK SPACE}1111\N{NO-BREAK SPACE}1111", "1111"),
        ("4111\N{ZERO WIDTH SPACE}1111\N{ZERO WIDTH SPACE}1111\N{ZERO WIDTH SPACE}1111", "1111"),
        ("4111\N{EN DASH}1111\N{EN DASH}1111\N{EN DASH}1111", "1111"),
        ("4111/1111/1111/1111, 4111_1111_1111_1111", "1111"),
        ("4111,1111,1111,1111", "1111"),
        ("4111 1111\n1111 1111", "1111"),
        ("3782_822463_10005", "822463"),
        ("４１１１ １１１１ １１１１ １１１１", "１１１１"),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "1 1 1"),
        ("de89 3704 0044 0532 0130 00", "0532"),
        ("gb82west12345698765432", "987654"),
        ("DE89_3704_0044_0532_0130_00", "0532"),
        ("DE89\N{ZERO WIDTH SPACE}3704\N{ZERO WIDTH SPACE}0044\N{ZERO WIDTH SPACE}0532013000", "0532"),
        ("123\N{NON-BREAKING HYPHEN}45\N{NON-BREAKING HYPHEN}6789", "6789"),
        ("123.45.6789", "6789"),
        ("123 45 6789 is my social security number", "6789"),
        ("415\N{NON-BREAKING HYPHEN}555\N{NON-BREAKING HYPHEN}2671", "2671"),
        ("call ４１５-５５５-２６７１", "２６７１"),
        ("call me ٠١٢٣ ٤٥٦ ٧٨٩٠", "٤٥٦"),
        ("4 1 5 5 5 5 2 6 7 1 is my phone, call 4 1 5 5 5 5 2 6 7 1", "2 6 7 1"),
        ("10[.]20[.]30[.]40 and 10(.)20(.)30(.)41", "20"),
    ],
    "secret": [
        ("https%3A%2F%2Fh.example%2Fcb%3Ftoken%3Dabcdef123456", "abcdef"),
        ("my password is correcthorse", "correcthorse"),
        ("pw: hunter2x", "hunter2x"),
        ("my PIN is 4711", "4711"),
        ("the CVV: 123", "123"),
        ("Cookie: session=abcdef0123456789abcdef", "abcdef"),
    ],
}


@pytest.mark.parametrize("fake", [False, True])
@pytest.mark.parametrize(("text", "part"), [pair for pairs in TEXTS.values() for pair in pairs])
def test_a_disguise_does_not_save_a_value(text, part, fake):
    assert part not in redacted(text, fake=fake).messages[0].content
    assert (
        part
        not in redacted("hi", result=json.dumps({"deep": [json.dumps({"note": text})]}), fake=fake).messages[2].content
    )


@pytest.mark.parametrize(
    "text",
    [
        "I looked at booking.com and it was 100% fine &c.",
        "my password is wrong, and the password: expired",
        "4,5,6,7,8,9,1,2,3,4,5,6,7,8",
        "version 1.2.3 at 10:30, 20/30/40 of size 100,000",
        "look at x=1&y=2 and note: nothing",
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        "Name: required",
        "café résumé naïve – “quoted” … ½ ™",
    ],
)
def test_what_only_looks_like_one_stays(text):
    assert redacted(text).messages[0].content == text


@pytest.mark.parametrize(
    "result",
    [
        json.dumps(json.dumps({"customer_name": "Zorva Quorvin", "user_id": "zq_77_x"})),
        json.dumps({"x": json.dumps(json.dumps(json.dumps({"customer_name": "Zorva Quorvin", "user_id": "zq_77_x"})))}),
        "<c><name>Zorva Quorvin</name><user_id>zq_77_x</user_id></c>",
        "<c name=\"Zorva Quorvin\" user_id='zq_77_x'/>",
        "name=Zorva+Quorvin&user_id=zq_77_x&ok=1",
        "Name: Zorva Quorvin\nUser ID: zq_77_x\nStatus: gold",
        "- **Name:** Zorva Quorvin\n- **User id:** zq_77_x",
        "| Name | Zorva Quorvin |\n| User ID | zq_77_x |",
        "{'name': 'Zorva Quorvin', 'user_id': 'zq_77_x'}",
        '{"name": "Zorva Quorvin", "user_id": "zq_77_x"',
        '{"q": "{\\"name\\": \\"Zorva Quorvin\\", \\"user_id\\": \\"zq_77_x\\"',
        '{"user": {"id": "zq_77_x", "name": {"first": "Zorva", "last": "Quorvin"}}}',
        '{"customer": "Zorva Quorvin", "passengers": [{"firstName": "Zorva"}], "by": {"zq_77_x": 1}, "member": "zq_77_x"}',
        '{"vorname": "Zorva", "nachname": "Quorvin", "kundennummer": "zq_77_x"}',
        '{"FIRST_NAME": "Zorva", "last-name": "Quorvin", "CUSTOMER_NO": "zq_77_x"}',
    ],
)
@pytest.mark.parametrize("fake", [False, True])
def test_a_typed_place_is_one_in_whatever_form_a_tool_answers(result, fake):
    case = redacted("zorva here, QUORVIN, zq_77_x, quorvin_zorva's", result=result, fake=fake)
    assert not [part for part in ("orva", "uorvi", "ORVA", "UORVI", "zq_77") if part in written(case)]
    assert _is_json(case.messages[2].content) == _is_json(result)


def _is_json(text):
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Zoltán Brückner", "Zoltan Bruckner, zoltán, ZOLTÁN and Zolta\N{COMBINING ACUTE ACCENT}n"),
        ("Zoltan Bruckner", "Zoltán Brückner"),
        ("Zorva Boltruck", "zorvaboltruck and BOLTRUCKZORVA, zorva.boltruck, zorva_boltruck"),
        ("Mary-Jane Quorvin", "mary-jane, mary jane and Maryjane quorvin"),
        ("O'Zorva Quorvin", "OZorva, o zorva, O’Zorva's"),
    ],
)
def test_a_name_is_found_with_and_without_accents_and_hyphens(name, said):
    text = redacted(said, arguments=json.dumps({"customer_name": name})).messages[0].content
    assert not [part for part in ("olt", "ruck", "rück", "jane", "orva") if part in text.casefold()]


def test_accents_and_escapes_change_no_pseudonym():
    texts = ("mia.li@example.org", "mia.li%40example.org", "mia.li&#64;example.org", "MIA.LI@example.org")
    assert len({redacted(text).messages[0].content for text in texts}) == 1


@pytest.mark.parametrize(
    ("question", "answer", "part"),
    [
        ("What is your phone number, please?", "4155552671", "4155552671"),
        ("May I have your date of birth?", "04/05/1990", "1990"),
        ("Could you confirm your SSN?", "123456789", "123456789"),
        ("Can I have your full name?", "sure, it's zorva quorvin", "zorva"),
        ("Your name please?", "Zorva.", "Zorva"),
        ("Please enter your password", "sunflower", "sunflower"),
        ("and the CVV?", "123", "123"),
        ("What is your shipping address?", "12 acacia gardens flat 3", "acacia"),
        ("Could you tell me your zip code?", "78750", "78750"),
        ("Please give me your user id.", "It is zq77x.", "zq77x"),
    ],
)
def test_a_question_tells_what_its_answer_is(question, answer, part):
    case = redacted("hi", question, answer, "thanks", f"I said {answer}")
    assert part not in case.messages[4].content
    assert len(part) < 4 or part not in case.messages[6].content


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is your user ID and the reservation number?", "My reservation is 3RK2T9."),
        ("May I have your name?", "why do you need that?"),
        ("Which address should it go to?", "the same as before"),
        ("Here is your phone plan.", "4155552671 items"),
    ],
)
def test_an_answer_to_something_else_stays(question, answer):
    assert redacted("hi", question, answer).messages[4].content == answer


@pytest.mark.parametrize("fake", [False, True])
def test_what_another_version_asks_for_is_hidden_only_where_the_case_hides_it(fake):
    step = Redactor(Rules(), Pseudonyms(lambda: b"k" * 32, fake=fake), lambda words: ())

    def conversation(question):
        said = (("user", "hi"), ("assistant", question), ("user", "zorva quorvin"), ("assistant", "thanks zorva"))
        return Conversation("c-1", tuple(Message(role, text) for role, text in said))

    def case(question):
        [case] = promote([conversation(question)], Promotion("s", "incident", "2026"), [step])
        return case

    asked, not_asked = case("Your full name, please?"), case("What can I do?")
    assert "zorva" not in asked.messages[2].content
    assert not_asked.messages[2].content == "zorva quorvin"
    assert step.conversation(conversation("Your full name, please?"), like=asked).messages == asked.messages
    assert step.conversation(conversation("What can I do?"), like=asked).messages[2:] == asked.messages[2:]
    other = step.conversation(conversation("Your full name, please?"), like=not_asked)
    assert other.messages[2:] == not_asked.messages[2:]


def test_fakes_of_numbers_are_numbers_so_that_schemas_hold():
    values = {"user_id": 8812345, "card": 4111111111111111, "phone": 4155552671, "n": 3, "price": 1.5}
    data = json.loads(redacted("hi", arguments=json.dumps(values), fake=True).messages[1].tool_calls[0].arguments)
    assert {name: type(value) for name, value in data.items()} == {name: type(value) for name, value in values.items()}
    assert [name for name in data if data[name] == values[name]] == ["n", "price"]
    assert all(len(str(data[name])) == len(str(values[name])) for name in values)


def test_metadata_and_the_name_of_the_file_are_redacted_too():
    metadata = {"requester_ip_address": "10.20.30.40", "user": "0f8fad5b-d9cb-469f-a165-70867728950e"}
    case = redacted("x", metadata=metadata, source_file="logs/mia.li@example.org.jsonl")
    assert not [part for part in ("mia.li", "10.20", "0f8fad5b") if part in written(case)]


def test_plain_text_knows_where_each_character_was():
    text = "a&#64;b%40c\N{ZERO WIDTH SPACE}d é"
    made = plain(text)
    assert made.text == "a@b@cd e"
    assert [text[a:b] for a, b in zip(made.starts, made.stops, strict=True)] == [
        "a",
        "&#64;",
        "b",
        "%40",
        "c",
        "d",
        " ",
        "é",
    ]
    assert plain("nothing here") is None
    assert plain_text("%ff") == "%ff"


@pytest.mark.parametrize(
    "text",
    [
        "a" * 20_000 + " x@y.example", "a." * 10_000 + "@", "a_" * 10_000 + "(at)", "a dot " * 4_000 + " at ",
        "." * 20_000 + "@", "a-" * 10_000, "\n" * 20_000 + ":", "a . " * 5_000 + "@", '"a":' * 5_000, "<a>" * 7_000,
        "1 " * 10_000, "QUJD" * 5_000, "a at " * 4_000 + "dot", "Name: A\n" * 2_500, "%41" * 7_000, "| a " * 5_000,
    ],
    ids=lambda text: text[:8].strip(),
)  # fmt: skip
def test_no_text_takes_more_than_linear_time(text):
    began = time.process_time()
    redacted(text, result=text)
    assert time.process_time() - began < 8
