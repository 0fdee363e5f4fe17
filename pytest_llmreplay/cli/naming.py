"""`triage --name-with`: a model names the intents that have none but their terms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.cli.model_answers import Missing, ask

if TYPE_CHECKING:
    from pytest_llmreplay.cli.progress import Display
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.mine.intents import Intent, Intents
    from pytest_llmreplay.model.ports import ModelRequest
    from pytest_llmreplay.model.variant import ModelTarget
    from pytest_llmreplay.providers.budget import Budget

_WORDS: Mapping[str | Missing, str] = {
    "named": "named",
    "unusable": "answered with no name that can be kept, so named by their words",
    Missing.TROUBLE: "without an answer, so named by their words",
    Missing.NOT_ASKED: "not asked, for the budget was used up",
}


@dataclass(frozen=True, slots=True)
class Naming:
    """Who names: a model, in a project, within a budget."""

    project: Project
    model: str
    budget: Budget
    display: Display

    def named(self, intents: Intents, said: Mapping[str, Sequence[str]]) -> Intents:
        """The intents with their new names; what came of it is told on standard error.

        Args:
            intents: all of them.
            said: by id of those that are to be named, a few turns of their users.

        Raises:
            UserError: the model cannot be reached as it is written.
            InfrastructureError: nothing was answered, for trouble on the way.
        """
        from pytest_llmreplay.mine.naming import naming_request

        asked = [intent for intent in intents.found if intent.intent_id in said]

        def requests(target: ModelTarget) -> list[ModelRequest]:
            return [naming_request(target.model, target.params, one, said[one.intent_id]) for one in asked]

        answers = ask(self.project, self.model, self.budget, self.display, requests)
        names, counts = self._names(asked, answers.read(lambda text: text or ""))
        click.echo(answers.in_words(counts, _WORDS, "no intent to name"), err=True)
        found = (replace(one, name=names.get(one.intent_id, one.name)) for one in intents.found)
        return replace(intents, found=tuple(found))

    def _names(
        self, asked: Sequence[Intent], replies: Sequence[str | Missing]
    ) -> tuple[dict[str, str], Counter[str | Missing]]:
        from pytest_llmreplay.mine.naming import read_name
        from pytest_llmreplay.session.redaction import build_personal

        personal = build_personal(self.project.root, self.project.configs)
        names: dict[str, str] = {}
        counts = Counter[str | Missing]()
        for intent, reply in zip(asked, replies, strict=True):
            if isinstance(reply, Missing):
                counts[reply] += 1
                continue
            name = read_name(reply, intent, personal)
            counts["unusable" if name is None else "named"] += 1
            if name is not None:
                names[intent.intent_id] = name
        return names, counts
