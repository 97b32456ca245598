"""The pages in a real browser: what they show and send, and that anybody can read them."""

import contextlib
import json
from typing import NamedTuple

import pytest
from selenium.webdriver.common.by import By

from tally.local.http.server import listening, serving
from tally.local.http.site import Site
from tally.local.lambda_.event_source import Batching
from tally.local.stack import Stack, StackSettings
from tally.local.watch import Watch
from tests.browser.browser import MISSING, be, chromium, eventually
from tests.support.handlers import echo
from tests.support.in_process import InProcess

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

SETTINGS = StackSettings(
    batching=Batching(batch_size=10, window_s=0, poll_s=1),
    visibility_timeout_s=1,
    max_receive_count=2,
)
HOSTILE = '<img src="x" onerror="document.title = \'owned\'">'
LEAST_CONTRAST = 4.5
"""Of text that is not large (WCAG 2.2, 1.4.3)."""


class Served(NamedTuple):
    """A stack, and where it is served."""

    stack: Stack
    url: str


@contextlib.contextmanager
def serve():
    """A stack and its page, on which nothing has been counted yet."""
    watch = Watch()
    running = Stack(SETTINGS, observe=watch.observe, wrap_function=watch.wrap)
    with running, serving(running, SETTINGS, watch) as url:
        yield Served(running, url)


@pytest.fixture(scope="module")
def served():
    """One that the tests share: each counts under names of its own."""
    with serve() as shared:
        yield shared


@pytest.fixture(scope="module")
def browser():
    with chromium() as driver:
        yield driver


@pytest.fixture
def page(browser, served):
    be(browser)
    browser.get(served.url)
    shows(browser, "pulse", "live")
    yield browser
    assert browser.get_log("browser") == []  # no error, and nothing that the policy refused


def text(driver, name):
    return driver.find_element(By.ID, name).text


def shows(driver, name, expected):
    """Wait until an element has a text."""
    try:
        eventually(driver, lambda page: text(page, name) == expected)
    finally:
        assert text(driver, name) == expected


def fill(driver, **fields):
    for name, value in fields.items():
        entry = driver.find_element(By.ID, name)
        entry.clear()
        entry.send_keys(value)
    driver.find_element(By.ID, "count").click()


def rows(driver):
    """The counts by counter, in one look: the page makes its rows anew every second."""
    script = "return [...$counters.rows].map((row) => [...row.cells].map((cell) => cell.innerText))"
    return dict(
        driver.execute_script(f"const $counters = document.getElementById('counters'); {script}")
    )


def test_it_says_that_nothing_has_been_counted(browser):
    be(browser)
    with serve() as unused:
        browser.get(unused.url)
        shows(browser, "pulse", "live")
        assert browser.title == "Tally"
        assert text(browser, "no-counters") == "Nothing has been counted yet."
        assert text(browser, "no-returned").startswith("None.")
        assert [text(browser, name) for name in ("rate", "applied", "dead")] == ["0", "0", "0"]
        browser.get("about:blank")  # or the page would ask a server that has gone
    browser.get_log("browser")


def test_an_increment_is_sent_and_its_outcome_shown(page):
    fill(page, counter="page:home", amount="1200")
    eventually(page, lambda page: text(page, "answer").startswith("applied\n"))
    eventually(page, lambda page: rows(page).get("page:home") == "1,200")
    assert int(text(page, "applied")) >= 1
    assert not page.find_element(By.ID, "no-counters").is_displayed()


def test_a_bound_rejects_and_an_amount_is_exact_to_the_last_digit(page):
    fill(page, counter="vault", amount="9223372036854775807")
    eventually(page, lambda page: text(page, "answer").startswith("applied\n"))
    eventually(page, lambda page: rows(page).get("vault") == "9,223,372,036,854,775,807")
    fill(page, counter="vault", amount="1", max="5")
    eventually(page, lambda page: text(page, "answer").startswith("rejected\n"))
    shows(page, "rejected", "1")


def test_a_problem_is_told_in_its_own_words(page):
    fill(page, counter="vault", amount="9999999999999999999")
    title = "The request breaks the contract"
    detail = "amount must be less than or equal to 9223372036854775807"
    shows(page, "answer", f"{title}\n{detail}")
    page.get_log("browser")  # Chromium notes each answer of 4xx


def test_a_name_is_never_read_as_html(page):
    fill(page, counter=HOSTILE, amount="1")
    eventually(page, lambda page: text(page, "answer").startswith("applied\n"))
    eventually(page, lambda page: rows(page).get(HOSTILE) == "1")
    assert page.title == "Tally"


def test_a_dead_letter_is_shown_with_its_reason(page, served):
    body = json.dumps({"counter": "cart", "amount": HOSTILE})
    queue = served.stack.queue
    queue.client().send_message(QueueUrl=queue.queue_url, MessageBody=body)
    eventually(page, lambda page: text(page, "returned").endswith("dead letter"))
    shows(page, "dead", "1")
    counter, reason, tries = text(page, "returned").split("\n")
    assert (counter, tries) == ("cart", "dead letter")
    assert reason.startswith("amount: must be an integer, found ")


