"""YAML as people write it: what is text to them stays text."""

import datetime as dt

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmreplay.model.yaml_loader import YamlDumper, load_yaml


@pytest.mark.parametrize(
    "text", ["NO", "no", "yes", "on", "Off", "y", "9:30", "1:20:30", "0417", "007", "1_000", "12e4", "0b11"]
)
def test_words_times_and_codes_are_text(text):
    assert load_yaml(f"{text}: [{text}]") == {text: [text]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("False", False), ("0", 0), ("-12", -12), ("+3", 3), ("0x1F", 31), ("1.5", 1.5), (".5", 0.5),
        ("-1.", -1.0), ("1.0e-3", 0.001), (".inf", float("inf")), ("~", None), ("", None), ("null", None),
        ("2026-03-01", dt.date(2026, 3, 1)),
    ],
)  # fmt: skip
def test_numbers_booleans_and_dates_are_what_they_were(text, value):
    found = load_yaml(f"a: {text}")["a"]
    assert (found, type(found)) == (value, type(value))


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


like_numbers = st.text("0123456789.eE+-_:xob", max_size=8) | st.sampled_from(["1.5e3", "4.2E7", "-.5", "1.e5", "NO"])


@given(st.recursive(plain | like_numbers, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_what_is_dumped_comes_back(value):
    dumped = yaml.dump(value, Dumper=YamlDumper)
    assert load_yaml(dumped) == value
    assert yaml.safe_load(dumped) == value
