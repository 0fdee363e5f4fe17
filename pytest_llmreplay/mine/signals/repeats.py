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
)
_USER_TEXT = "m.role = 'user' AND strlen(m.content) > 0"


def _telling(text: str) -> str:
    """The words of three letters or more that say something."""
    spaced = f"replace(replace(replace(replace({text}, '?', ' '), '.', ' '), ',', ' '), '!', ' ')"
    stopped = f"list_contains([{', '.join(map(literal, STOP_WORDS.split()))}], w)"
    return f"list_filter(string_split({spaced}, ' '), lambda w: CASE WHEN strlen(w) > 2 THEN NOT {stopped} END)"


def _once(words: str) -> str:
    """The different ones of a few words; list_distinct, which hashes, is three times as dear."""
    return f"list_filter({words}, lambda w, n: list_position({words}, w) = n)"


_OF_A_LENGTH = "greatest(strlen(z[1]), strlen(z[2])) < least(500, 2.5 * least(strlen(z[1]), strlen(z[2])))"
_SHARED = "len(list_filter(p.said, lambda w: list_contains(p.before, w)))"

REPEATS: Mapping[str, str] = {
    "user_texts": (
        f"list_filter(list_transform(messages, lambda m: CASE WHEN {_USER_TEXT} THEN lower(m.content) END), "
        "lambda t: t IS NOT NULL)"
    ),
    "user_places": (
        f"list_filter(list_transform(messages, lambda m, i: CASE WHEN {_USER_TEXT} THEN i END), "
        "lambda p: p IS NOT NULL)"
    ),
    "similar_pairs": (
        "list_filter(list_zip(user_texts[2:], user_texts[:len(user_texts) - 1], user_places[2:]), "
        f"lambda z: CASE WHEN {_OF_A_LENGTH} THEN jaccard(z[1], z[2]) > 0.7 END)"
    ),
    "telling_pairs": (
        "list_transform(similar_pairs, lambda z: "
        f"{{'said': {_telling('z[1]')}, 'before': {_telling('z[2]')}, 'place': z[3]}})"
    ),
    "different_pairs": (
        "list_transform(telling_pairs, lambda p: "
        f"{{'said': {_once('p.said')}, 'before': {_once('p.before')}, 'place': p.place}})"
    ),
    "repeated_places": (
        f"list_transform(list_filter(different_pairs, lambda p: {_SHARED} >= "
        "greatest(2, 0.6 * least(len(p.said), len(p.before)))), lambda p: p.place)"
    ),
}
"""What the user said in lower case, and its places; each with what was said before it, where they are similar in length
and letters; their telling words; each of these once; and the places at which the words are the same."""
