"""Asking a model about many things at once: with progress, within a budget, and told in a sentence what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, TypeVar

import click

from pytest_llmreplay.model.errors import AccessDenied, InfrastructureError
from pytest_llmreplay.report.text import printable

if TYPE_CHECKING:
    from pytest_llmreplay.cli.progress import Display
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.model.ports import ModelRequest
    from pytest_llmreplay.model.variant import ModelTarget
    from pytest_llmreplay.providers.budget import Budget
    from pytest_llmreplay.session.asking import Reply

Read = TypeVar("Read")


class Missing(Enum):
    """Why there is no reply: trouble on the way, or a budget that was used up before."""

    TROUBLE = auto()
    NOT_ASKED = auto()


@dataclass(frozen=True, slots=True)
class Answers:
    """What came of asking `target`, which is called `model`; `replies` are in the order of the requests."""

    model: str
    target: ModelTarget
    replies: Sequence[Reply]

    def read(self, read: Callable[[str | None], Read]) -> list[Read | Missing]:
        """What `read` makes of each reply's text, or why there is none.

        Raises:
            InfrastructureError: the credentials were refused, or nothing was answered for trouble on the way.
        """
        refused = [reply for reply in self.replies if isinstance(reply, AccessDenied)]
        trouble = [reply for reply in self.replies if isinstance(reply, InfrastructureError)]
        if refused or (trouble and len(trouble) == len(self.replies)):
            raise (refused or trouble)[0]
        return [
            (Missing.TROUBLE if isinstance(reply, InfrastructureError) else Missing.NOT_ASKED)
            if isinstance(reply, Exception)
            else read(reply.message.content)
            for reply in self.replies
        ]

    def in_words(self, counts: Counter[str | Missing], words: Mapping[str | Missing, str], nothing: str) -> str:
        """One sentence: how many replies were what, how many were really asked for, and what they cost."""
        live = [reply for reply in self.replies if not isinstance(reply, Exception) and reply.live]
        cost = sum(reply.cost_usd or 0.0 for reply in live)
        told = [f"{counts[key]} {said}" for key, said in words.items() if counts[key]]
        asked = f"{len(live)} asked for, the rest known from before" if live else "all known from before"
        return printable(f"{self.model}: {', '.join(told) or nothing} ({asked}; {cost:.4f} USD)")


def ask(
    project: Project,
    model: str,
    budget: Budget,
    shown: Display,
    requests: Callable[[ModelTarget], Sequence[ModelRequest]],
) -> Answers:
    """Ask a model: as litellm names it, or the YAML file of a variant. What was asked before is not asked again.

    Args:
        project: where the replies are recorded.
        model: who is asked.
        budget: what it may cost.
        shown: the progress.
        requests: what the model, once it is known, is asked.

    Raises:
        UserError: the model cannot be reached as it is written.
    """
    from pytest_llmreplay.session.asking import asking, model_target

    target = model_target(model)
    made = requests(target)
    done = _counting(shown, f"asking {printable(target.model)}", len(made))
    with asking(project, target, budget, lambda notice: click.echo(printable(notice), err=True)) as asked:
        return Answers(model, target, asked.all(made, done))


def _counting(shown: Display, what: str, total: int) -> Callable[[], None]:
    tell = shown.counting(what)
    count = 0

    def one() -> None:
        nonlocal count
        count += 1
        tell(count, total)

    return one
