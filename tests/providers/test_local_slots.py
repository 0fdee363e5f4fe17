from pytest_llmreplay.providers.local_slots import PrefixSlots


def test_a_beginning_is_found_again_in_its_slot():
    slots = PrefixSlots([1, 2])
    assert slots.place("a") == (1, False)
    assert slots.place("b") == (2, False)
    assert slots.place("a") == (1, True)


def test_short_ones_give_way_to_each_other_and_the_long_one_stays_while_it_is_used():
    slots = PrefixSlots([1, 2])
    slots.place("x" * 8000)
    for _ in range(50):
        assert slots.place("a" * 600) == (2, False)
        assert slots.place("b" * 600) == (2, False)
        assert slots.place("x" * 8000) == (1, True)


def test_a_long_one_that_nobody_uses_any_more_gives_way_in_the_end():
    slots = PrefixSlots([1, 2])
    slots.place("x" * 8000)
    seen = {slots.place(f"{n:03}" * 200)[0] for n in range(40)}
    assert seen == {1, 2}


def test_a_beginning_that_could_not_be_read_frees_its_slot():
    slots = PrefixSlots([1])
    slots.place("a")
    slots.forget("a")
    assert slots.place("a") == (1, False)
