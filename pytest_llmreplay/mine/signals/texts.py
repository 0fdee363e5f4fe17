"""Signals in what was said, and in how it ended: evaluated inside DuckDB."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_llmreplay.mine.signals import words
from pytest_llmreplay.mine.signals.signal import Signal
from pytest_llmreplay.mine.signals.sql import TOOL, literal, matches, messages_where, of_roles, whole_where

_BLANK = "coalesce(NOT regexp_matches(m.content, '[^\\s]'), true)"
_NO_CALLS = "coalesce(len(m.tool_calls), 0) = 0"
_NEXT = "list_filter(messages[i + 1:i + 16], lambda n: n.role NOT IN ('tool', 'function'))[1]"
_LENGTH = ("length", "max_tokens", "MAX_TOKENS", "max_output_tokens", "model_length", "incomplete")
_FILTER = (
    *("content_filter", "content_filtered", "content-filter", "safety", "SAFETY", "RECITATION", "PROHIBITED_CONTENT"),
    *("BLOCKLIST", "SPII", "guardrail_intervened", "refusal"),
)
_STOP_WORDS = (
    "the and for you your please can could would like want need with that this from have has was are not but just"
    " what how when where why who will does did get got let our their them they there then than some any all yes"
    " thanks thank okay hello hey its about into also been being were which help know tell give make still again"
)
_NEGATIVE = (
    r"(?i)[:\[,]\s*(?:false|-\d[\d.eE+]*|-?0(?:\.0+)?"
    r"|\"(?:negative|thumbs_down|down|bad|dislike|👎|poor|no)\")\s*[,}\]]"
)

_USER_TEXT = "m.role = 'user' AND strlen(m.content) > 0"
DERIVED: Mapping[str, str] = {
    "roles": "list_transform(messages, lambda m: m.role)",
    "user_texts": (
        f"list_filter(list_transform(messages, lambda m: CASE WHEN {_USER_TEXT} THEN lower(m.content) END), "
        "lambda t: t IS NOT NULL)"
    ),
    "user_places": (
        f"list_filter(list_transform(messages, lambda m, i: CASE WHEN {_USER_TEXT} THEN i END), "
        "lambda p: p IS NOT NULL)"
    ),
}
"""Columns that expressions work on: the roles, and what the user said in lower case with its places.

DuckDB copies a list that a lambda looks into for each element, which is cheap for lists of texts and not for structs.
"""


def _words(text: str) -> str:
    spaced = f"replace(replace(replace(replace({text}, '?', ' '), '.', ' '), ',', ' '), '!', ' ')"
    return f"string_split({spaced}, ' ')"


def _telling(words_of: str) -> str:
    """How many different words of three letters or more say something."""
    stopped = ", ".join(map(literal, _STOP_WORDS.split()))
    return f"len(list_distinct(list_filter({words_of}, lambda w: strlen(w) > 2 AND w NOT IN ({stopped}))))"


_SHARED = f"list_intersect({_words('z[1]')}, {_words('z[2]')})"
_SHORTER = f"least({_telling(_words('z[1]'))}, {_telling(_words('z[2]'))})"
_ALIKE = (
    # Cheap tests first: lengths and the share of characters rule out most pairs.
    "CASE WHEN greatest(strlen(z[1]), strlen(z[2])) < least(500, 2.5 * least(strlen(z[1]), strlen(z[2]))) THEN "
    f"CASE WHEN jaccard(z[1], z[2]) > 0.7 THEN CASE WHEN {_telling(_SHARED)} >= greatest(2, 0.6 * {_SHORTER}) "
    "THEN z[3] END END END"
)
_PAIRS = "list_zip(user_texts[2:], user_texts[:len(user_texts) - 1], user_places[2:])"
_REPHRASED = f"list_filter(list_transform({_PAIRS}, lambda z: {_ALIKE}), lambda p: p IS NOT NULL)"


def _ended_with(reasons: tuple[str, ...]) -> str:
    """The conversation's finish reason is among these, or that of one of its calls, which the metadata list."""
    listed = ", ".join(map(literal, reasons))
    calls = "json_extract_string(metadata, '$.calls[*].finish_reason')"
    return (
        f"CASE WHEN finish_reason IN ({listed}) THEN true WHEN contains(metadata, '\"finish_reason\"') "
        f"THEN list_has_any({calls}, [{listed}]) END"
    )


_ERROR = f"{matches('m.content', f'(?i){words.ERROR_START}')} OR {matches('m.content', f'(?i){words.ERROR_FIELD}')}"
_IGNORED = (
    f"{_NEXT}.role = 'assistant' AND coalesce(len({_NEXT}.tool_calls), 0) = 0",
    f"strlen({_NEXT}.content) > 0 AND NOT {matches(f'{_NEXT}.content', words.SAYS_TROUBLE)}",
)
_REFUSES = f"coalesce(m.refusal, '') <> '' OR {matches('m.content', words.REFUSAL)}"
_ASKS_FOR_PERSON = (matches("m.content", words.PERSON_WORD), matches("m.content", words.PERSON))
_INJECTS = (matches("m.content", words.INJECTION_WORD), matches("m.content", words.INJECTION))

