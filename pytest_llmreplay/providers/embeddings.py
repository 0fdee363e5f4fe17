"""Vectors of texts: static embeddings on this machine, or any embedding model that litellm knows."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.model.errors import InfrastructureError, UserError
from pytest_llmreplay.model.variant import ModelTarget
from pytest_llmreplay.providers.budget import Budget
from pytest_llmreplay.providers.credentials import key_from_environment, without_credentials
from pytest_llmreplay.providers.litellm_library import load_litellm, trouble_of
from pytest_llmreplay.providers.pressure import Clock, Gate, Pressure, Spent
from pytest_llmreplay.providers.prices import cost_usd

if TYPE_CHECKING:
    import numpy as np
    import tokenizers
    from numpy.typing import NDArray

STATIC = "static"
"""The name of the embedder that needs no network and no key."""

_PACKAGE = "wordllama"
_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
_TEXTS_AT_ONCE = 4096
_TEXTS_A_REQUEST = 128
_WAIT_S = 120.0


class StaticEmbedder:
    """The mean of the vectors of a text's tokens, from the table that the package wordllama carries.

    The table maps the tokens of Llama 2 to 256 dimensions and was trained for mean pooling (WordLlama, Miller 2024);
    a text takes as long as its tokenising.
    """

    def __init__(self, tokenizer: tokenizers.Tokenizer, table: NDArray[np.float32]) -> None:
        self._tokenizer = tokenizer
        self._table = table

    @property
    def identity(self) -> str:
        """The table's name in its package."""
        return "wordllama l2_supercat_256"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row of 256 a text."""
        import numpy as np

        rows = np.zeros((len(texts), self._table.shape[1]), np.float32)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            batch = [_encodable(text) for text in texts[start : start + _TEXTS_AT_ONCE]]
            tokens = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(batch, add_special_tokens=False)]
            rows[start : start + len(batch)] = self._sums(tokens)
        return unit(rows)

    def _sums(self, tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """The sums of the tokens' vectors: their direction is that of the mean."""
        import numpy as np
        from scipy.sparse import csr_array

        ends = np.cumsum([0, *map(len, tokens)])
        flat = np.fromiter(itertools.chain.from_iterable(tokens), np.int32, int(ends[-1]))
        shape = (len(tokens), len(self._table))
        sums: NDArray[np.float32] = csr_array((np.ones(len(flat), np.float32), flat, ends), shape=shape) @ self._table
        return sums


@lru_cache(maxsize=1)
def static_embedder() -> StaticEmbedder:
    """The static embeddings, loaded once: a quarter of a second and 60 MB.

    Raises:
        UserError: the extra that carries them is not installed.
    """
    missing = [name for name in (_PACKAGE, "safetensors", "tokenizers") if find_spec(name) is None]
    spec = find_spec(_PACKAGE) if not missing else None
    folder = Path(spec.origin).parent if spec is not None and spec.origin is not None else None
    if folder is None or not (folder / _WEIGHTS).is_file():
        raise UserError(
            "search by meaning needs the extra 'mine', which is not installed",
            fix="install it with: pip install 'pytest-llmreplay[mine]'",
        )
    import tokenizers
    from safetensors.numpy import load_file

    [table] = load_file(folder / _WEIGHTS).values()
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / _TOKENIZER))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return StaticEmbedder(tokenizer, table.astype("float32"))


class LitellmEmbedder:
    """Asks an embedding model through `litellm.aembedding`, in batches, again after passing trouble, within a budget.

    Args:
        config: the model, its endpoint, its key's variable, its pace and prices.
        budget: what may be spent; shared by all who ask.
        on_unpriced: told, once, why its requests count 0 towards the budget.
        api_base: the endpoint, with environment variables filled in; None for the provider's own.
        clock: time and chance.
    """

    def __init__(
        self,
        config: ModelTarget,
        budget: Budget,
        on_unpriced: Callable[[str], None],
        *,
        api_base: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._config = config
        self._budget = budget
        self._on_unpriced = on_unpriced
        self._api_base = api_base
        self._clock = clock or Clock()
        self._told = False

    @property
    def identity(self) -> str:
        """The word litellm, the endpoint and the model."""
        return " ".join(filter(None, ("litellm", without_credentials(self._api_base or ""), self._config.model)))

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row a text.

        Raises:
            AccessDenied: the credentials were refused.
            InfrastructureError: no usable answer came back.
            NotRun: the budget is used up.
        """
        import numpy as np

        # Endpoints refuse a text without any word; a dash stands for it, so that its row is as long as the others.
        answers = asyncio.run(self._all([_encodable(text) if text.strip() else "-" for text in texts]))
        rows = np.array(answers, np.float32).reshape(len(texts), -1 if answers else 0)
        rows[[not text.strip() for text in texts]] = 0
        return unit(rows)

    async def _all(self, texts: Sequence[str]) -> list[list[float]]:
        key = key_from_environment(self._config)
        litellm = await asyncio.to_thread(load_litellm)
        config = self._config
        gate = Gate(
            config.max_concurrency,
            requests_per_minute=config.requests_per_minute,
            tokens_per_minute=config.tokens_per_minute,
            clock=self._clock,
        )
        pressure = Pressure(gate, self._budget, wait_s=_WAIT_S, clock=self._clock)
        batches = [texts[start : start + _TEXTS_A_REQUEST] for start in range(0, len(texts), _TEXTS_A_REQUEST)]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(pressure.send(partial(self._ask, litellm, batch, key), self._spent))
                    for batch in batches
                ]
        except BaseExceptionGroup as trouble:
            raise trouble.exceptions[0] from None
        finally:
            await litellm.close_litellm_async_clients()
        return [vector for task in tasks for vector in self._vectors(*task.result())]

    async def _ask(self, litellm: ModuleType, batch: Sequence[str], key: str | None) -> tuple[int, dict[str, Any]]:
        arguments: dict[str, Any] = {
            "model": self._config.model,
            "input": list(batch),
            "timeout": self._config.timeout_s,
            "num_retries": 0,
            "max_retries": 0,
        }
        if self._api_base is not None:
            arguments["api_base"] = self._api_base
        if key is not None:
            arguments["api_key"] = key
        try:
            response = await litellm.aembedding(**arguments)
        except Exception as error:  # noqa: BLE001 (litellm lets errors of many libraries through)
            config = self._config
            raise trouble_of(error, litellm, model=config.model, timeout_s=config.timeout_s, api_key=key) from None
        return len(batch), response.model_dump()

    def _vectors(self, asked: int, response: dict[str, Any]) -> list[list[float]]:
        found = sorted(response.get("data") or (), key=lambda item: int(item["index"]))
        vectors = [item["embedding"] for item in found]
        if len(vectors) != asked or len({len(vector) for vector in vectors}) != 1:
            raise InfrastructureError(
                f"{self._config.model} answered {asked} texts with {len(vectors)} vectors", code="bad_response"
            )
        return vectors

    def _spent(self, answer: tuple[int, dict[str, Any]]) -> Spent:
        tokens = (answer[1].get("usage") or {}).get("prompt_tokens")
        cost = cost_usd(self._config.model, tokens, 0, self._config.prices)
        if cost is None and not self._told:
            self._told = True
            self._on_unpriced("it does not say how many tokens it took" if tokens is None else "its price is not known")
        return Spent(tokens or 0, cost or 0.0)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors, in the last dimension, divided by their lengths; those of length 0 stay as they are."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, np.where(lengths > 0, lengths, 1), dtype=np.float32)


def _encodable(text: str) -> str:
    """The text with halves of surrogate pairs, which no tokenizer and no endpoint takes, as question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")
