from hypothesis import given
from hypothesis import strategies as st

from pytest_llmreplay.store.key_places import KeyPlaces

KEYS = st.text(max_size=3)
PLACES = st.integers(0, 2**64 - 1)


@given(st.lists(st.tuples(KEYS, PLACES)), st.lists(st.tuples(KEYS, PLACES)), st.lists(KEYS))
def test_places_are_kept_as_a_dictionary_would(found, added, asked):
    places, expected = KeyPlaces(found), dict(found)
    for key, place in added:
        places[key] = expected[key] = place
    assert len(places) == len(expected)
    assert sorted(places) == sorted(expected.values())
    assert all(places.get(key) == expected.get(key) for key in [*expected, *asked])


def test_a_lone_surrogate_is_a_key_like_any_other():
    assert KeyPlaces([("\ud800", 5)]).get("\ud800") == 5
