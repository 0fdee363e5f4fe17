import json
import math
import random
import re
import statistics
from importlib.metadata import EntryPoint

import pytest

from benchmarks.signals import clean_shop, measure
from pytest_llmreplay.mine.signals import Found, Signal, chosen, entry_point_signals, evidence, scan, with_own
from pytest_llmreplay.mine.signals.figures import FIGURES, STEP, limits_by_model
from pytest_llmreplay.mine.signals.registry import expression_signal
from pytest_llmreplay.mine.signals.sql import Says
from pytest_llmreplay.model.conversation import Conversation, Message, Step
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.traces import CANONICAL_COLUMNS, canonical_conversation
from tests.mine.conftest import ORDER, bot, result, talk, user
from tests.mine.planted import PLANTS

MISSED = {"asks_for_person": 16, "frustration": 15, "ignores_result": 12, "prompt_injection": 18, "refusal": 17}
"""Of twenty; all other signals show in all of them."""


def test_planted_failures_are_shown_and_clean_conversations_show_nothing(signals):
    assert set(PLANTS) == set(signals)
    assert measure(clean_shop(20, 7), 7) == {name: (MISSED.get(name, 20), 0) for name in PLANTS}


def test_a_conversation_that_says_nothing_shows_nothing(table_of, signals):
    empty = [
        talk(named="nothing"),
        talk(user(None), bot(None), named="no text in the log"),
        talk(user(""), bot("ok"), named="empty user"),
        talk(Message("system", None), Message("tool", None), Message("weird role", "x"), named="odd"),
        talk(bot("Hello, how can I help you today?"), named="greeting"),
        talk(user("hi"), bot("hello"), tools=(), steps=(), metadata={"calls": [{"turn": 1}]}, named="plain"),
    ]
    with table_of(empty) as table:
        met = scan(table.connection, list(signals.values()), canonical_conversation, CANONICAL_COLUMNS)
        assert [(shown.conversation_id, shown.signals) for shown in met] == []


def test_an_empty_log_shows_nothing(table_of, signals):
    with table_of([]) as table:
        assert list(scan(table.connection, list(signals.values()), canonical_conversation, CANONICAL_COLUMNS)) == []


def test_evidence_says_turn_words_and_place(told):
    [one] = told("refusal", talk(user("a"), bot("b"), user("c"), bot("Well. I cannot help with that.")))["a"]
    assert (one.turn, one.message, one.text, one.call) == (2, 3, "I cannot help", None)
    assert "Well. I cannot help with that."[slice(*one.span)] == "I cannot help"


def test_evidence_names_the_call(told):
    call = ("order", '{"order_id": 7}')
    [one] = told("invalid_arguments", talk(user("where"), bot(None, call), result("{}"), bot("x"), tools=(ORDER,)))["a"]
    assert (one.turn, one.message, one.call.name, one.call.arguments) == (1, 1, *call)
    assert "type_error" in one.text


def test_every_place_is_told(told):
    found = told("asks_for_person", talk(user("a human please"), bot("no"), user("get me a real person!"), bot("no")))
    assert [(one.turn, one.message) for one in found["a"]] == [(1, 0), (2, 2)]


def test_evidence_of_the_whole_has_no_turn(told):
    [one] = told("truncated", talk(user("a"), bot("b"), finish_reason="length"))["a"]
    assert (one.turn, one.message, one.text) == (None, None, "finish_reason length")


def test_evidence_of_a_step_has_its_turn(told):
    step = Step(2, "guardrail", "pii", status="Blocked")
    [one] = told("guardrail_block", talk(user("a"), bot("b"), user("c"), bot("d"), steps=(step,)))["a"]
    assert (one.turn, one.text) == (2, "pii: Blocked")


def test_a_leak_is_told_without_the_value(told):
    [one] = told("personal_data_in_answer", talk(user("who?"), bot("Sure:\nwrite to ann@corp.example.org")))["a"]
    assert one.text == "[email]"
    assert "Sure:\nwrite to ann@corp.example.org"[slice(*one.span)] == "ann@corp.example.org"


