"""`--embedding`: what turns texts into vectors, the same for every command."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.report.text import printable

if TYPE_CHECKING:
    from pytest_llmreplay.model.ports import Embedder
    from pytest_llmreplay.providers.budget import Budget

STATIC = "static"
"""The embeddings that come with the extra `mine`."""


def embedder_named(name: str, budget: Budget) -> Embedder:
    """What turns texts into vectors.

    Raises:
        UserError: it is not installed, or cannot be reached as it is written.
    """
    from pytest_llmreplay.config.references import fill_environment
    from pytest_llmreplay.providers.embeddings import LitellmEmbedder, static_embedder
    from pytest_llmreplay.session.asking import model_target

    if name == STATIC:
        return static_embedder()
    target = model_target(name)
    api_base = None if target.api_base is None else fill_environment(target.api_base)
    return LitellmEmbedder(target, budget, partial(_tell_unpriced, target.model), api_base=api_base)


def _tell_unpriced(model: str, why: str) -> None:
    click.echo(printable(f"requests to {model} count 0 USD towards the budget: {why}"), err=True)
