"""The triage page as people use it, in headless Chromium."""

import urllib.parse

import pytest

from pytest_llmreplay.report.triage_page import triage_html
from tests.report.browser import errors, serious_violations
from tests.report.made_triage import hostile, made


@pytest.fixture
def opened(browser, tmp_path):
    def open_(page, place=""):
        path = tmp_path / "triage.html"
        path.write_text(triage_html(page), encoding="utf-8")
        browser.get("about:blank")
        browser.get_log("browser")
        browser.get(path.as_uri() + place)
        return browser

    return open_


def open_ids(page):
    return page.execute_script(
        "return [...document.querySelectorAll('details.example')].filter(d => d.open).map(d => d.querySelector('b').textContent)"
    )


def test_it_opens_without_a_word_of_complaint(opened):
    page = opened(made())
    assert page.title == "Triage of 1,000 conversations: llmreplay"
    assert page.execute_script("return document.querySelectorAll('details.example').length") == 6
    assert open_ids(page) == []
    assert errors(page) == []


def test_a_link_leads_to_a_conversation_and_opens_it(opened):
    page = opened(made(), "#conversation=" + urllib.parse.quote("refund t-1"))
    assert open_ids(page) == ["refund t-1"]
    page.execute_script("document.querySelector('.findings a').click()")
    page.execute_async_script("setTimeout(arguments[0], 100)")
    assert set(open_ids(page)) == {"refund t-0", "refund t-1"}
    assert errors(page) == []


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("section[aria-labelledby=tools] .behind a", "refund t-0"),
        ("section[aria-labelledby=changes] tr:nth-child(2) .behind a", "refund t-3"),
        ("section[aria-labelledby=timeline] tbody .behind a", "refund t-0"),
        ("svg.timeline a", "refund t-0"),
        ("section[aria-labelledby=by-1] .behind a", "refund t-0"),
    ],
)
def test_a_row_leads_to_a_conversation_behind_it(opened, row, found):
    page = opened(made())
    page.execute_script("document.querySelector('section[aria-labelledby=timeline] details').open = true;")
    link = page.find_element("css selector", row)
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", link)
    link.click()
    page.execute_async_script("setTimeout(arguments[0], 100)")
    assert open_ids(page) == [found]
    [target] = page.find_elements("css selector", "details.example[open] .chat")
    assert target.is_displayed()
    assert errors(page) == []


def test_a_bar_of_the_timeline_is_reached_with_the_keyboard(opened):
    from selenium.webdriver.common.keys import Keys

    page = opened(made())
    link = page.find_element("css selector", "svg.timeline a")
    page.execute_script("arguments[0].focus()", link)
    assert page.switch_to.active_element.get_attribute("aria-label") == "2026-03-10: look at refund t-0"
    page.switch_to.active_element.send_keys(Keys.ENTER)
    page.execute_async_script("setTimeout(arguments[0], 100)")
    assert open_ids(page) == ["refund t-0"]


def test_colours_follow_the_button(opened):
    page = opened(made())
    before = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    page.find_element("id", "theme").click()
    assert page.execute_script("return getComputedStyle(document.body).backgroundColor") != before


def test_hostile_text_does_nothing(opened):
    page = opened(hostile())
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true;")
    page.execute_script(
        "for (const a of document.querySelectorAll('main a')) a.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}));"
    )
    page.execute_async_script("setTimeout(arguments[0], 200)")
    assert page.title == "Triage of 1,000 conversations: llmreplay"
    assert page.execute_script("return document.images.length") == 0
    assert page.execute_script("return document.scripts.length") == 1
    assert page.execute_script("return getComputedStyle(document.body).display") == "block"
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert page.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert errors(page) == []


@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_the_window(opened, browser, width):
    browser.set_window_size(width, 900)
    try:
        page = opened(made(), "#conversation=" + urllib.parse.quote("refund t-1"))
        assert page.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    finally:
        browser.set_window_size(1280, 1000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", [made(), hostile()], ids=["calm", "hostile"])
def test_axe_finds_nothing_serious(browser, opened, page, scheme):
    def open_page():
        opened(page).execute_script("for (const d of document.querySelectorAll('details')) d.open = true;")

    assert serious_violations(browser, scheme, open_page) == []
