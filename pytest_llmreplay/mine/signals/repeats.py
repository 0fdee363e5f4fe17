"""When the user says the same again: pairs of a user's messages in a row, as DuckDB expressions over lists.

Each derived column narrows the one before it, so that what is dear is asked of few pairs.
"""

from __future__ import annotations

from collections.abc import Mapping

from pytest_llmreplay.mine.signals.sql import literal

STOP_WORDS = (
    "the and for you your please can could would like want need with that this from have has was are not but just"
    " what how when where why who will does did get got let our their them they there then than some any all yes"
    " thanks thank okay hello hey its about into also been being were which help know tell give make still again"
    " good morning evening"
)
USER_TEXT = "m.role = 'user' AND strlen(m.content) > 0"
"""Whether `m` is a message of the user that has text."""
_OF_A_LENGTH = "greatest(strlen(z[1]), strlen(z[2])) < least(500, 2.5 * least(strlen(z[1]), strlen(z[2])))"
_SHORTER = "CASE WHEN strlen(z[1]) <= strlen(z[2]) THEN z[1] ELSE z[2] END"
_LONGER = "CASE WHEN strlen(z[1]) <= strlen(z[2]) THEN z[2] ELSE z[1] END"
_SHARED = "list_filter(p.telling, lambda w: contains(p.longer, w))"


def _users(value: str) -> str:
    """This of each message of the user that has text."""
    return (
        f"list_filter(list_transform(messages, lambda m, i: CASE WHEN {USER_TEXT} THEN {value} END), "
        "lambda v: v IS NOT NULL)"
    )


def _telling(text: str) -> str:
    """The words of three letters or more that say something."""
    spaced = f"replace(replace(replace(replace({text}, '?', ' '), '.', ' '), ',', ' '), '!', ' ')"
    stopped = f"list_contains([{', '.join(map(literal, STOP_WORDS.split()))}], w)"
    return f"list_filter(string_split({spaced}, ' '), lambda w: CASE WHEN strlen(w) > 2 THEN NOT {stopped} END)"


REPEATS: Mapping[str, str] = {
    "user_texts": _users("lower(m.content)"),
    "similar_pairs": (
        "list_filter(list_zip(user_texts[2:], user_texts[:len(user_texts) - 1], range(2, len(user_texts) + 1)), "
        f"lambda z: CASE WHEN {_OF_A_LENGTH} THEN jaccard(z[1], z[2]) > 0.7 END)"
    ),
    "telling_pairs": (
        "list_transform(similar_pairs, lambda z: "
        f"{{'telling': {_telling(_SHORTER)}, 'longer': {_LONGER}, 'number': z[3]}})"
    ),
    "repeated": (
        f"list_transform(list_filter(list_filter(telling_pairs, lambda p: len({_SHARED}) >= "
        f"greatest(2, 0.6 * len(p.telling))), lambda p: list_unique({_SHARED}) > 1), lambda p: p.number)"
    ),
    "repeated_places": f"CASE WHEN len(repeated) > 0 THEN list_select({_users('i')}, repeated) END",
}
"""What the user said in lower case; each text with the one before it, where they are similar in length and letters; the
telling words of the shorter one; the numbers of the texts in whose pair most of these stand in the longer one; and the
places of these among the messages.
"""
