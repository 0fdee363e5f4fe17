"""What a run may spend."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_llmreplay.model.errors import NotRun


@dataclass(slots=True)
class Budget:
    """Stops new requests once the run has spent what it may; what is under way is finished.

    `max_cost_usd` is in US dollars; None means no limit. A request whose price is not known counts 0. `options` is how
    the options begin that raise it: those of pytest have a longer name than those of the commands.
    """

    max_cost_usd: float | None = None
    max_tokens: int | None = None
    spent_usd: float = 0.0
    spent_tokens: int = 0
    stopped: NotRun | None = None
    options: str = "--"

    def stop(self, why: str = "the run was stopped before this trial was done", code: str = "interrupted") -> None:
        """Let no more requests start."""
        if self.stopped is None:
            self.stopped = NotRun(why, code=code)

    def check(self) -> None:
        """Refuse another request when the budget is used up or the run was stopped.

        Raises:
            NotRun: it is.
        """
        if self.stopped is not None:
            raise self.stopped
        if self.max_cost_usd is not None and self.spent_usd >= self.max_cost_usd:
            raise NotRun(
                f"the budget of {self.max_cost_usd:g} USD is used up ({self.spent_usd:.4f} spent); "
                f"raise it with {self.options}max-cost",
                code="budget",
            )
        if self.max_tokens is not None and self.spent_tokens >= self.max_tokens:
            raise NotRun(
                f"the budget of {self.max_tokens} tokens is used up ({self.spent_tokens} spent); "
                f"raise it with {self.options}max-tokens",
                code="budget",
            )

    def part(self) -> Budget:
        """A budget that spends from this one, and that can be stopped without stopping this one."""
        return _Part(whole=self)

    def spend(self, *, tokens: int, cost_usd: float) -> None:
        """Count what a request took."""
        self.spent_tokens += tokens
        self.spent_usd += cost_usd


@dataclass(slots=True)
class _Part(Budget):
    whole: Budget = field(default_factory=Budget)

    def check(self) -> None:
        if self.stopped is not None:
            raise self.stopped
        self.whole.check()

    def spend(self, *, tokens: int, cost_usd: float) -> None:
        self.whole.spend(tokens=tokens, cost_usd=cost_usd)
