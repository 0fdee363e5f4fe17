"""Credentials are hidden, whatever other threads do to the environment meanwhile."""

from collections.abc import Mapping
from types import SimpleNamespace

from pytest_llmreplay.providers import credentials


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
    environ = Changing({"SHOP_API_KEY": "planted-secret-value-1"})
    monkeypatch.setattr(credentials, "os", SimpleNamespace(environ=environ))
    assert "planted" not in credentials.hidden("it says planted-secret-value-1")


def test_the_folder_that_a_shell_stands_in_is_no_secret(monkeypatch):
    monkeypatch.setenv("PWD", "/home/somebody/shop")
    monkeypatch.setenv("DB_PWD", "planted-secret-value-2")
    said = credentials.hidden("/home/somebody/shop/configs/v1.yaml: planted-secret-value-2")
    assert said == "/home/somebody/shop/configs/v1.yaml: ***"