@pytest.mark.parametrize(
    ("name", "conversation"),
    [
        ("personal_data_in_answer", talk(user("I am ann@corp.example.org"), bot("Thanks, ann@corp.example.org"))),
        (
            "personal_data_in_answer",
            talk(Message("system", "Hotline: +44 20 7946 0958"), user("?"), bot("+442079460958")),
        ),
        ("tool_error", talk(user("a"), bot(None, ("x", "{}")), result('{"error": null, "errors": [], "ok": true}'))),
        ("tool_error", talk(user("a"), bot(None, ("x", "{}")), result('{"note": "no error was found"}'))),
        ("tool_error_ignored", talk(user("a"), bot(None, ("x", "{}")), result("Error: x"), bot("Sorry, that failed."))),
        ("tool_error_ignored", talk(user("a"), bot(None, ("x", "{}")), result("Error: x"), bot(None, ("y", "{}")))),
        ("repeated_call", talk(user("a"), bot(None, ("x", "{}")), result("1"), user("b"), bot(None, ("x", "{}")))),
        ("missing_result", talk(user("a"), bot(None, ("x", "{}"), ("y", "{}")), result("1"), result("2", "c1"))),
        ("unknown_tool", talk(user("a"), bot(None, ("x", "{}")), result("1"), tools=None)),
        ("abandoned", talk(user("a"), bot("Done. Is there anything else I can do for you?"))),
        ("abandoned", talk(user("a"), bot("Which one?"), user("this"))),
        ("user_repeats", talk(user("I want to book a flight to Rome"), bot("ok"), user("and a hotel room in Paris"))),
        ("user_repeats", talk(user("yes"), bot("ok"), user("yes"))),
        ("user_repeats", talk(user("nope nope"), bot("ok"), user("nope nope nope"))),
        ("user_repeats", talk(user("As I said, a window seat."), bot("ok"))),
        ("negative_feedback", talk(user("a"), bot("b"), feedback={"thumb": 1, "stars": 0.5, "comment": "no idea"})),
        ("negative_feedback", talk(user("a"), bot("b"), feedback={"stars": 5, "note": 'speed: 0, "price": -1, ok'})),
        ("frustration", talk(user("Der Bildschirm ist zu hell"), bot("b"))),
        (
            "corrected_tool",
            talk(user("a"), bot(None, ("x", "{}")), result("[]"), bot(None, ("x", '{"a": 1}')), result("5")),
        ),
        (
            "contradicts_result",
            talk(user("a"), bot(None, ("x", "{}")), result('{"total": 1250.50}'), bot("It is $1,250.5.")),
        ),
        (
            "contradicts_result",
            talk(user("a"), bot(None, ("x", "{}")), result("[120, 45]"), bot("Together 165, 24/7.")),
        ),
        ("ignores_result", talk(user("a"), bot(None, ("x", "{}")), result('{"ok": true}'), bot("Done, thank you."))),
        (
            "unused_documents",
            talk(user("a"), bot("Granite."), steps=(Step(1, "retrieval", output="granite volcanic rocks"),)),
        ),
    ],
)
def test_what_is_no_sign(told, name, conversation):
    assert told(name, conversation) == {}


def test_a_result_belongs_to_the_call_with_its_id(told):
    calls = bot(None, ("order", '{"a": 1}'), ("page", '{"b": 2}'))
    swapped = (result("[]", "c1"), result('{"status": "on its way"}', "c0"))
    after = (bot(None, ("find", "{}")), result('{"page": 1}'), bot("x"))
    [one] = told("corrected_tool", talk(user("a"), calls, *swapped, *after))["a"]
    assert one.call.name == "page"


