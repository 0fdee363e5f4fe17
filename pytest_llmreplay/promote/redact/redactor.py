"""The step that redacts a case, and the same for a conversation that is compared with one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import Conversation, Message
from pytest_llmreplay.promote.pipeline import StoppedError, case_id
from pytest_llmreplay.promote.redact.chat import said_in_chat
from pytest_llmreplay.promote.redact.detection import Rules, detection
from pytest_llmreplay.promote.redact.found import Found, without_overlaps
from pytest_llmreplay.promote.redact.places import says_something
from pytest_llmreplay.promote.redact.plain import plain_text
from pytest_llmreplay.promote.redact.pseudonym import PSEUDONYM, Pseudonyms
from pytest_llmreplay.promote.redact.residual import residual_names, tool_words
from pytest_llmreplay.promote.redact.scan import Scan, leftovers_of
from pytest_llmreplay.promote.redact.spelling import TITLES, Known, address_windows, canonical, known_in, known_values
from pytest_llmreplay.promote.redact.walk import Place, Walk, all_text
from pytest_llmreplay.promote.redact.words import Words

REDACTOR_VERSION = "1"
NOTE = "redaction"
"""The key of the case's metadata that says what was redacted."""

Confirm = Callable[[Sequence[str]], Collection[str]]
"""Given words that may be names: those that are. Raises `StoppedError` when nobody can say."""

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_TOKEN = re.compile(r"[\w@.+-]{4,}")
_TRACE_ID = "provenance.trace_id"
_KEPT_TEXTS = 8192


