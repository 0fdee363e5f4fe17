"""`find --confirm`: a model reads each candidate, and what it does not confirm is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_llmreplay.cli.model_answers import Missing, ask

if TYPE_CHECKING:
    from pytest_llmreplay.cli.progress import Display
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.mine.finding import Finding
    from pytest_llmreplay.model.conversation import Conversation
    from pytest_llmreplay.model.ports import ModelRequest
    from pytest_llmreplay.model.variant import ModelTarget
    from pytest_llmreplay.providers.budget import Budget

_WORDS: Mapping[str | Missing, str] = {
    "yes": "confirmed",
    "no": "not confirmed",
    "off_menu": "answered neither yes nor no, so not confirmed",
    Missing.TROUBLE: "without an answer, so not confirmed",
    Missing.NOT_ASKED: "not asked, for the budget was used up",
}


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a model confirmed, and in a sentence what it said of how many candidates."""

    findings: tuple[Finding, ...]
    in_words: str


@dataclass(frozen=True, slots=True)
class Confirming:
    """Who confirms: a model, in a project, within a budget."""

    project: Project
    model: str
    budget: Budget
    display: Display

    def confirm(self, findings: Sequence[Finding], conversations: Mapping[int, Conversation], asked: str) -> Confirmed:
        """Ask about every finding.

        Args:
            findings: the candidates.
            conversations: theirs, by row.
            asked: what is looked for, in words.

        Raises:
            UserError: the model cannot be reached as it is written.
            InfrastructureError: none of them was answered, for trouble on the way.
        """
        from pytest_llmreplay.mine.confirm import Answer, confirmation_request, read_answer

        def requests(target: ModelTarget) -> list[ModelRequest]:
            return [
                confirmation_request(target.model, target.params, asked, conversations[one.row], one.turn)
                for one in findings
            ]

        answers = ask(self.project, self.model, self.budget, self.display, requests)
        said: list[Answer | Missing] = answers.read(read_answer)
        kept = [
            replace(one, why=f"{one.why}; confirmed by {answers.target.model}")
            for one, word in zip(findings, said, strict=True)
            if word == "yes"
        ]
        return Confirmed(tuple(kept), answers.in_words(Counter(said), _WORDS, "nothing to confirm"))