TEXT_SIGNALS = (
    Signal(
        "tool_error",
        "reliability",
        "tool",
        "A tool's result says that the call failed: it begins with an error, or has a field for an error that is not "
        "empty, a failed status, `success: false` or an HTTP status from 400.",
        messages_where(TOOL, _ERROR),
        pattern=words.ERROR,
        each=(of_roles(TOOL), _ERROR),
    ),
    Signal(
        "tool_error_ignored",
        "quality",
        "model",
        "A tool's result says that the call failed (as in `tool_error`), and the assistant answers next, without "
        "another call and without a word about trouble.",
        # A lambda that looks into the other messages is dear, so it is kept for conversations with an error.
        f"CASE WHEN len({messages_where(TOOL, _ERROR)}) > 0 THEN {messages_where(TOOL, _ERROR, *_IGNORED)} END",
        pattern=words.ERROR,
        each=(of_roles(TOOL), _ERROR, *_IGNORED),
    ),
    Signal(
        "missing_result",
        "reliability",
        "tool",
        "The assistant makes calls, and fewer results of tools than calls follow.",
        messages_where(
            "assistant",
            "len(m.tool_calls) > 0",
            "coalesce(roles[i + 1], '') NOT IN ('tool', 'function') OR "
            "coalesce(roles[i + len(m.tool_calls)], '') NOT IN ('tool', 'function')",
        ),
        columns=("messages", "roles"),
    ),
    Signal(
        "unknown_tool",
        "reliability",
        "tool",
        "A call names a tool that was not among those offered; nothing where the log does not say which were.",
        "CASE WHEN tools IS NOT NULL THEN "
        + messages_where(
            "assistant",
            "len(m.tool_calls) > 0",
            "NOT list_has_all(list_transform(tools, lambda t: t.name), list_transform(m.tool_calls, lambda c: c.name))",
        )
        + " END",
        columns=("messages", "tools"),
    ),
    Signal(
        "empty_answer",
        "quality",
        "model",
        "A message of the assistant has neither text nor calls, parts or a refusal, in a log that holds the text of "
        "the user.",
        f"CASE WHEN list_contains(list_transform(messages, lambda m: {_USER_TEXT}), true) THEN "
        + messages_where("assistant", _NO_CALLS, _BLANK, "m.content_parts IS NULL AND coalesce(m.refusal, '') = ''")
        + " END",
    ),
    Signal(
        "refusal",
        "quality",
        "guardrail",
        "The assistant declines: the message carries a refusal, or its text uses the words of one.",
        messages_where("assistant", _REFUSES),
        pattern=words.REFUSAL,
        each=(of_roles("assistant"), _REFUSES),
    ),
    Signal(
        "truncated",
        "quality",
        "model",
        "The finish reason of the conversation or of one of its calls says that the answer was cut at the limit of "
        "length.",
        whole_where(_ended_with(_LENGTH)),
        columns=("finish_reason", "metadata"),
        at="conversation",
    ),
    Signal(
        "content_filter",
        "safety",
        "guardrail",
        "The finish reason of the conversation or of one of its calls says that a filter stopped the answer.",
        whole_where(_ended_with(_FILTER)),
        columns=("finish_reason", "metadata"),
        at="conversation",
    ),
    Signal(
        "user_repeats",
        "quality",
        "model",
        "The user says the same again: at least two telling words, and 60 % of those of the shorter one, stand both in "
        "a message and in the user's message before it (both below 500 characters, with 70 % of their letters in "
        "common, and neither 2.5 times as long as the other); or the user says that it was said before.",
        f"list_sort(list_distinct(list_concat({messages_where('user', matches('m.content', words.SAYS_AGAIN))}, "
        f"{_REPHRASED})))",
        columns=("messages", "user_texts", "user_places"),
        pattern=words.SAYS_AGAIN,
    ),
    Signal(
        "asks_for_person",
        "quality",
        "model",
        "The user asks for a person, or whether there is one, in English or German.",
        messages_where("user", *_ASKS_FOR_PERSON),
        pattern=words.PERSON,
        each=(of_roles("user"), *_ASKS_FOR_PERSON),
    ),
    Signal(
        "frustration",
        "quality",
        "model",
        "The user loses patience: swears, complains about the bot, or shouts in punctuation, in English or German.",
        messages_where("user", matches("m.content", words.FRUSTRATION)),
        pattern=words.FRUSTRATION,
        each=(of_roles("user"), matches("m.content", words.FRUSTRATION)),
    ),
    Signal(
        "negative_feedback",
        "quality",
        "model",
        "A score of the feedback is false, zero or less, or a word such as `negative`, `thumbs_down` or `bad`.",
        whole_where(matches("feedback", _NEGATIVE)),
        columns=("feedback",),
        at="conversation",
        pattern=_NEGATIVE,
    ),
    Signal(
        "abandoned",
        "quality",
        "model",
        "The conversation ends with a question of the assistant that the user never answered; whether there is "
        "anything else to do is no such question.",
        "CASE WHEN messages[-1].role = 'assistant' THEN CASE WHEN "
        f"{matches('messages[-1].content', '[?？][^?？.!]{0,40}$')} AND NOT "
        f"{matches('right(messages[-1].content, 160)', words.CLOSING)} THEN [len(messages)] END END",
        pattern=r"[^.!?？\n]*[?？][^?？.!]{0,40}$",
    ),
    Signal(
        "prompt_injection",
        "security",
        "prompt",
        "Text of the user or of a tool tries to give the model orders: to forget its instructions, to reveal"
        " them, to "
        "play another role, or control tokens of a chat template.",
        messages_where(("user", *TOOL), *_INJECTS),
        pattern=words.INJECTION,
        each=(of_roles(("user", *TOOL)), *_INJECTS),
    ),
)
