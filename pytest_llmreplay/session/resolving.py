"""Bringing back the text of cases that hold references only: from a function of one's own, or from a log."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import Conversation
from pytest_llmreplay.model.errors import InfrastructureError, UserError
from pytest_llmreplay.model.ports import ConversationLog
from pytest_llmreplay.model.variant import ResolverConfig
from pytest_llmreplay.promote import Hashes, UnresolvedError, reference_for, with_text
from pytest_llmreplay.promote.redact import KEY_VARIABLE, Redactor, key_path, redaction_key
from pytest_llmreplay.session.functions import import_function
from pytest_llmreplay.session.redaction import build_redactor

_KEPT_CASES = 256
Fetch = Callable[[Case], Conversation | None]


class Resolver:
    """Gives cases their text; safe to use from several threads.

    Args:
        config: where text comes from; None: nowhere.
        root: the project's folder.
        configs: the folder that may hold `redaction.yaml`.
        notice: told of what could not be read of a log.
    """

    def __init__(self, config: ResolverConfig | None, root: Path, configs: Path, notice: Callable[[str], None]) -> None:
        self._root = root
        self._configs = configs
        self._fetch = lru_cache(maxsize=1)(lambda: _fetching(config, root, notice))
        self._redactor = lru_cache(maxsize=1)(self._build_redactor)
        self._kept: OrderedDict[tuple[str, str], Case] = OrderedDict()
        self._lock = Lock()

    def with_text(self, case: Case) -> Case:
        """The case with its text; one that has its text is given back as it is.

        Raises:
            InfrastructureError: with the code `unresolved`; the text cannot be had, or is not what was promoted.
        """
        if not case.holds_references:
            return case
        key = (case.case_id, case.content_digest)
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None:
            return kept
        try:
            resolved = self._resolved(case)
        except UnresolvedError as error:
            raise unresolved(str(error)) from error
        with self._lock:
            self._kept[key] = resolved
            if len(self._kept) > _KEPT_CASES:
                self._kept.popitem(last=False)
        return resolved

    def _resolved(self, case: Case) -> Case:
        if KEY_VARIABLE not in os.environ and not key_path(os.environ).exists():
            raise UnresolvedError(f"there is no redaction key here (set {KEY_VARIABLE})")
        try:
            conversation = self._fetch()(case)
        except UnresolvedError:
            raise
        except UserError as error:
            raise UnresolvedError(str(error)) from error
        except Exception as error:  # a function of one's own may raise whatever its store raises
            raise UnresolvedError(f"the resolver failed: {type(error).__name__}") from error
        if conversation is None:
            raise UnresolvedError(f"nothing is known of trace {case.provenance.trace_id}")
        redacted = self._redactor().conversation(conversation, like=case)
        return with_text(case, redacted, Hashes(redaction_key))

    def _build_redactor(self) -> Redactor:
        return build_redactor(self._root, self._configs, lambda _words: ())


def unresolved(why: str) -> InfrastructureError:
    """The error of a case whose text cannot be had."""
    return InfrastructureError(f"the text of this case is not stored and cannot be had: {why}", code="unresolved")


def _fetching(config: ResolverConfig | None, root: Path, notice: Callable[[str], None]) -> Fetch:
    if config is None:
        raise UnresolvedError("configs/environment.yaml names no resolver")
    if config.function is not None:
        function = import_function(config.function, root)
        return lambda case: _as_conversation(function(reference_for(case)), case)
    log = _opened(config, root, notice)
    return lambda case: log.lookup(str(case.provenance.trace_id), 1)


def _opened(config: ResolverConfig, root: Path, notice: Callable[[str], None]) -> ConversationLog:
    from pytest_llmreplay.traces import open_log

    logs = config.logs or ""
    name = logs if "://" in logs else str(root / logs)
    return open_log([name], on=config.id_column, where=None, on_problem=lambda problem: notice(str(problem)))


def _as_conversation(given: Any, case: Case) -> Conversation | None:
    """What a function gave: nothing, messages, or a row with messages as a plain log has them."""
    from pytest_llmreplay.traces import plain_conversation

    if given is None or isinstance(given, Conversation):
        return given
    row: Any = {"messages": given} if isinstance(given, list) else given
    if not isinstance(row, Mapping):
        raise UnresolvedError(f"the resolver gave {type(given).__name__}, neither messages nor a row with messages")
    try:
        return plain_conversation(
            row, fallback_id=case.case_id, format_name="plain", source_file="", record=1, id_column=None
        )
    except ValueError as error:
        raise UnresolvedError(f"the resolver gave no conversation: {error}") from error
