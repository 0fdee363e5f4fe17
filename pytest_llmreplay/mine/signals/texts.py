"""Signals in what was said, and in how it ended: evaluated inside DuckDB."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_llmreplay.mine.signals import words
from pytest_llmreplay.mine.signals.repeats import REPEATS, USER_TEXT
from pytest_llmreplay.mine.signals.signal import Signal
from pytest_llmreplay.mine.signals.sql import CALLED, TOOL, Says, literal, matches, of_roles
from pytest_llmreplay.model import phrases

_BLANK = "coalesce(NOT regexp_matches(m.content, '[^\\s]'), true)"
_NO_CALLS = "coalesce(len(m.tool_calls), 0) = 0"
_NEXT = (
    "messages[i + list_position(list_transform(roles[i + 1:i + 16], lambda r: r NOT IN ('tool', 'function')), true)]"
)
_NO_RESULT_AT = "coalesce(roles[i + {}], '') NOT IN ('tool', 'function')"
_LENGTH = ("length", "max_tokens", "MAX_TOKENS", "max_output_tokens", "model_length", "incomplete")
_FILTER = (
    *("content_filter", "content_filtered", "content-filter", "safety", "SAFETY", "RECITATION", "PROHIBITED_CONTENT"),
    *("BLOCKLIST", "SPII", "guardrail_intervened", "refusal"),
)
_NEGATIVE = (
    r"(?i)[:\[,]\s*(?:false|-\d[\d.eE+-]*|-?0(?:\.0+)?"
    r"|\"(?:negative|thumbs_down|down|bad|dislike|👎|poor|no|0|-1)\")\s*[,}\]]"
)
_SENTENCE = r'([:\[,]\s*)"(?:[^"\\]|\\.)*[\s,:](?:[^"\\]|\\.)*"'
"""A text of JSON that is no single word: what a comment says is no score."""
_WITHOUT_SENTENCES = f"regexp_replace(feedback, {literal(_SENTENCE)}, '\\1\"\"', 'g')"

DERIVED: Mapping[str, str] = {
    "roles": "list_transform(messages, lambda m: m.role)",
    "tool_names": "list_transform(tools, lambda t: t.name)",
    "failed_calls": "CASE WHEN contains(metadata, '\"failed_tool_calls\"') AND json_valid(metadata) "
    "THEN json_extract_string(metadata, '$.failed_tool_calls[*]') END",
    "user_spoke": f"list_contains(list_transform(messages, lambda m: {USER_TEXT}), true)",
    **REPEATS,
}
"""Columns that expressions work on, each of which may use those before it.

DuckDB copies a list that a lambda looks into for each element, which is cheap for lists of texts and not for structs.
"""


def _ended_with(reasons: tuple[str, ...]) -> str:
    """The conversation's finish reason is among these, or that of one of its calls, which the metadata list."""
    # DuckDB makes a join of a long list after IN or in list_contains, and loses the order of the log.
    listed = f"[{', '.join(map(literal, reasons))}]"
    calls = "json_extract_string(metadata, '$.calls[*].finish_reason')"
    return (
        f"CASE WHEN list_position({listed}, finish_reason) > 0 THEN true WHEN contains(metadata, '\"finish_reason\"') "
        f"THEN list_has_any({calls}, {listed}) END"
    )


_ERROR = Says(
    phrases.ERROR,
    f"{matches('m.content', f'(?i){phrases.ERROR_START}')} OR {matches('m.content', f'(?i){phrases.ERROR_FIELD}')}",
)
_MARKED = "list_contains(failed_calls, m.tool_call_id)"
_IGNORED = (
    f"{_NEXT}.role = 'assistant' AND coalesce(len({_NEXT}.tool_calls), 0) = 0",
    f"strlen({_NEXT}.content) > 0 AND NOT {matches(f'{_NEXT}.content', phrases.SAYS_TROUBLE)}",
)
_REFUSES = f"m.refusal <> '' OR {matches('m.content', phrases.REFUSAL)}"

