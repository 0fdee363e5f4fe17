"""The expected score: the mean of the scores 1 to 5 by the probabilities of their tokens.

It is G-Eval's weighting (Liu et al. 2023, arXiv 2303.16634, section 2.3): finer than the one score that was sampled,
and the same each time. Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from pytest_llmreplay.model.ports import Token

_SCORES = {str(score): score for score in range(1, 6)}


def expected_score(tokens: Sequence[Token], criterion: str) -> float | None:
    """The expected score of one criterion in a reply; None when its token cannot be told.

    Args:
        tokens: the reply, token by token.
        criterion: whose score, as its key is written among the decisions.
    """
    token = _token_of_score(tokens, criterion)
    if token is None:
        return None
    weights = dict.fromkeys(_SCORES.values(), 0.0)
    for text, logprob in token.alternatives.items():
        score = _SCORES.get(text.strip())
        if score is not None:
            weights[score] += math.exp(logprob)
    total = sum(weights.values())
    return sum(score * weight for score, weight in weights.items()) / total if total else None


def _token_of_score(tokens: Sequence[Token], criterion: str) -> Token | None:
    text = "".join(token.text for token in tokens)
    # Inside of a string, as in a quote, the quotation marks of a key are escaped.
    decisions = list(re.finditer(r'(?<!\\)"decisions"\s*:', text))
    start = decisions[-1].end() if decisions else len(text)
    found = re.compile(rf'(?<!\\)"{re.escape(criterion)}"\s*:\s*([1-5])').search(text, start)
    position = 0
    for token in tokens:
        if found is not None and position <= found.start(1) < position + len(token.text):
            return token if token.text.strip() in _SCORES else None
        position += len(token.text)
    return None
