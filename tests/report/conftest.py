"""One browser for the tests of a page."""

import pytest

from tests.report.browser import start


@pytest.fixture(scope="module")
def browser():
    driver = start()
    yield driver
    driver.quit()