def test_the_limits_are_those_of_the_robust_z_score(table_of):
    values = [1.0, 1.2, 0.9, 1.5, 1.1] * 5
    few = [talk(user("a"), named=f"few{i}", model="few", latency_s=1.0) for i in range(19)]
    many = [talk(user("a"), named=str(i), model="many", latency_s=value) for i, value in enumerate(values)]
    flat = [talk(user("a"), named=f"flat{i}", latency_s=10.0 if i == 0 else 2.0) for i in range(20)]
    logs = [math.log(value) for value in values]
    middle = statistics.median(logs)
    mad = statistics.median(abs(value - middle) for value in logs)
    mean = statistics.mean(abs(math.log(one.latency_s) - math.log(2.0)) for one in flat)
    with table_of([*few, *many, *flat]) as table:
        limits = limits_by_model(table.connection, FIGURES["latency_limits"])
    assert limits == {
        "many": pytest.approx(math.exp(middle + 3.5 * 1.482602 * mad), rel=2 * STEP),
        "": pytest.approx(2.0 * math.exp(3.5 * 1.253314 * mean), rel=2 * STEP),
    }


def test_an_outlier_is_judged_by_the_whole_log(table_of, signals):
    talks = [talk(user("a"), named=str(i), model="m", latency_s=1 + i % 5 / 10) for i in range(40)]
    slow = talk(user("a"), named="slow", model="m", latency_s=30.0)
    with table_of([*talks, slow], where="latency_s > 5") as table:
        met = scan(table.connection, [signals["latency_outlier"]], canonical_conversation, CANONICAL_COLUMNS)
        assert [shown.conversation_id for shown in met] == ["slow"]


@pytest.mark.parametrize("figures", [[1.0] * 30, [1.0, 1e308] * 15, [float("inf")] * 30, [1.0] * 29 + [float("nan")]])
def test_figures_that_are_alike_or_beyond_measure_have_no_outliers(table_of, signals, figures):
    talks = [talk(user("a"), named=str(i), model="m", latency_s=figure) for i, figure in enumerate(figures)]
    with table_of(talks) as table:
        met = scan(table.connection, [signals["latency_outlier"]], canonical_conversation, CANONICAL_COLUMNS)
        assert list(met) == []


def test_counts_of_tokens_that_no_integer_holds_together_are_outliers(table_of, signals):
    talks = [talk(user("a"), named=str(i), model="m", input_tokens=100 + i % 7) for i in range(40)]
    absurd = talk(user("a"), named="absurd", model="m", input_tokens=2**63 - 1, output_tokens=2**63 - 1)
    with table_of([*talks, absurd]) as table:
        met = scan(table.connection, [signals["token_outlier"]], canonical_conversation, CANONICAL_COLUMNS)
        assert [shown.conversation_id for shown in met] == ["absurd"]


@pytest.mark.parametrize("feedback", [{"thumb": "0"}, {"a": 1, "b": -1e-7}, {"note": "so, so", "ok": False}])
def test_scores_are_negative_in_any_spelling(told, feedback):
    assert set(told("negative_feedback", talk(user("a"), bot("b"), feedback=feedback))) == {"a"}


def test_arguments_are_the_same_in_any_order(told):
    calls = (bot(None, ("order", '{"id": "A", "n": 1}')), result("{}"), bot(None, ("order", '{"n":1, "id":"A"}')))
    [one] = told("repeated_call", talk(user("a"), *calls, result("{}"), bot("b")))["a"]
    assert one.call.arguments == '{"n":1, "id":"A"}'


def test_figures_that_hardly_differ_have_no_outliers(table_of, signals):
    rng = random.Random(3)
    talks = [talk(user("a"), named=str(i), model="m", input_tokens=round(rng.gauss(30000, 9))) for i in range(300)]
    with table_of(talks) as table:
        met = scan(table.connection, [signals["token_outlier"]], canonical_conversation, CANONICAL_COLUMNS)
        assert list(met) == []


def test_a_condition_means_beside_other_signals_what_duckdb_takes_it_for(table_of, signals):
    own = expression_signal("flagged", "quality", "model", "x", "metadata->>'$.flagged'")
    talks = [talk(user("a human please"), named=flag, metadata={"flagged": flag}) for flag in ("false", "true")]
    with table_of(talks) as table:
        asked = [own, signals["asks_for_person"]]
        met = list(scan(table.connection, asked, canonical_conversation, CANONICAL_COLUMNS))
    assert [one.signals for one in met] == [("asks_for_person",), ("flagged", "asks_for_person")]


