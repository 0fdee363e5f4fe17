"""Rubrics and judges as people write them: what is refused, and what their digests stand for."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.judge import Judge
from pytest_llmreplay.model.rubric import InlineRubric, Rubric
from pytest_llmreplay.model.written import parse_written

POLITE = {"id": "polite", "question": "Is it polite?"}
SCORED = {
    "id": "clear",
    "question": "How clear is it?",
    "scale": "1-5",
    "anchors": {1: "nobody understands it", 5: "a child understands it"},
    "pass_from": 4,
}


def rubric(*criteria, **more):
    return parse_written(Rubric, {"criteria": list(criteria) or [POLITE], **more}, file="r.yaml")


def judge(**more):
    return parse_written(Judge, {"target": {"type": "model", "model": "openai/gpt-4.1"}, **more}, file="judge.yaml")


@pytest.mark.parametrize(
    ("criterion", "said"),
    [
        ({"id": "Polite", "question": "?"}, "criteria[0].id"),
        ({**POLITE, "weight": 0}, "criteria[0].weight"),
        ({**POLITE, "pass_from": 3}, "anchors and pass_from belong to scale 1-5"),
        ({**POLITE, "scale": "1-5"}, "needs anchors for 1 and 5"),
        ({**SCORED, "anchors": {1: "bad", 6: "good"}}, "criteria[0].anchors"),
        ({**SCORED, "pass_from": 1}, "criteria[0].pass_from"),
        ({**POLITE, "must_pas": True}, "did you mean 'must_pass'?"),
        ({**POLITE, "scale": "1_5"}, "did you mean '1-5'?"),
    ],
)
def test_a_mistake_in_a_criterion_is_one_sentence_that_says_where(criterion, said):
    with pytest.raises(UserError) as caught:
        rubric(criterion)
    assert said in str(caught.value)
    assert str(caught.value).startswith("r.yaml: criteria[0]")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"criteria": [POLITE, POLITE]}, "criterion 'polite' is there twice"),
        ({"sees": ["conversation"]}, "needs answer or tool_results"),
        ({"sees": ["answers"]}, "did you mean 'answer'?"),
        ({"pass_at": 0}, "pass_at"),
    ],
)
def test_a_rubric_that_could_not_judge_is_refused(more, said):
    with pytest.raises(UserError, match=said):
        rubric(**more)


def test_the_digest_is_that_of_the_content():
    assert rubric(POLITE).digest == rubric({**POLITE, "weight": 1}, pass_at=1.0).digest
    changed = [
        rubric({**POLITE, "question": "Is it polite ?"}),
        rubric({**POLITE, "weight": 2}),
        rubric({**POLITE, "must_pass": True}),
        rubric(POLITE, pass_at=0.5),
        rubric(POLITE, sees=["answer"]),
        rubric(POLITE, SCORED),
    ]
    assert len({rubric(POLITE).digest, *(other.digest for other in changed)}) == 7


def test_the_reference_answer_belongs_to_the_case_and_not_to_the_rubric():
    assert InlineRubric(criteria=[POLITE], reference="Good day").digest == rubric(POLITE).digest


def test_an_even_number_of_votes_has_no_majority():
    with pytest.raises(UserError, match="must be odd"):
        judge(votes=2)
    with pytest.raises(ValidationError):
        Judge.model_validate({"target": {"type": "callable", "function": "a:b"}})


def test_the_judges_digest_is_that_of_what_it_says_and_not_of_how_fast_or_when():
    same = [judge(when="always"), judge(target={"type": "model", "model": "openai/gpt-4.1", "max_concurrency": 2})]
    assert {judge().digest, *(other.digest for other in same)} == {judge().digest}
    other = [judge(votes=3), judge(scoring="expected"), judge(target={"type": "model", "model": "openai/gpt-4o"})]
    assert len({judge().digest, *(changed.digest for changed in other)}) == 4
