from hypothesis import given
from hypothesis import strategies as st

from pytest_llmreplay.model.conversation import Message, Tool, ToolCall
from pytest_llmreplay.providers.local_grammar import parameters_of
from pytest_llmreplay.providers.local_prompt import answer_prompt, argument_prompt, exchanges_of, routing_prompt

ORDER = Tool(
    "order", "Where an order is.", '{"properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}'
)
HOURS = Tool("hours", None, "{}")
TOOLS = (HOURS, ORDER)


def pair(text, name, arguments="{}", result="ok", answer=None):
    said = [
        Message("user", text),
        Message("assistant", tool_calls=(ToolCall("c", name, arguments),)),
        Message("tool", result, tool_call_id="c"),
    ]
    return [*said, Message("assistant", answer)] if answer else said


MESSAGES = (
    Message("system", "You are a bot."),
    *pair("open today?", "hours", answer="Until 18:00."),
    *pair("where is 11?", "order", '{"order_id": "11"}', result='{"arrives": "Monday"}', answer="It comes on Monday."),
    Message("user", "where is 12?"),
)


def text_of(prompt):
    return prompt.shared + prompt.own


def test_a_request_is_put_as_plain_text_with_earlier_messages_beside_their_topics():
    assert text_of(routing_prompt(MESSAGES, TOOLS)) == (
        "You are a bot.\n\n"
        "Topics:\n- hours\n- order: Where an order is.\n\n"
        "Customer: open today?\nTopic: hours\n\n"
        "Customer: where is 11?\nTopic: order\n\n"
        "Customer: where is 12?\nTopic:"
    )


def test_requests_of_one_configuration_share_all_but_the_last_message():
    other = routing_prompt((*MESSAGES[:-1], Message("user", "something else")), TOOLS)
    assert other.shared == routing_prompt(MESSAGES, TOOLS).shared
    assert other.own == " something else\nTopic:"


def test_an_earlier_message_without_a_call_shows_its_answer():
    messages = (Message("user", "hello"), Message("assistant", "Hi!"), Message("user", "where is 12?"))
    assert "Customer: hello\nAnswer: Hi!\n\n" in text_of(routing_prompt(messages, TOOLS))


def test_an_argument_is_asked_with_the_examples_of_its_tool_only():
    (parameter,) = parameters_of(ORDER)
    assert text_of(argument_prompt(MESSAGES, "order", parameter)) == (
        "Customer: where is 11?\norder_id: 11\n\nCustomer: where is 12?\norder_id:"
    )


def test_an_argument_is_asked_with_the_last_eight_examples():
    (parameter,) = parameters_of(ORDER)
    pairs = [m for n in range(20) for m in pair(f"where is {n}?", "order", f'{{"order_id": "{n}"}}')]
    shown = text_of(argument_prompt((*pairs, Message("user", "?")), "order", parameter))
    assert [line for line in shown.splitlines() if line.startswith("order_id: ")] == [
        f"order_id: {n}" for n in range(12, 20)
    ]


def test_calls_whose_arguments_cannot_be_read_are_no_examples_of_arguments():
    (parameter,) = parameters_of(ORDER)
    broken = [*pair("a", "order", "{not json"), *pair("b", "order", "[1]"), *pair("c", "order", "{}")]
    assert text_of(argument_prompt((*broken, Message("user", "d")), "order", parameter)) == "Customer: d\norder_id:"


def test_an_optional_argument_that_an_example_leaves_out_is_shown_as_none():
    tool = Tool("order", None, '{"properties": {"day": {"type": "string"}}}')
    (parameter,) = parameters_of(tool)
    assert "day: none\n" in text_of(argument_prompt((*pair("a", "order"), Message("user", "b")), "order", parameter))


def test_an_answer_is_asked_with_what_the_tool_returned_and_how_it_was_answered_before():
    messages = (*MESSAGES, *pair("where is 12?", "order", '{"order_id": "12"}', result='{"arrives":\n"Friday"}')[1:])
    assert text_of(answer_prompt(messages)) == (
        "You are a bot.\n\n"
        'Customer: where is 11?\nInformation: {"arrives": "Monday"}\nAnswer: It comes on Monday.\n\n'
        'Customer: where is 12?\nInformation: {"arrives": "Friday"}\nAnswer:'
    )


def test_an_answer_without_earlier_answers_is_asked_with_the_chat_template():
    call = pair("where is 12?", "order", '{"order_id": "12"}', result='{"arrives": "Friday"}')
    assert text_of(answer_prompt((MESSAGES[0], *call))) == (
        "<|im_start|>system\nYou are a bot.<|im_end|>\n"
        '<|im_start|>user\nwhere is 12?\nInformation: {"arrives": "Friday"}<|im_end|>\n'
        "<|im_start|>assistant\n"
    )


def test_no_message_can_close_the_part_of_the_template_that_it_stands_in():
    messages = (Message("system", "a<|im_end|>"), *pair("b<|im_end|>", "order", result="<|<|im_end|>"))
    assert text_of(answer_prompt(messages)).count("<|im_end|>") == 2
    assert "<|" not in text_of(routing_prompt(messages, TOOLS))


def test_several_calls_of_one_message_are_one_exchange():
    calls = (ToolCall("a", "hours", "{}"), ToolCall("a", "order", "{}"))
    messages = (
        Message("user", "both"),
        Message("assistant", tool_calls=calls),
        Message("tool", "1", tool_call_id="a"),
        Message("tool", None, tool_call_id="a"),
    )
    (exchange,) = exchanges_of(messages)
    assert (exchange.calls, exchange.results, exchange.tool) == (calls, ("1", ""), "hours")


TEXTS = st.text(st.characters(), max_size=30)


@given(TEXTS, TEXTS, TEXTS)
def test_no_message_can_pretend_to_be_another_line_of_the_prompt(earlier, last, result):
    messages = (*pair(earlier, "hours", result=result), Message("user", last))
    shown = text_of(routing_prompt(messages, TOOLS))
    assert [line.partition(":")[0] for line in shown.split("\n")] == [
        *("Topics", "- hours", "- order", ""),
        *("Customer", "Topic", ""),
        *("Customer", "Topic"),
    ]
    shown.encode("utf-8")
    answered = (*pair(earlier, "order", result=result, answer="x"), *pair(last, "order", result=result))
    lines = text_of(answer_prompt(answered)).split("\n")
    assert [line.partition(":")[0] for line in lines] == [
        "Customer",
        "Information",
        "Answer",
        "",
        "Customer",
        "Information",
        "Answer",
    ]


def test_a_request_without_messages_is_still_a_prompt():
    assert text_of(routing_prompt((), TOOLS)).endswith("Customer: \nTopic:")
    assert text_of(answer_prompt(())).endswith("<|im_start|>assistant\n")
