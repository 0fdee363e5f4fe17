"""The page as people use it, in headless Chromium."""

import json
import urllib.parse

import pytest

from pytest_llmreplay.report.html import HtmlReport, html_text
from tests.compare.build import rows
from tests.report.browser import errors, serious_violations
from tests.report.made import CONTROL, EVIL, compared, decided, hostile_rows

CASES = 5000


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """Five thousand cases on two variants: every 50th is broken, every 70th fixed."""
    cases = {}
    for i in range(CASES):
        before, after = ("P", "F") if i % 50 == 0 else ("F", "P") if i % 70 == 0 else ("P", "P")
        calls = [["lookup_order", json.dumps({"order_id": str(i), "expand": True})], ["audit", "{}"]]
        columns = {
            "kind": "control",
            "case_status": "fixed",
            "severity": ("critical", "high", "medium", "low")[i % 4],
            "intent": ("hours", "refund")[i % 2],
            "failure_stage": "tool",
            "failure_category": "quality",
            "tags": ["vip"] if i % 3 else [],
            "answer": f"Your order {i} is on its way.",
            "calls": calls,
            "cost_usd": 0.001,
            "latency_s": 1.0,
        }
        cases[f"order-{i:04}"] = (before, after, columns)
    made = rows(cases)
    for row in made:
        if row["status"] == "failed":
            row["reasons"] = [{"check": "calls", "code": "wrong_name", "message": "search instead of lookup_order"}]
            row["calls"] = [["search", '{"q": "order"}'], ["audit", "{}"]]
    context = {"user": "where is it?", "messages": [{"role": "user", "content": "where is it?"}]}
    comparison = compared(made, dimensions=("severity", "category", "stage", "intent", "tag"))
    path = tmp_path_factory.mktemp("big") / "report.html"
    contexts = {"order-0050": {**context, "expect": {"calls": {}}}}
    path.write_text(html_text(HtmlReport(comparison, made, decided(comparison), contexts)), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def page(browser, big):
    browser.get("about:blank")
    browser.get(big)
    return browser


def text(page, selector):
    return page.execute_script("return document.querySelector(arguments[0]).textContent", selector)


def count(page, selector):
    return page.execute_script("return document.querySelectorAll(arguments[0]).length", selector)


def press(page, keys):
    from selenium.webdriver import ActionChains

    ActionChains(page).send_keys(keys).perform()


def choose(page, name, value):
    from selenium.webdriver.support.ui import Select

    Select(page.find_element("id", f"filter-{name}")).select_by_value(value)


def wait(page, condition):
    """Wait until the page has followed, such as a link in its own address."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(page, 5).until(lambda _: condition())


def shows(page, case_id):
    wait(page, lambda: count(page, "#case-title") and text(page, "#case-title") == case_id)


def search(page, words):
    before = text(page, "#count")
    page.find_element("id", "search").send_keys(words)
    wait(page, lambda: text(page, "#count") != before)


def test_it_is_there_at_once_and_filters_at_once(page):
    ready, done = page.execute_script(
        "const t = performance.getEntriesByType('navigation')[0]; return [t.domInteractive, t.loadEventEnd]"
    )
    assert done < 5000
    assert ready <= done
    took = page.execute_script(
        "const s = document.getElementById('filter-severity'), began = performance.now(); s.value = 'critical';"
        "s.dispatchEvent(new Event('change')); document.body.offsetHeight; return performance.now() - began"
    )
    assert took < 1000
    assert text(page, "#count") == "1250 of 5000 cases"
    assert errors(page) == []


def test_what_broke_stands_first_and_filters_work_together(page):
    assert text(page, "#count") == "5000 cases"
    assert text(page, "#table tbody tr .badge") == "regressed"
    choose(page, "label", "regressed")
    assert text(page, "#count") == "100 of 5000 cases"
    choose(page, "severity", "critical")
    assert text(page, "#count") == "50 of 5000 cases"
    choose(page, "code", "wrong_name")
    choose(page, "tool", "search")
    assert text(page, "#count") == "50 of 5000 cases"
    search(page, "order-0100")
    assert text(page, "#count") == "1 of 5000 cases"
    page.find_element("id", "reset").click()
    assert text(page, "#count") == "5000 cases"
    fixed = page.find_element("css selector", ".count.fixed")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", fixed)
    fixed.click()
    assert text(page, "#count") == f"{sum(i % 70 == 0 and i % 50 != 0 for i in range(CASES))} of 5000 cases"


def test_columns_sort_both_ways_and_say_so(page):
    heads = page.find_elements("css selector", "#table thead button")
    heads[0].click()
    assert text(page, "#table tbody a") == "order-0000"
    page.find_elements("css selector", "#table thead button")[0].click()
    assert text(page, "#table tbody a") == "order-4999"
    assert page.find_elements("css selector", "#table thead th")[0].get_attribute("aria-sort") == "descending"


def test_more_rows_come_when_they_are_asked_for(page):
    assert count(page, "#table tbody tr") == 200
    page.find_element("id", "more").click()
    assert count(page, "#table tbody tr") == 400


def test_a_case_opens_side_by_side_with_what_differs_marked(page):
    search(page, "order-0050")
    page.find_element("css selector", "#table tbody a").click()
    shows(page, "order-0050")
    assert page.current_url.endswith("#case=order-0050")
    marks = page.find_elements("css selector", "#case .calls mark")
    assert {mark.text for mark in marks} == {"lookup_order", "search"}
    rows_shown = page.find_elements("css selector", "#case .calls tbody tr")
    assert [cell.text for cell in rows_shown[1].find_elements("css selector", ".name")] == ["audit", "audit"]
    assert text(page, "#case .reasons li").startswith("calls · wrong_name: search instead of lookup_order")
    assert "where is it?" in text(page, "#case .chat")
    left, right = page.find_elements("css selector", "#case .side")
    assert abs(left.location["y"] - right.location["y"]) < 2
    page.find_element("id", "close").click()
    wait(page, lambda: "#case=" not in page.current_url)


def test_arguments_that_differ_are_marked_one_by_one(browser, tmp_path):
    made = rows({"a": ("P", "F", CONTROL)})
    made[0]["calls"] = [["order", '{"id": "1", "expand": true}']]
    made[1]["calls"] = [["order", '{"id": "1", "expand": false}'], ["extra", "not json"]]
    path = tmp_path / "report.html"
    path.write_text(html_text(HtmlReport(compared(made), made)), encoding="utf-8")
    browser.get(f"{path.as_uri()}#case=a")
    shows(browser, "a")
    assert [m.text for m in browser.find_elements("css selector", "#case mark")] == ["expand: true", "expand: false"]
    assert text(browser, "#case .calls .none") == "no call"


def test_everything_can_be_done_with_the_keyboard(page):
    from selenium.webdriver.common.keys import Keys

    press(page, "/")
    assert page.switch_to.active_element.get_attribute("id") == "search"
    press(page, Keys.ESCAPE)
    press(page, "j")
    first = page.switch_to.active_element.text
    press(page, "j")
    second = page.switch_to.active_element.text
    assert (first, second) == ("order-0000", "order-0050")
    press(page, "k")
    press(page, Keys.ENTER)
    shows(page, "order-0000")
    press(page, "j")
    shows(page, "order-0050")
    press(page, Keys.ARROW_LEFT)
    shows(page, "order-0000")
    press(page, Keys.ESCAPE)
    wait(page, lambda: not page.find_element("id", "case").is_displayed())
    assert page.switch_to.active_element.text == "order-0000"


def test_a_link_leads_to_a_case_and_an_unknown_one_to_the_page(browser, big):
    browser.get("about:blank")
    browser.get(f"{big}#case=order-4999")
    shows(browser, "order-4999")
    for wrong in ("#case=nope", "#case=%E0%A4%A"):
        browser.get("about:blank")
        browser.get(big + wrong)
        assert not browser.find_element("id", "case").is_displayed()
    assert errors(browser) == []


def test_hostile_content_does_nothing(browser, tmp_path):
    made = hostile_rows()
    name = f"evil {EVIL}"
    contexts = {
        name: {"user": EVIL, "summary": EVIL, "messages": [{"role": EVIL, "content": EVIL}], "expect": {EVIL: 1}}
    }
    comparison = compared(made)
    report = HtmlReport(comparison, made, decided(comparison), contexts, {name: EVIL}, {EVIL: EVIL})
    path = tmp_path / "report.html"
    path.write_text(html_text(report), encoding="utf-8")
    browser.get(path.as_uri())
    title = browser.title
    browser.execute_script("document.querySelector('#table tbody a').click()")
    wait(browser, lambda: count(browser, "#case-title") and text(browser, "#case-title").startswith("evil "))
    for select in browser.find_elements("css selector", "#case select"):
        select.send_keys("t")
    browser.find_element("css selector", "#case details summary").click()
    assert browser.title == title
    assert "owned" not in title
    assert count(browser, "img, iframe, object, a[href^='javascript']") == 0
    assert count(browser, "script:not([type])") == 1
    assert count(browser, "style") == 1
    assert "</script><script>document.title='owned'</script>" in text(browser, "#case .text")
    assert [message for message in errors(browser) if "Content Security Policy" in message] == []
    links = {link.get_attribute("href").split("#")[0] for link in browser.find_elements("css selector", "a")}
    assert links == {path.as_uri()}
    back = urllib.parse.unquote(browser.current_url.split("#case=")[1])
    assert back.startswith("evil </script>")


def test_both_colour_schemes_and_the_button_between_them(page):
    def background():
        return page.execute_script("return getComputedStyle(document.body).backgroundColor")

    seen = {}
    for scheme in ("light", "dark"):
        page.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        seen[scheme] = background()
    assert seen["light"] != seen["dark"]
    page.find_element("id", "theme").click()
    assert background() == seen["light"]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_it_can_be_read_on_a_phone(page):
    phone = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        assert page.execute_script("return document.documentElement.scrollWidth") <= 390
        page.execute_script("location.hash = '#case=order-0050'")
        shows(page, "order-0050")
        left, right = page.find_elements("css selector", "#case .side")
        assert right.location["y"] > left.location["y"] + 50
        assert page.execute_script("return document.getElementById('case').scrollWidth") <= 390
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", ["", "#case=order-0050"])
def test_axe_finds_nothing_serious(browser, big, place, scheme):
    def open_page():
        browser.get("about:blank")
        browser.get(big + place)

    assert serious_violations(browser, scheme, open_page) == []
