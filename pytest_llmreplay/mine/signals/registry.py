"""All signals by name: the project's own list, and those that an application adds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pytest_llmreplay.mine.signals.calls import CALL_SIGNALS
from pytest_llmreplay.mine.signals.figures import FIGURE_SIGNALS
from pytest_llmreplay.mine.signals.grounding import GROUNDING_SIGNALS
from pytest_llmreplay.mine.signals.leaks import leak_signals
from pytest_llmreplay.mine.signals.signal import Signal, TextDetector
from pytest_llmreplay.mine.signals.texts import TEXT_SIGNALS
from pytest_llmreplay.model.case import FailureCategory, FailureStage
from pytest_llmreplay.model.errors import UserError

GROUP = "pytest_llmreplay.signals"
"""The group of entry points that add signals: each names a `Signal`, or several in an iterable."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def builtin_signals(detect: TextDetector) -> dict[str, Signal]:
    """The signals of the project, by name.

    Args:
        detect: finds personal data and secrets in a text.
    """
    listed = (*TEXT_SIGNALS, *CALL_SIGNALS, *GROUNDING_SIGNALS, *leak_signals(detect), *FIGURE_SIGNALS)
    return {signal.name: signal for signal in sorted(listed, key=lambda signal: signal.name)}


def with_own(known: Mapping[str, Signal], own: Iterable[Signal], where: str) -> dict[str, Signal]:
    """The signals with those that an application adds.

    Raises:
        UserError: a name is taken, or is no name.
    """
    found = dict(known)
    for signal in own:
        if not _NAME.fullmatch(signal.name):
            raise UserError("must be lower-case letters, digits and _", file=where, key="name", value=signal.name)
        if signal.name in found:
            raise UserError("there is a signal of this name already", file=where, key="name", value=signal.name)
        found[signal.name] = signal
    return found


def expression_signal(
    name: str, category: FailureCategory, stage: FailureStage, definition: str, expression: str
) -> Signal:
    """A signal that shows where an expression, which must be checked before, is true of the canonical columns."""
    return Signal(name, category, stage, definition, f"(\n{expression}\n)", columns=(), at="conversation")


def entry_point_signals(found: Sequence[EntryPoint] | None = None) -> list[tuple[str, list[Signal]]]:
    """The signals that installed packages add, by the entry point that names them.

    Raises:
        UserError: an entry point cannot be loaded, or is no signal.
    """
    points = entry_points(group=GROUP) if found is None else found
    return [(f"entry point {point.name} ({point.value})", _loaded(point)) for point in points]


def _loaded(point: EntryPoint) -> list[Signal]:
    where = f"entry point {point.name} ({point.value})"
    try:
        given: Any = point.load()
    except Exception as error:
        raise UserError(f"cannot be loaded: {type(error).__name__}: {error}", file=where) from error
    signals = [given] if isinstance(given, Signal) else list(given) if isinstance(given, Iterable) else [given]
    for signal in signals:
        if not isinstance(signal, Signal):
            raise UserError("is no Signal and no list of signals", file=where, value=signal)
    return signals


def chosen(known: Mapping[str, Signal], names: Iterable[str]) -> tuple[Signal, ...]:
    """The signals with these names, each once; all of them when none is named.

    Raises:
        UserError: there is no signal of a name.
    """
    wanted = tuple(dict.fromkeys(names)) or tuple(known)
    for name in wanted:
        if name not in known:
            raise UserError("there is no such signal", key="--signal", value=name, allowed=list(known))
    return tuple(known[name] for name in wanted)
