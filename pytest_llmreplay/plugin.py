"""The pytest plugin: hooks that delegate at once; nothing heavy is imported until a golden file is met."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_llmreplay.model.trial import Trial

_SUFFIX = ".parquet"
_FIXTURE = "llmreplay_trial"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    from pytest_llmreplay.session.options import add_options

    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers",
        "llmreplay(severity, status, variant): set on every golden item, to select with -m.",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a Parquet file that says it holds golden cases."""
    if file_path.suffix != _SUFFIX:
        return None
    from pytest_llmreplay.session.hooks import collect_golden

    return collect_golden(file_path, parent)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize a test that uses the fixture `llmreplay_trial`."""
    if _FIXTURE in metafunc.fixturenames:
        from pytest_llmreplay.session.hooks import parametrize

        parametrize(metafunc, _FIXTURE)


@pytest.fixture
def llmreplay_trial(request: pytest.FixtureRequest) -> Trial:
    """A finished trial of a golden case: `.case .variant .trajectory .tool_calls .answer .outcome`."""
    from pytest_llmreplay.session.hooks import fixture_trial

    return fixture_trial(request)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker where the controller's engine is."""
    from pytest_llmreplay.session.hooks import tell_worker

    tell_worker(node)