@dataclass(slots=True)
class _Values:
    """What is known of one case: how to find each value again, and what was replaced."""

    known: list[Known] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)
    parts: dict[str, list[tuple[Found, str]]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    product_words: frozenset[str] = frozenset()


class Redactor:
    """Redacts cases; every text keeps its place and form.

    Args:
        rules: what the project wants beside what is always looked for.
        pseudonyms: what stands for a value.
        confirm: asked which words of free text are names.
    """

    def __init__(self, rules: Rules, pseudonyms: Pseudonyms, confirm: Confirm) -> None:
        self._rules = rules
        self._pseudonyms = pseudonyms
        self._confirm = confirm
        self._detect = detection(rules)
        self._places = rules.typed_places()
        self._allowed = rules.allowed()
        self._words = Words(rules.languages, rules.words)
        self._names_in = lru_cache(maxsize=_KEPT_TEXTS)(lambda text: residual_names(text, self._words))
        self._scan = Scan(self._allowed)

    def __call__(self, case: Case) -> Case:
        """The case redacted.

        Raises:
            StoppedError: words that may be names and nobody to ask, or something personal is left.
        """
        values = _Values(product_words=_product_words(case))
        self._collect(case, values)
        redacted = self._rewritten(case, values)
        names, kept = self._residual(redacted, values)
        if names:
            for name in names:
                self._know("name", name, values)
            redacted = self._rewritten(case, values)
        self._look_again(redacted, values)
        return self._noted(case, redacted, values, kept)

    def conversation(self, conversation: Conversation, like: Case) -> Conversation:
        """A conversation redacted as the case was: equal values have equal pseudonyms.

        The case no longer holds its values, so each word of the conversation is asked for its pseudonym: one that the
        case has stands for the same value. A case that was stored as logged leaves the conversation as it is.
        """
        note: Any = like.metadata.get(NOTE)
        if not like.provenance.redactor_version or (isinstance(note, Mapping) and "stored" in note):
            return conversation
        fake = isinstance(note, Mapping) and note.get("style") == "fake"
        redactor = Redactor(self._rules, replace(self._pseudonyms, fake=fake), self._confirm)
        return redactor._alike(conversation, like)

    def written(self, text: str, like: Case) -> str:
        """What a person wrote about a redacted case, such as its summary, redacted as the case was.

        Raises:
            StoppedError: it holds words that may be names and there is nobody to ask.
        """
        if not like.provenance.redactor_version:
            return text
        message = Conversation("", (Message("user", text),))
        redacted = self.conversation(message, like).messages[0].content or ""
        found = sorted(word for word in self._names_in(redacted) if not self._is_known_word(word, like))
        values = _Values()
        for name in self._confirm(found) if found else ():
            self._know("name", name, values)
        return self._redacted(redacted, None, values)

    def stands_in(self, case: Case) -> list[str]:
        """The pseudonyms and fakes that stand in a redacted case, sorted."""
        text = all_text(case, self._places)
        fakes = {fake for fake in self._pseudonyms.made if fake in text}
        return sorted({match.group() for match in PSEUDONYM.finditer(text)} | fakes)

    def _is_known_word(self, word: str, like: Case) -> bool:
        fakes = (part for fake in self._pseudonyms.made for part in _WORD.findall(fake))
        return word.casefold() in _product_words(like) or self._allowed(word) or word in fakes

    def _alike(self, conversation: Conversation, like: Case) -> Conversation:
        values = _Values()
        walk = Walk(self._collecting(values), self._places)
        walk.conversation(conversation)
        present = all_text(like, self._places).casefold()
        self._collect_from_chat(conversation.messages, values, present)
        Walk(self._recognising(present, values), self._places).conversation(conversation)
        return Walk(self._rewriting(values), self._places).conversation(conversation)

    def _recognising(self, present: str, values: _Values) -> Callable[[str, Place], str]:
        asked: set[tuple[str, str]] = set()

        def ask(kind: str, written: str) -> None:
            if (kind, written) in asked:
                return
            asked.add((kind, written))
            stands = self._pseudonyms.of(kind, canonical(kind, written, self._rules.regions), written)
            if stands.casefold() in present:
                self._know(kind, written, values)

        def visit(written: str, _place: Place) -> str:
            text = plain_text(written)
            for word in _WORD.findall(text):
                ask("name", re.sub(r"['’][sS]$", "", word))
            for token in _TOKEN.findall(text):
                for kind in ("user_id", "session_id"):
                    ask(kind, token.rstrip(".-"))
            if "[address_" in present or self._pseudonyms.fake:
                for window in address_windows(text):
                    ask("address", window)
            return written

        return visit

    def _collect(self, case: Case, values: _Values) -> None:
        Walk(self._collecting(values), self._places).case(case)
        self._collect_from_chat(case.messages, values)

    def _collecting(self, values: _Values) -> Callable[[str, Place], str]:
        def visit(text: str, place: Place) -> str:
            if place.kind is not None and says_something(place.kind, text) and not self._allowed(text):
                self._know(self._kind_at(text, place.kind), text, values)
            for found in self._detect(text):
                self._know(found.kind, text[found.start : found.stop], values)
            return text

        return visit

    def _kind_at(self, text: str, kind: str) -> str:
        """The kind of a value at a typed place: what its form says, before what its place says."""
        found = self._detect(text)
        whole = len(found) == 1 and found[0].start == 0 and found[0].stop == len(text)
        return found[0].kind if whole and found[0].kind != "address" else kind

    def _know(self, kind: str, written: str, values: _Values) -> None:
        identity = (kind, canonical(kind, written, self._rules.regions))
        if identity in values.seen:
            return
        values.seen.add(identity)
        values.written.add(written)
        if kind == "session_id":
            values.sessions.add(written)
        values.known += known_values(kind, written, self._words, self._rules.regions)

    def _collect_from_chat(self, messages: Sequence[Message], values: _Values, present: str | None = None) -> None:
        for said in said_in_chat(messages, self._detect, self._words):
            # Another version asks other questions; what the case does not hide, its answers must not hide either.
            hidden = present is None or not said.asked or self._stands_in(said.kind, said.value, present)
            if self._allowed(said.value) or not hidden:
                continue
            self._know(said.kind, said.value, values)
            if said.place is not None:  # there even what is too short to be looked for elsewhere
                values.parts.setdefault(said.text, []).append((said.place, said.value))

    def _stands_in(self, kind: str, value: str, present: str) -> bool:
        stands = self._stands_for(kind, value).casefold()
        return any(part in present for part in (stands.split() if kind == "name" else [stands]))

    def _rewritten(self, case: Case, values: _Values) -> Case:
        values.counts.clear()
        return Walk(self._rewriting(values), self._places).case(case)

    def _rewriting(self, values: _Values) -> Callable[[str, Place], str]:
        done: dict[tuple[str, str | None], str] = {}
        # The id of a conversation is often that of its session; cases and logs are joined on it, so it stays.
        of_traces = replace(values, known=[known for known in values.known if known.kind != "session_id"])

        def visit(text: str, place: Place) -> str:
            if place.path == _TRACE_ID:
                return self._redacted(text, None, of_traces)
            key = (text, place.kind)
            if key not in done:
                done[key] = self._redacted(text, place.kind, values)
            return done[key]

        return visit

    def _redacted(self, text: str, kind: str | None, values: _Values) -> str:
        if kind is not None and says_something(kind, text) and not self._allowed(text):
            kind = self._kind_at(text, kind)
            values.counts[kind] += 1
            return self._stands_for(kind, text)
        parts = dict(values.parts.get(text, ()))
        found: list[Found] = [*self._detect(text), *parts, *known_in(text, values.known)]
        kept = [f for f in without_overlaps(found) if not self._allowed(text[f.start : f.stop])]
        for one in reversed(kept):
            values.counts[one.kind] += 1
            written = parts.get(one) or text[one.start : one.stop]
            stands = self._stands_for(one.kind, written, text[one.start : one.stop])
            text = text[: one.start] + stands + text[one.stop :]
        return text

    def _stands_for(self, kind: str, value: str, written: str | None = None) -> str:
        written = value if written is None else written
        if kind != "name":
            return self._pseudonyms.of(kind, canonical(kind, value, self._rules.regions), written)

        def word(match: re.Match[str]) -> str:
            if match[0].casefold() in TITLES:
                return match[0]
            bare = re.sub(r"['’][sS]$", "", match[0])
            return self._pseudonyms.of("name", canonical("name", bare, ()), bare) + match[0][len(bare) :]

        # Word by word, so that a full name and its parts are recognised as each other.
        return _WORD.sub(word, written)

    def _residual(self, redacted: Case, values: _Values) -> tuple[Collection[str], int]:
        found: set[str] = set()

        def visit(text: str, _place: Place) -> str:
            found.update(self._names_in(text))
            return text

        Walk(visit, self._places).case(redacted)
        fakes = {word for fake in self._pseudonyms.made for word in _WORD.findall(fake)}
        left = sorted(w for w in found - fakes if w.casefold() not in values.product_words and not self._allowed(w))
        names = self._confirm(left) if left else ()
        return names, len(left) - len(names)

    def _look_again(self, case: Case, values: _Values) -> None:
        leftovers, fakes = leftovers_of(values.written), sorted(self._pseudonyms.made, key=len, reverse=True)
        of_traces = leftovers - leftovers_of(values.sessions)
        places: list[str] = []
        looked_at: set[str] = set()

        def visit(text: str, place: Place) -> str:
            if text not in looked_at:
                looked_at.add(text)
                left = of_traces if place.path == _TRACE_ID else leftovers
                places.extend(f"{place.path} ({kind})" for kind in self._scan.kinds_in(text, left, fakes))
            return text

        Walk(visit, self._places).case(case)
        if places:
            more = f" and {len(places) - 3} more" if len(places) > 3 else ""
            raise StoppedError(
                f"after redaction something personal seems left at {', '.join(places[:3])}{more}; name it in "
                "configs/redaction.yaml under patterns, or under allow if it may stay"
            )

    def _noted(self, case: Case, redacted: Case, values: _Values, kept: int) -> Case:
        note: dict[str, Any] = {"counts": dict(sorted(values.counts.items()))} if values.counts else {}
        if values.counts and self._pseudonyms.fake:
            note["style"] = "fake"
        if kept:
            note["possible_names_kept"] = kept
        trace = redacted.provenance.trace_id
        changed = trace is not None and trace != case.provenance.trace_id
        return replace(
            redacted,
            case_id=case_id(trace, case.turn) if trace is not None and changed else case.case_id,
            metadata={**redacted.metadata, NOTE: note} if note else redacted.metadata,
            provenance=replace(redacted.provenance, redactor_version=REDACTOR_VERSION),
        )


def stored_as_logged(reason: str) -> Callable[[Case], Case]:
    """The step that redacts nothing, and says so in the case."""

    def step(case: Case) -> Case:
        return replace(case, metadata={**case.metadata, NOTE: {"stored": reason}})

    return step


def _product_words(case: Case) -> frozenset[str]:
    texts: Iterable[str | None] = (
        text for tool in case.tools or () for text in (tool.name, tool.description, tool.parameters)
    )
    return tool_words(texts)
