"""Credentials are hidden, whatever other threads do to the environment meanwhile."""

import os
from collections.abc import Mapping

from pytest_llmreplay.providers.credentials import hidden


class Changing(Mapping):
    """An environment from which a variable goes away once its name was read, as pytest's own does."""

    def __init__(self, variables):
        self._variables = variables

    def __getitem__(self, name):
        return self._variables[name]

    def __iter__(self):
        return iter(["GONE_API_KEY", "PYTEST_CURRENT_TEST", *self._variables])

    def __len__(self):
        return len(self._variables)


def test_a_variable_that_goes_away_while_secrets_are_looked_up_is_no_error(monkeypatch):
    monkeypatch.setattr(os, "environ", Changing({"SHOP_API_KEY": "planted-secret-value-1"}))
    assert "planted" not in hidden("it says planted-secret-value-1")
