"""Whether answers go with what tools and retrieval returned, in the ways that languages write numbers and words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmreplay.mine.signals.numbers import Heard
from pytest_llmreplay.model.conversation import Step
from tests.mine.conftest import bot, result, talk, user


def answered(returned, answer):
    return talk(user("Wie viel?"), bot(None, ("price", "{}")), result(returned), bot(answer))


@pytest.mark.parametrize(
    ("returned", "answer"),
    [
        ('{"price": 42.5}', "Das kostet 42,50 €."),
        ('{"price": 1234.56}', "Das kostet 1.234,56 €."),
        ('{"price": 1234.56}', "Cela coûte 1\u202f234,56 €."),
        ('{"price": 1234567.5}', "Es sind 1.234.567,50 €."),
        ('{"price": "1.234,56 €"}', "It is 1,234.56 euros, or 1234.56."),
        ('{"people": 12000}', "Es sind 12.000."),
        ('{"people": 12000}', "Es sind 12 000 Leute."),
        ('{"people": 12000}', "Es sind 12\u00a0000."),
        ('{"people": 12000}', "Es sind 12\u202f000."),
        ('{"people": 1234567}', "Es sind 1'234'567."),
        ('{"people": 1234567}', "Es sind 1’234’567."),
        ('{"people": 1234567}', "There are 12,34,567 of them."),
        ('{"rate": 0.15}', "It is 15% of all."),
        ('{"rate": 0.125}', "Das sind 12,5 %."),
        ('{"phone": "+491701234567"}', "Call +49 170 1234567."),
        ('{"phone": "+491701234567"}', "Call +49-170-1234567."),
        ('{"phone": "+49 170 1234567"}', "Call +491701234567."),
        ('{"prices": ["12,50 €", "30,00 €"]}', "Zusammen 42,50 €."),
        ('{"days": [10, 20, 30]}', "On 10,20,30."),
    ],
)
def test_a_number_that_is_written_otherwise_contradicts_nothing(told, returned, answer):
    assert told("contradicts_result", answered(returned, answer)) == {}


@pytest.mark.parametrize(
    ("returned", "answer", "wrong"),
    [
        ('{"price": 42.5}', "Das kostet 43,50 €.", "43,50"),
        ('{"price": 1234.56}', "Das kostet 1.235,56 €.", "1.235,56"),
        ('{"people": 12000}', "Es sind 13 000 Leute.", "13 000"),
        ('{"people": 12000}', "Es sind 12.500.", "12.500"),
        ('{"people": 1234567}', "Es sind 1'234'568.", "1'234'568"),
        ('{"people": 1234567}', "There are 12,34,568 of them.", "12,34,568"),
        ('{"rate": 0.15}', "It is 16% of all.", "16"),
        ('{"rate": 0.15}', "It is 15 euros.", "15"),
        ('{"phone": "+491701234567"}', "Call +49 170 1234568.", "49 170"),
        ('{"days": [10, 20, 30]}', "On 10,20,31.", "31"),
        ('{"price": 42.5}', f"It is {'9' * 400}.", "9" * 400),
    ],
)
def test_a_number_that_nobody_said_contradicts_in_every_writing(told, returned, answer, wrong):
    [found] = told("contradicts_result", answered(returned, answer))["a"]
    assert answer[slice(*found.span)] == wrong


def written(number, decimals, mark, group):
    text = f"{number:,.{decimals}f}"
    return text.translate({ord(","): group, ord("."): mark})


@given(
    st.integers(10, 10**9).map(lambda cents: cents / 100),
    st.sampled_from((".", ",")),
    st.sampled_from(("", ".", ",", " ", "\u00a0", "\u202f", "'", "’")),
)
def test_a_number_is_known_however_it_was_written(number, mark, group):
    if mark == group:
        return
    heard, answered_plainly = Heard(), Heard()
    heard.add(f'{{"price": {number:.2f}}}')
    answered_plainly.add(f"so {written(number, 2, mark, group)} then")
    assert list(heard.unheard(f"so {written(number, 2, mark, group)} then", [])) == []
    assert list(answered_plainly.unheard(f"{number:.2f}", [])) == []


SHIPPED = '{"status": "已发货", "carrier": "顺丰速运公司", "address": "北京市海淀区"}'


@pytest.mark.parametrize(
    ("returned", "answer"),
    [
        (SHIPPED, "您的订单已发货,由顺丰速运公司承运,送往北京市海淀区。"),
        (SHIPPED, "您的包裹正送往北京市海淀区中关村。"),
        ('{"store": "東京駅前支店です", "item": "コンピューター"}', "ご注文のコンピューターは準備中です。"),
        ('{"status": "배송완료", "carrier": "대한통운택배"}', "고객님의상품은대한통운택배로보냈습니다."),
        ('{"price": "1234.56", "weight": "42.5"}', "Es wiegt 42,50 kg."),
    ],
)
def test_an_answer_that_repeats_a_result_does_not_ignore_it(told, returned, answer):
    assert told("ignores_result", answered(returned, answer)) == {}


@pytest.mark.parametrize(
    ("returned", "answer"),
    [
        (SHIPPED.replace("已发货", "已发货给您"), "请问还有什么可以帮您?"),
        ('{"city": "Rome", "name": "Anna"}', "Romeo is Annabel's friend."),
        ('{"price": "1234.56", "weight": "42.5"}', "Es wiegt 43,50 kg."),
    ],
)
def test_an_answer_that_says_nothing_of_a_result_ignores_it(told, returned, answer):
    assert list(told("ignores_result", answered(returned, answer))) == ["a"]


@pytest.mark.parametrize(
    ("answer", "shown"),
    [("根据规定,您可以在三十天内退货。", False), ("今天天气非常好,适合出去散步。", True)],
)
def test_documents_are_used_where_words_are_not_set_apart(told, answer, shown):
    documents = "所有商品三十天内退货免费,请保留购物小票,退款将原路返回账户。"
    conversation = talk(user("退货?"), bot(answer), steps=(Step(1, "retrieval", output=documents),))
    assert (told("unused_documents", conversation) != {}) == shown


def test_a_number_of_a_retrieved_document_was_said(told):
    steps = (Step(1, "retrieval", output="Returns are free within 30 days."),)
    answer = (bot(None, ("order", "{}")), result('{"order": "sent"}'), bot("It was sent. You have 30 days."))
    assert told("contradicts_result", talk(user("And if not?"), *answer, steps=steps)) == {}
    assert list(told("contradicts_result", talk(user("And if not?"), *answer))) == ["a"]
