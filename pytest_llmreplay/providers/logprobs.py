"""Token log-probabilities in the form of OpenAI's chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmreplay.model.ports import Token


def read_tokens(choice: Mapping[str, Any]) -> tuple[Token, ...] | None:
    """The tokens of a choice with their alternatives; None when the endpoint gave none, or something else.

    The token that was written is among its own alternatives, also where the endpoint leaves it out of the likeliest.
    """
    logprobs = choice.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    if not isinstance(content, list) or not content:
        return None
    try:
        return tuple(
            Token(
                str(token["token"]),
                {
                    **{str(other["token"]): float(other["logprob"]) for other in token.get("top_logprobs") or ()},
                    str(token["token"]): float(token["logprob"]),
                },
            )
            for token in content
        )
    except (LookupError, TypeError, ValueError):
        return None
