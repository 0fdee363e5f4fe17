"""Calls that repeat the history, made into the conversations that they were parts of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from pytest_llmreplay.model.canonical import canonical_arguments, canonical_json
from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.traces.spans import Span

Key = bytes

_SYSTEM = ("system", "developer")
_KEPT_CALLS = 1000


def key_of(message: Message) -> Key:
    """What makes two messages the same: what was said and called, but no ids, which some systems make up anew.

    When an answer is sent back as history, many systems drop the text beside its calls; and media are written down in
    different ways, or cut.
    """
    calls = [[call.name, canonical_arguments(call.arguments)] for call in message.tool_calls]
    role = "tool" if message.role == "function" else message.role
    content = message.content or ""
    text = canonical_arguments(content) if role == "tool" and content[:1] in ("{", "[") else content
    said = [role, calls] if calls else [role, text or message.refusal or ""]
    return hashlib.blake2b(canonical_json(said).encode("utf-8", "surrogatepass"), digest_size=12).digest()


def _equal(message: Message, own: Key, sent: Message, other: Key) -> bool:
    """Whether a known message is the one that was sent; a refusal may come back as text, or as nothing.

    An answer that the log holds as empty, as some do of a streamed refusal, may come back with what it said.
    """
    if own == other:
        return True
    if message.refusal is not None and other in (_SILENT, key_of(message)):
        return True
    return own == _SILENT and sent.role == "assistant" and not sent.tool_calls


def chain(keys: Iterable[Key]) -> list[Key]:
    """For every length, one key that stands for all messages up to there."""
    found: list[Key] = []
    last = b""
    for key in keys:
        last = hashlib.blake2b(last + key, digest_size=12).digest()
        found.append(last)
    return found


def split_system(messages: Sequence[Message]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """The instructions before the first other message, and the rest."""
    count = next((i for i, m in enumerate(messages) if m.role not in _SYSTEM), len(messages))
    return tuple(messages[:count]), tuple(messages[count:])


_SILENT = key_of(Message("assistant"))


@dataclass(slots=True)
class Thread:
    """One line of conversation; `calls` are those that made it, without their messages.

    `branches` counts answers that were given anew or histories that were edited, so that something was left behind.
    `unanswered` are those of the calls that asked all of it and of which the log holds neither an answer nor an error.
    """

    system: tuple[Message, ...] = ()
    body: list[Message] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    calls: list[tuple[Span, int]] = field(default_factory=list)
    failed: list[tuple[Span, bool]] = field(default_factory=list)
    lengths: dict[str, int] = field(default_factory=dict)
    unanswered: list[Span] = field(default_factory=list)
    branches: int = 0

    @property
    def messages(self) -> tuple[Message, ...]:
        """Instructions and conversation."""
        return (*self.system, *self.body)

    @property
    def turns(self) -> int:
        """How many messages of the user there are."""
        return sum(message.role == "user" for message in self.body)

    @property
    def started(self) -> float:
        """Epoch seconds of the first call; far in the future when no call has a time."""
        return min((span.started for span, _ in self._all() if span.started is not None), default=float("inf"))

    @property
    def length_s(self) -> float:
        """Seconds from the first call to the last."""
        times = [span.started for span, _ in self._all() if span.started is not None]
        return max(times) - min(times) if times else 0.0

    def _all(self) -> Iterable[tuple[Span, object]]:
        return (*self.calls, *self.failed)

    def common(self, body: Sequence[Message], keys: Sequence[Key]) -> int:
        """How many messages from the start this thread and a call have in common."""
        shorter = min(len(self.keys), len(keys))
        pairs = zip(self.body, self.keys, body, keys, strict=False)
        return next((i for i, pair in enumerate(pairs) if not _equal(*pair)), shorter)

    def told_again(self, messages: Sequence[Message]) -> None:
        """Complete the first messages by what a later call says of them."""
        for index, message in enumerate(messages):
            whole = _told_again(self.body[index], message)
            if whole is not self.body[index]:
                self.body[index], self.keys[index] = whole, key_of(whole)

    def cut(self, length: int) -> None:
        """Leave behind what comes after this many messages."""
        if length < len(self.body):
            self.branches += 1
            del self.body[length:], self.keys[length:]

    def extend(self, messages: Sequence[Message]) -> None:
        """Go on with these messages."""
        self.body.extend(messages)
        self.keys.extend(key_of(message) for message in messages)


def richer(one: Message, other: Message) -> Message:
    """The one of two records of a message that says more; the first when both say as much."""
    return other if _says(other) > _says(one) else one


def _told_again(known: Message, sent: Message) -> Message:
    """The fuller of two records of a message, with the ids of the later one: what follows it there refers to those."""
    message = richer(known, sent)
    ids = [call.id for call in sent.tool_calls]
    if len(ids) == len(message.tool_calls) and all(ids) and ids != [call.id for call in message.tool_calls]:
        pairs = zip(message.tool_calls, ids, strict=True)
        message = replace(message, tool_calls=tuple(replace(call, id=call_id) for call, call_id in pairs))
    if sent.tool_call_id not in (None, message.tool_call_id):
        message = replace(message, tool_call_id=sent.tool_call_id)
    return message


def _says(message: Message) -> int:
    said = (message.content, message.content_parts, message.refusal, message.name, message.tool_call_id)
    return sum(bool(part) for part in said)


class Stitcher:
    """Takes the calls of one group in the order of time and lays each where it belongs.

    `joined` says that the group has an id of its own, such as that of a session: calls that share no message are then
    turns of one conversation, unless they have other instructions.
    """

    def __init__(self, *, joined: bool) -> None:
        self.threads: list[Thread] = []
        self._joined = joined

    def add(self, call: Span) -> None:
        """Lay one call."""
        system, body = split_system(call.messages or ())
        output = call.output or ()
        keys = [key_of(message) for message in body]
        thread, have, take = self._place(call, system, body, keys)
        bare = replace(call, messages=None, output=None, tools=call.tools, events=())
        if not output and self._known_request(thread, have, take, keys):
            thread.failed.append((bare, True))
            return
        repeats = self._repeats(thread, have, take, body, output)
        if repeats and any(known.format != call.format or call.whole for known, _ in thread.calls):
            return
        self._retried(thread, call, len(keys))
        asked_again = bool(keys) and have == take == len(keys) == len(thread.keys)
        if asked_again and output:
            self._answers_its_twins(thread)
        if call.previous is None or system:
            thread.system = system or thread.system
        thread.told_again(body[:take] if have == take else ())
        if not repeats:
            thread.cut(have)
            thread.extend(body[take:])
            thread.extend(output)
        if call.response_id:
            thread.lengths[call.response_id] = len(thread.body)
        if not output and call.error is not None:
            thread.failed.append((bare, False))
        elif len(thread.calls) < _KEPT_CALLS:
            thread.calls.append((bare, thread.turns))
            thread.unanswered = [] if output else [*(thread.unanswered if asked_again else ()), bare]

    def _known_request(self, thread: Thread, have: int, take: int, keys: Sequence[Key]) -> bool:
        """Whether a call without an answer asks what was asked and answered before."""
        return bool(keys) and take == len(keys) and have == take and have < len(thread.keys)

    def _retried(self, thread: Thread, call: Span, length: int) -> None:
        """Failed calls that asked just this were retried by it."""
        if call.output:
            thread.failed = [(span, True) for span, _ in thread.failed] if length else thread.failed

    def _answers_its_twins(self, thread: Thread) -> None:
        """Calls without an answer that were asked again are no calls of their own."""
        twins = thread.unanswered
        thread.calls = [(span, turn) for span, turn in thread.calls if not any(span is twin for twin in twins)]
        thread.failed.extend((twin, True) for twin in twins if not twin.answer_apart)
        thread.unanswered = []

    def _repeats(
        self, thread: Thread, have: int, take: int, body: Sequence[Message], output: Sequence[Message]
    ) -> bool:
        """Whether the thread holds all of it already: a span that wraps another one, or a record met late."""
        if take != len(body) or not output:
            return False
        return thread.keys[have : have + len(output)] == [key_of(message) for message in output]

    def _place(
        self, call: Span, system: tuple[Message, ...], body: tuple[Message, ...], keys: list[Key]
    ) -> tuple[Thread, int, int]:
        """The thread that the call belongs to, how much of it stays, and how many of its own messages that covers."""
        if call.previous is not None:
            for thread in self.threads:
                if call.previous in thread.lengths:
                    return thread, thread.lengths[call.previous], 0
        best = max(self.threads, key=lambda thread: self._shared(thread, system, body, keys), default=None)
        common = 0 if best is None else self._shared(best, system, body, keys)
        if best is not None and common:
            return best, common, common
        for thread in self.threads:
            overlap = _overlap(thread.keys, keys)
            if overlap and self._same_instructions(thread, system):
                return thread, len(thread.keys), overlap
        if self._joined or not body:
            for thread in self.threads:
                if self._same_instructions(thread, system) and (not body or body[0].role == "user"):
                    return thread, len(thread.keys), 0
        self.threads.append(Thread(system))
        return self.threads[-1], 0, 0

    def _shared(self, thread: Thread, system: tuple[Message, ...], body: Sequence[Message], keys: Sequence[Key]) -> int:
        """How much a call repeats of a thread; with other instructions it must go on where the thread ends.

        A router is asked the customer's question too, and is no part of the conversation.
        """
        common = thread.common(body, keys)
        if self._same_instructions(thread, system):
            return common
        goes_on = common == len(thread.keys) and any(message.role == "assistant" for message in thread.body)
        return common if goes_on else 0

    def _same_instructions(self, thread: Thread, system: tuple[Message, ...]) -> bool:
        return not thread.system or not system or thread.system[0].content == system[0].content

    def main(self) -> Thread | None:
        """The thread that the user took part in: most turns, then the longest time, then the most messages."""
        return max(self.threads, key=lambda t: (t.turns, t.length_s, len(t.body), -t.started), default=None)


def _overlap(known: Sequence[Key], keys: Sequence[Key]) -> int:
    """How many of a call's messages are covered when its history begins late, or with a summary of what came before.

    At least two messages in a row must be the last ones that are known, or one at the very start.
    """
    for end in range(len(keys), 0, -1):
        if known and keys[end - 1] == known[-1]:
            run = next(
                (i for i in range(min(end, len(known))) if keys[end - 1 - i] != known[-1 - i]), min(end, len(known))
            )
            if run >= 2 or end == 1:
                return end
    return 0