def broken_words(driver):
    """The words that begin in one line and end in another, each with the text that it is in.

    A word is of letters and digits: a path may break at a slash. A count is one, commas and all.
    """
    return driver.execute_script(r"""
        const broken = [];
        const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
          const node = texts.currentNode;
          for (const word of node.data.matchAll(/\p{N}+(,\p{N}+)+|[\p{L}\p{N}]+/gu)) {
            const range = document.createRange();
            range.setStart(node, word.index);
            range.setEnd(node, word.index + word[0].length);
            const lines = new Set([...range.getClientRects()].map((box) => box.top));
            if (lines.size > 1) broken.push(`${word[0]} in ${node.data}`);
          }
        }
        return broken;
    """)


@pytest.fixture(scope="module")
def full(browser):
    """Where a page has a long name, a count of all digits, and a message that came back."""
    count, name = "-9223372036854775808", "galaxies:in-the-observable-universe"
    body = json.dumps({"counter": "search:queries/by-country", "amount": "one"})
    be(browser)
    with serve() as served:
        queue = served.stack.queue
        queue.client().send_message(QueueUrl=queue.queue_url, MessageBody=body)
        browser.get(served.url)
        fill(browser, counter=name, amount=count)
        eventually(browser, lambda page: text(page, "answer").startswith("applied\n"))
        yield served
        browser.get("about:blank")


@pytest.mark.parametrize("path", ["/", "/docs"])
@pytest.mark.parametrize("width", [320, 390, 768])
def test_it_fits_a_phone(page, served, path, width):
    be(page, width=width, height=844)
    page.get(served.url + path)
    eventually(page, lambda page: text(page, "pulse") in {"live", "version 1.0.0"})
    assert page.execute_script("return document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("path", ["/", "/docs"])
@pytest.mark.parametrize("width", [320, 390, 1200])
def test_no_word_and_no_count_is_broken_between_two_lines(browser, full, path, width):
    be(browser, width=width, height=844)
    browser.get(full.url + path)
    if path == "/":
        eventually(browser, lambda page: "-9,223,372,036,854,775,808" in rows(page).values())
        eventually(browser, lambda page: "queries/by-country" in text(page, "returned"))
    else:
        shows(browser, "pulse", "version 1.0.0")
    assert broken_words(browser) == []
    assert browser.execute_script("return document.documentElement.scrollWidth") == width


def contrast(driver):
    """The least contrast of any text with the page's own background, and what that text is."""
    return driver.execute_script("""
        const channel = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        const luminance = (color) => {
          const [r, g, b] = color.match(/[0-9.]+/g).map(Number).map(channel);
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const paper = luminance(getComputedStyle(document.body).backgroundColor);
        const ratio = (element) => {
          const own = getComputedStyle(element);
          const filled = own.backgroundColor !== "rgba(0, 0, 0, 0)";
          const behind = filled ? luminance(own.backgroundColor) : paper;
          const [low, high] = [behind, luminance(own.color)].sort((a, b) => a - b);
          return (high + 0.05) / (low + 0.05);
        };
        const all = [...document.querySelectorAll("body *")];
        const texts = all.filter((element) => element.innerText);
        return Math.min(...texts.map(ratio));
    """)


@pytest.mark.parametrize("path", ["/", "/docs"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_stands_out(page, served, path, dark):
    be(page, dark=dark)
    page.get(served.url + path)
    eventually(page, lambda page: text(page, "pulse") in {"live", "version 1.0.0"})
    paper = page.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")
    assert (paper == "rgba(19, 18, 15, 1)") is dark
    assert contrast(page) >= LEAST_CONTRAST


def test_every_field_and_picture_has_a_name(page):
    named = "return [...document.querySelectorAll('input')].every((field) => field.labels.length)"
    assert page.execute_script(named)
    assert page.find_element(By.ID, "spark").accessible_name == "Throughput of the last 90 seconds"
    assert page.find_element(By.CLASS_NAME, "brand").accessible_name == "Tally"
    assert page.find_element(By.ID, "answer").get_attribute("aria-live") == "polite"


def test_the_api_is_described(page, served):
    page.get(f"{served.url}/docs")
    shows(page, "pulse", "version 1.0.0")
    titles = [title.text for title in page.find_elements(By.TAG_NAME, "h2")]
    assert sorted(titles) == [
        "GET /counters",
        "GET /counters/{counter}",
        "GET /counters/{counter}/increments/{event}",
        "POST /counters/{counter}/increments",
        "POST /counters/{counter}/reset",
    ]
    [example] = [
        one.text for one in page.find_elements(By.TAG_NAME, "pre") if "increments' " in one.text
    ]
    assert example.startswith(f"curl '{served.url}/counters/page:home/increments'")


def test_it_says_when_the_stack_has_ended(browser):
    be(browser)
    status = {"rate": 0, "per_second": [], "totals": {}, "queue": None, "counters": None}
    site = Site(InProcess(echo), status=lambda: status | {"returned": []})
    with listening(site) as url:
        browser.get(url)
        shows(browser, "pulse", "live")
    shows(browser, "pulse", "not running")
    browser.get("about:blank")
    browser.get_log("browser")  # the refused connections
