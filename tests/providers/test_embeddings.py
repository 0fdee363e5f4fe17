"""Vectors of texts: what is alike is near, whichever way they come; and what an endpoint's trouble becomes."""

import importlib.util
import json
import sys

import numpy as np
import pytest
from aiohttp import web

from pytest_llmreplay.model.errors import AccessDenied, InfrastructureError, NotRun, UserError
from pytest_llmreplay.model.variant import ModelTarget, Prices
from pytest_llmreplay.providers import embeddings
from pytest_llmreplay.providers.budget import Budget
from pytest_llmreplay.providers.embeddings import LitellmEmbedder, static_embedder
from tests.loopback import serving, status

KEY = "sk-planted-0123456789"
PRICES = Prices(input_per_million=1000, output_per_million=0)


class EmbeddingModel:
    """An OpenAI-compatible endpoint: the vector of a text is its length and a one; in any order."""

    def __init__(self, *first):
        self.first = list(first)
        self.inputs = []

    def routes(self):
        return [web.post("/v1/embeddings", self.answer)]

    async def answer(self, request):
        body = json.loads(await request.read())
        self.inputs.append(body["input"])
        if self.first:
            return await self.first.pop(0)(request)
        data = [{"object": "embedding", "index": i, "embedding": [len(t), 1.0]} for i, t in enumerate(body["input"])]
        return web.json_response(
            {
                "object": "list",
                "model": "m",
                "data": data[::-1],
                "usage": {"prompt_tokens": 7, "total_tokens": 7},
            }
        )


@pytest.fixture
def embed(monkeypatch):
    monkeypatch.setenv("PLANTED_KEY", KEY)

    def embed(model, texts, budget=None, prices=PRICES, told=None):
        with serving(model.routes()) as url:
            target = ModelTarget(type="model", model="openai/m", api_key_env="PLANTED_KEY", prices=prices)
            embedder = LitellmEmbedder(
                target, budget or Budget(), [].append if told is None else told.append, api_base=f"{url}/v1"
            )
            assert KEY not in embedder.identity
            return embedder.embed(texts)

    return embed


def test_static_vectors_are_near_where_the_meaning_is():
    vectors = static_embedder().embed(["cancel my flight", "I have to call off my trip", "which soup is vegetarian"])
    assert vectors.shape == (3, 256)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    near, far = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert near > far + 0.2


def test_a_static_vector_is_the_mean_of_its_tokens_and_knows_no_batch():
    embedder = static_embedder()
    texts = [f"order {number} is late" for number in range(5000)]
    assert embedder.embed(texts)[4999] == pytest.approx(embedder.embed([texts[4999]])[0], abs=1e-6)
    tokens = embedder._tokenizer.encode("order 7 is late", add_special_tokens=False).ids
    mean = embedder._table[tokens].mean(axis=0)
    assert embedder.embed(["order 7 is late"])[0] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_texts_without_words_and_halves_of_characters_do_no_harm():
    vectors = static_embedder().embed(["", "half \ud83d of it", "\x00\u202e"])
    assert not vectors[0].any()
    assert np.isfinite(vectors).all()
    assert static_embedder().embed([]).shape == (0, 256)


@pytest.mark.parametrize("name", ["wordllama", "tokenizers", "safetensors"])
def test_without_the_extra_one_sentence_says_how_to_install_it(monkeypatch, name):
    known = importlib.util.find_spec
    monkeypatch.setattr(embeddings, "find_spec", lambda wanted: None if wanted == name else known(wanted))
    static_embedder.cache_clear()
    with pytest.raises(UserError, match=r"not installed; install it with: pip install 'pytest-llmreplay\[mine\]'"):
        static_embedder()


def test_the_package_of_the_table_is_not_imported():
    static_embedder.cache_clear()
    static_embedder()
    assert "wordllama" not in sys.modules


def test_an_endpoint_is_asked_in_batches_and_answers_in_any_order(embed):
    model, budget = EmbeddingModel(), Budget()
    texts = ["x" * number for number in range(1, 301)]
    vectors = embed(model, [*texts, "  "], budget)
    assert sorted(map(len, model.inputs)) == [45, 128, 128]
    assert not any(text.isspace() for texts in model.inputs for text in texts)
    assert vectors[:300, 0] / vectors[:300, 1] == pytest.approx(np.arange(1, 301), rel=1e-4)
    assert not vectors[300].any()
    assert (budget.spent_tokens, budget.spent_usd) == (21, pytest.approx(0.021))


def test_passing_trouble_is_asked_again(embed):
    model = EmbeddingModel(status(429, **{"retry-after": "0"}))
    assert embed(model, ["one"]).shape == (1, 2)
    assert len(model.inputs) == 2


def test_the_budget_stops_it(embed):
    with pytest.raises(NotRun, match=r"the budget of 0\.01 USD is used up"):
        embed(EmbeddingModel(), ["x"], Budget(max_cost_usd=0.01, spent_usd=0.01))


def test_a_model_without_a_known_price_is_told_once(embed):
    told = []
    embed(EmbeddingModel(), ["x"] * 300, prices=None, told=told)
    assert told == ["its price is not known"]


def test_refused_credentials_are_told_without_showing_them(embed):
    body = {"error": {"message": f"Incorrect API key provided: {KEY}", "type": "invalid_request_error"}}
    with pytest.raises(AccessDenied) as caught:
        embed(EmbeddingModel(status(401, body)), ["x"])
    assert KEY not in str(caught.value)


def test_an_answer_with_too_few_vectors_is_trouble(embed):
    body = {"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": [1.0]}]}
    with pytest.raises(InfrastructureError, match="answered 2 texts with 1 vectors"):
        embed(EmbeddingModel(status(200, body)), ["x", "y"])
