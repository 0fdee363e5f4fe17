"""Words of a text that may be names, and who says which of them are."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.report.text import one_line

if TYPE_CHECKING:
    from pytest_llmreplay.promote.redact import Confirm

RESIDUAL = click.Choice(["redact", "keep"])


def confirming(residual: str | None) -> Confirm:
    """Who says which words are names: the option `--residual`, else a person on a terminal, else nobody.

    Asked where nobody can say, it raises `StoppedError`.
    """
    from pytest_llmreplay.promote import StoppedError

    if residual is not None:
        return lambda words: words if residual == "redact" else ()
    if sys.stdin.isatty():
        return _Asking()

    def nobody(words: Sequence[str]) -> Collection[str]:
        which = (
            f"{len(words)} words of the text may be names" if len(words) > 1 else "one word of the text may be a name"
        )
        raise StoppedError(
            f"{which}, and there is no terminal to ask on; say --residual redact or keep, or list product words in "
            "configs/redaction.yaml"
        )

    return nobody


class _Asking:
    """Asks a person which words are names, about each word once."""

    def __init__(self) -> None:
        self._names: dict[str, bool] = {}

    def __call__(self, words: Sequence[str]) -> Collection[str]:
        new = [word for word in words if word not in self._names]
        if new:
            click.echo(f"These words may be names: {', '.join(one_line(word) for word in new)}")
            answer = click.prompt("Which are? all, none, or the words", default="all")
            named = {word.strip().casefold() for word in answer.replace(",", " ").split()}
            for word in new:
                self._names[word] = named == {"all"} or word.casefold() in named
        return [word for word in words if self._names[word]]