def test_a_condition_that_is_a_list_is_told_by_its_signal(table_of, signals):
    own = Signal("listing", "cost", "model", "x", "CASE WHEN len(messages) > 0 THEN [0] END", at="conversation")
    with table_of([talk(user("a"), bot("b"))]) as table, pytest.raises(UserError, match=r"signal listing: .* a list"):
        list(scan(table.connection, [signals["refusal"], own], canonical_conversation, CANONICAL_COLUMNS))


def test_a_condition_that_fails_on_a_value_is_told_by_its_signal(table_of, signals):
    own = expression_signal("late", "cost", "model", "x", "conversation_id::INTEGER > 1")
    with table_of([talk(user("a"), bot("b"))]) as table, pytest.raises(UserError, match=r"signal late: .*INT32"):
        list(scan(table.connection, [signals["refusal"], own], canonical_conversation, CANONICAL_COLUMNS))


def test_a_scan_that_is_broken_off_leaves_the_connection_free(table_of, signals):
    talks = [talk(user("a human please"), named=str(i)) for i in range(5000)]
    with table_of(talks) as table:
        met = scan(table.connection, [signals["asks_for_person"]], canonical_conversation, CANONICAL_COLUMNS)
        next(met)
        met.close()
        assert table.connection.sql("SELECT count(*) FROM log").fetchall() == [(5000,)]


def test_what_looks_in_python_has_the_messages_whatever_else_it_needs(told):
    slow = Signal("slow", "cost", "model", "x", "latency_s > 1", columns=("latency_s",), find=LOUD.find)
    found = told("slow", talk(user("HELLO"), latency_s=2.0), talk(user("a"), latency_s=0.5), known={"slow": slow})
    assert [one.text for one in found["a"]] == ["HELLO"]


def test_names_that_do_not_exist_are_refused(signals):
    with pytest.raises(UserError, match="did you mean 'tool_error'"):
        chosen(signals, ["tool_eror"])


def point(value):
    return [EntryPoint("mine", value, "pytest_llmreplay.signals")]


LOUD = Signal("loud", "quality", "model", "Capitals.", "true", find=lambda c: [Found(0, "HELLO", (0, 5))])
LISTED = [LOUD, Signal("long", "cost", "model", "Many messages.", "CASE WHEN len(messages) > 2 THEN [0] END")]
NO_SIGNAL = [3]


def test_signals_of_installed_packages(signals, told):
    [(where, own)] = entry_point_signals(point("tests.mine.test_signals:LISTED"))
    assert where == "entry point mine (tests.mine.test_signals:LISTED)"
    known = with_own(signals, own, where)
    [one] = told("loud", talk(user("HELLO you")), known=known)["a"]
    assert (one.turn, one.text, one.span) == (1, "HELLO", (0, 5))
    assert set(told("long", talk(user("a"), bot("b"), user("c")), known=known)) == {"a"}
    [(_, alone)] = entry_point_signals(point("tests.mine.test_signals:LOUD"))
    assert alone == [LOUD]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("tests.mine.no_such_module:x", "cannot be loaded: ModuleNotFoundError"),
        ("tests.mine.test_signals:nothing_here", "cannot be loaded: AttributeError"),
        ("tests.mine.test_signals:NO_SIGNAL", "is no Signal"),
        ("tests.mine.test_signals:point", "is no Signal"),
    ],
)
def test_entry_points_that_are_no_signals(value, reason):
    with pytest.raises(UserError, match=re.escape(reason)):
        entry_point_signals(point(value))


def test_a_name_that_is_taken_is_refused(signals):
    with pytest.raises(UserError, match="there is a signal of this name already"):
        with_own(signals, [Signal("refusal", "quality", "model", "x", "true")], "here")
    with pytest.raises(UserError, match="must be lower-case"):
        with_own(signals, [Signal("Not A Name", "quality", "model", "x", "true")], "here")


@pytest.mark.parametrize(
    "given", [{}, {"sql": "true", "each": ("true",)}, {"each": ("true",), "find": lambda conversation: []}]
)
def test_a_signal_is_looked_for_in_one_way(given):
    with pytest.raises(ValueError, match="either sql or each"):
        Signal("odd", "cost", "model", "x", **given)


