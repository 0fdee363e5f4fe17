"""Every error that the project raises on purpose.

::

    LlmReplayError
    ├── UserError              a mistake in a file, an option or a command: one sentence, exit code 2
    │   ├── Problems           several of them, reported at once
    │   └── NotWritten         a file cannot be written: a full disk, a read-only project
    ├── InfrastructureError    trouble that says nothing about the variant: the outcome is `error`
    │   ├── RecordingMissing   recordings only, and this request has none
    │   └── AccessDenied       credentials were refused: the whole run stops
    ├── Unmeasurable           the trial cannot be measured: the outcome is `unmeasured`
    └── NotRun                 the trial was never started: the outcome is `not_run`
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

_UNSET = object()


class LlmReplayError(Exception):
    """Root of all errors of this package."""


class UserError(LlmReplayError):
    """One clear sentence about one mistake.

    Args:
        problem: what is wrong, without a final full stop.
        file: the file at fault.
        key: the path of the key inside that file, such as `expect.calls.order`.
        value: the value found there.
        allowed: the values that are allowed there; the nearest one becomes a "did you mean".
        fix: what to do about it, as a sentence without a final full stop.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str | None = None,
        key: str | None = None,
        value: object = _UNSET,
        allowed: Sequence[str] | None = None,
        fix: str | None = None,
    ) -> None:
        self.problem = problem
        self.file = file
        self.key = key
        self.allowed = tuple(allowed) if allowed is not None else None
        where = ": ".join(part for part in (file, key) if part)
        sentence = f"{where}: {problem}" if where else problem
        if value is not _UNSET:
            sentence += f" (found {_short_repr(value)})"
        if self.allowed is not None:
            sentence += f"; allowed: {', '.join(self.allowed) or 'nothing'}"
        nearest = did_you_mean(value, self.allowed) if self.allowed and isinstance(value, str) else None
        if nearest:
            sentence += f"; did you mean '{nearest}'?"
        if fix:
            sentence += f"; {fix}"
        super().__init__(sentence)


class Problems(UserError):
    """Several mistakes, so that they are reported at once and mended at once."""

    def __init__(self, problems: Iterable[UserError]) -> None:
        self.problems = tuple(problems)
        LlmReplayError.__init__(self, "\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[Problems], tuple[tuple[UserError, ...]]]:
        """Workers send errors to each other; without this the sentence would be taken for the list of problems."""
        return type(self), (self.problems,)


class NotWritten(UserError):
    """A file cannot be written: the disk is full or failed, or the project is read-only."""


class InfrastructureError(LlmReplayError):
    """Trouble on the way to the target, such as a time-out; never the variant's fault.

    Args:
        message: one sentence.
        code: a stable word for it, such as `timeout`.
        retryable: whether the same request may succeed when it is sent again.
        retry_after: seconds that the other side asked to wait, if it did.
    """

    def __init__(
        self, message: str, *, code: str = "infrastructure", retryable: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable
        self.retry_after = retry_after


class RecordingMissing(InfrastructureError):
    """Only recordings may answer and there is none for this request."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="recording_missing")


class AccessDenied(InfrastructureError):
    """The credentials were refused; no later request can succeed."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="access_denied")


class Unmeasurable(LlmReplayError):
    """The trial cannot be measured, for a reason that is neither a failure nor trouble."""

    def __init__(self, message: str, *, code: str = "unmeasured") -> None:
        super().__init__(message)
        self.code = code


class NotRun(LlmReplayError):
    """The trial was never started: a budget was used up or the run was interrupted."""

    def __init__(self, message: str, *, code: str = "not_run") -> None:
        super().__init__(message)
        self.code = code


def did_you_mean(value: object, allowed: Sequence[str]) -> str | None:
    """The allowed word nearest to `value`, or None when none is near."""
    matches = difflib.get_close_matches(str(value), allowed, n=1, cutoff=0.6)
    return matches[0] if matches else None


def _short_repr(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
