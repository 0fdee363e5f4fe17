"""What a model's tokens cost, from litellm's bundled price list, read without importing litellm."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pytest_llmreplay.model.variant import Prices

_MOST_TOKENS = 2**53
_LIST = "model_prices_and_context_window_backup.json"


def cost_usd(
    model: str, input_tokens: int | None, output_tokens: int | None, prices: Prices | None = None
) -> float | None:
    """US dollars for one request, or None when the tokens or the price are not known."""
    if input_tokens is None or output_tokens is None:
        return None
    if prices is None:
        prices = listed_prices(model)
    if prices is None:
        return None
    return (input_tokens * prices.input_per_million + output_tokens * prices.output_per_million) / 1_000_000


def token_count(told: Any) -> int | None:
    """How many tokens a reply says it took, or None where it says nothing that could be true."""
    is_count = isinstance(told, int) and not isinstance(told, bool) and 0 <= told < _MOST_TOKENS
    return told if is_count else None


@lru_cache(maxsize=256)
def listed_prices(model: str) -> Prices | None:
    """The listed prices of a model, with or without its provider's prefix; None when it is not listed."""
    listing = _price_list()
    entry = listing.get(model) or listing.get(model.partition("/")[2])
    if not entry or "input_cost_per_token" not in entry or "output_cost_per_token" not in entry:
        return None
    return Prices(
        input_per_million=entry["input_cost_per_token"] * 1_000_000,
        output_per_million=entry["output_cost_per_token"] * 1_000_000,
    )


def follows_schemas(model: str) -> bool:
    """Whether the price list says that a model's replies can be held to a JSON schema."""
    listing = _price_list()
    entry = listing.get(model) or listing.get(model.partition("/")[2]) or {}
    return bool(entry.get("supports_response_schema"))


@lru_cache(maxsize=1)
def listed_providers() -> frozenset[str]:
    """The providers that litellm's price list names, as they stand before the slash of a model's name."""
    return frozenset(name.partition("/")[0] for name in _price_list() if "/" in name) | frozenset(
        entry["litellm_provider"] for entry in _price_list().values() if "litellm_provider" in entry
    )


@lru_cache(maxsize=1)
def _price_list() -> dict[str, dict[str, Any]]:
    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        return {}
    path = Path(spec.origin).parent / _LIST
    listing: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return listing