def test_a_second_list_of_conditions_needs_a_first():
    with pytest.raises(ValueError, match="also is a second list"):
        Signal("odd", "cost", "model", "x", sql="true", also=("true",))


def test_an_own_signal_of_messages(told):
    each = ("m.role = 'user'", "m.content = upper(m.content)", "strlen(m.content) > 8")
    loud = Signal("loud", "quality", "model", "Capitals.", each=each)
    found = told("loud", talk(user("hello"), bot("WHAT IS IT?"), user("I WANT A REFUND")), known={"loud": loud})
    assert [(one.turn, one.message, one.text) for one in found["a"]] == [(2, 2, "I WANT A REFUND")]
    loud = Signal("loud", "quality", "model", "Capitals.", each=each, also=("m.role = 'assistant'", *each[1:]))
    found = told("loud", talk(user("hello"), bot("WHAT IS IT?"), user("I WANT A REFUND")), known={"loud": loud})
    assert [(one.turn, one.message) for one in found["a"]] == [(1, 1), (2, 2)]


def test_a_signal_of_two_patterns_of_which_one_is_not_all(told):
    each = ("m.role = 'user'", Says("hello"))
    polite = Signal("polite", "quality", "model", "x", each=each, also=(each[0], Says("bye"), "strlen(m.content) > 9"))
    said = (user("bye"), user("well, good bye"), user("hello"), bot("hello, good bye"))
    assert [one.message for one in told("polite", talk(*said), known={"polite": polite})["a"]] == [1, 2]


def test_an_expression_that_fails_names_its_signal(table_of):
    own = Signal("odd", "cost", "model", "x", "CASE WHEN model::INT > 3 THEN [0] END", columns=())
    with table_of([talk(user("a"), model="m")]) as table, pytest.raises(UserError, match="Could not convert"):
        list(scan(table.connection, [own], canonical_conversation, CANONICAL_COLUMNS))
    own = Signal("odd", "cost", "model", "x", "no_such_column", columns=())
    with table_of([talk(user("a"))]) as table, pytest.raises(UserError, match="signal odd"):
        list(scan(table.connection, [own], canonical_conversation, CANONICAL_COLUMNS))


def test_a_narrowed_table_has_only_these_rows(table_of, signals):
    with table_of([talk(user("a human please"), named=str(i)) for i in range(10)]) as table:
        rows = [row for (row,) in table.connection.execute("SELECT llmreplay_row FROM log").fetchall()]
        with table.narrowed(rows[3:5]) as narrow:
            met = scan(narrow.connection, [signals["asks_for_person"]], canonical_conversation, CANONICAL_COLUMNS)
            assert sorted(shown.conversation_id for shown in met) == ["3", "4"]
            assert narrow.size() == 10
        with table.narrowed([]) as narrow:
            assert narrow.connection.execute("SELECT count(*) FROM log").fetchone() == (0,)
        assert [c.conversation_id for c in table.conversations([rows[7], rows[2]]).values()] == ["7", "2"]


def test_conversations_are_loaded_as_they_were_written(table_of):
    written = Conversation(
        "a",
        (user("hi"), bot("x", ("order", "{}")), result("1")),
        (ORDER,),
        steps=(Step(1, "retrieval", document_ids=("d",)),),
        feedback={"a": 1},
        metadata=json.loads('{"b": [1, null]}'),
        latency_s=1.5,
    )
    with table_of([written]) as table:
        assert list(table.conversations([0]).values()) == [written]


def test_many_places_and_signals_are_told_in_a_few_words(told):
    found = told("frustration", talk(*[user("this is ridiculous " + "x" * 500)] * 30))["a"]
    assert len(found) == 30
    assert {one.text for one in found} == {"ridiculous"}


def test_evidence_of_nothing_is_nothing(signals, table_of):
    with table_of([talk(user("hi"))]) as table:
        shown = list(scan(table.connection, [signals["refusal"]], canonical_conversation, CANONICAL_COLUMNS))
        assert [evidence(one, talk(), signals) for one in shown] == []