TEXT_SIGNALS = (
    Signal(
        "tool_error",
        "reliability",
        "tool",
        "A tool's result says that the call failed: it begins with an error, or has a field for an error that is not "
        "empty, a failed status, `success: false`, `is_error: true` or an HTTP status from 400. Or the "
        "log marks it as an error (`failed_tool_calls` of the metadata).",
        columns=("messages", "metadata", "failed_calls"),
        pattern=phrases.ERROR,
        each=(of_roles(TOOL), _ERROR),
        also=(of_roles(TOOL), _MARKED),
    ),
    Signal(
        "tool_error_ignored",
        "quality",
        "model",
        "A tool's result says that the call failed (as in `tool_error`), and the assistant answers next, without "
        "another call and without a word about trouble.",
        columns=("messages", "roles", "metadata", "failed_calls"),
        pattern=phrases.ERROR,
        each=(of_roles(TOOL), _ERROR, *_IGNORED),
        # DuckDB would look for the next answer of every result, unless it stands in a CASE.
        also=(of_roles(TOOL), f"CASE WHEN {_MARKED} THEN ({_IGNORED[0]}) AND {_IGNORED[1]} END"),
    ),
    Signal(
        "missing_result",
        "reliability",
        "tool",
        "The assistant makes calls, and fewer results of tools than calls follow.",
        columns=("messages", "roles"),
        each=(
            of_roles("assistant"),
            CALLED,
            f"{_NO_RESULT_AT.format('1')} OR {_NO_RESULT_AT.format('len(m.tool_calls)')}",
        ),
    ),
    Signal(
        "unknown_tool",
        "reliability",
        "tool",
        "A call names a tool that was not among those offered; nothing where the log does not say which were.",
        columns=("messages", "tools", "tool_names"),
        each=(
            of_roles("assistant"),
            CALLED,
            "tools IS NOT NULL",
            "list_contains(list_transform(m.tool_calls, lambda c: list_contains(tool_names, c.name)), false)",
        ),
    ),
    Signal(
        "empty_answer",
        "quality",
        "model",
        "A message of the assistant has neither text nor calls, parts or a refusal, in a log that holds the text of "
        "the user.",
        columns=("messages", "user_spoke"),
        each=(
            of_roles("assistant"),
            _NO_CALLS,
            _BLANK,
            "user_spoke",
            "m.content_parts IS NULL AND coalesce(m.refusal, '') = ''",
        ),
    ),
    Signal(
        "refusal",
        "quality",
        "guardrail",
        "The assistant declines: the message carries a refusal, or its text uses the words of one.",
        pattern=phrases.REFUSAL,
        each=(of_roles("assistant"), _REFUSES),
    ),
    Signal(
        "truncated",
        "quality",
        "model",
        "The finish reason of the conversation or of one of its calls says that the answer was cut at the limit of "
        "length.",
        _ended_with(_LENGTH),
        columns=("finish_reason", "metadata"),
        at="conversation",
    ),
    Signal(
        "content_filter",
        "safety",
        "guardrail",
        "The finish reason of the conversation or of one of its calls says that a filter stopped the answer.",
        _ended_with(_FILTER),
        columns=("finish_reason", "metadata"),
        at="conversation",
    ),
    Signal(
        "user_repeats",
        "quality",
        "model",
        "The user says the same again: of a message and the user's message before it, at least two different telling "
        "words of the shorter one, and 60 % of all its telling words, stand in the longer one, alone or as a part of a "
        "word (both below 500 bytes, with 70 % of their different bytes in common, and neither 2.5 times as long as "
        "the other); or the user says, from the third message of the conversation on, that it was said before.",
        columns=("messages", *REPEATS),
        pattern=words.SAYS_AGAIN,
        each=(of_roles("user"), "list_contains(repeated_places, i)"),
        also=(of_roles("user"), "i > 2", Says(words.SAYS_AGAIN)),
    ),
    Signal(
        "asks_for_person",
        "quality",
        "model",
        "The user asks for a person, or whether there is one, in English or German.",
        pattern=words.PERSON,
        each=(of_roles("user"), Says(words.PERSON)),
    ),
    Signal(
        "frustration",
        "quality",
        "model",
        "The user loses patience: swears, complains about the bot, or shouts in punctuation, in English or German.",
        pattern=words.FRUSTRATION,
        each=(of_roles("user"), Says(words.FRUSTRATION)),
    ),
    Signal(
        "negative_feedback",
        "quality",
        "model",
        "A score of the feedback is false, zero or less, or a word such as `negative`, `thumbs_down` or `bad`.",
        f"CASE WHEN {matches('feedback', _NEGATIVE)} THEN {matches(_WITHOUT_SENTENCES, _NEGATIVE)} END",
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
        pattern=r"[^.!?？\n]*[?？][^?？.!]{0,40}$",
        each=(
            of_roles("assistant"),
            "i = len(messages)",
            matches("m.content", "[?？][^?？.!]{0,40}$"),
            f"NOT {matches('right(m.content, 160)', words.CLOSING)}",
        ),
    ),
    Signal(
        "prompt_injection",
        "security",
        "prompt",
        "Text of the user or of a tool tries to give the model orders: to forget its instructions, to reveal"
        " them, to "
        "play another role, or control tokens of a chat template.",
        pattern=words.INJECTION,
        each=(of_roles("user"), Says(words.INJECTION)),
        also=(of_roles(TOOL), Says(words.INJECTION)),
    ),
)
