"""Pages that go on by themselves: one stream for all tabs, a chain at rest, the way back, the reader's time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from assay.market.api.context import Context
from assay.market.api.status import Status

from .addresses import PAGES
from .seeded import CHAIN_ID, served, shared_context

TABS = 7
HIDE = """(hidden) => {
  Object.defineProperty(document, "visibilityState", { value: hidden ? "hidden" : "visible", configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def context() -> Context:
    """The shared index behind a status and slots of its own."""
    shared = shared_context()
    status = Status("devnet", CHAIN_ID, clock=shared.status.clock)
    status.move(shared.status.tip, shared.status.head)
    return replace(shared, status=status, streams=type(shared.streams)(200, 16))


@pytest.fixture
def url(context: Context) -> Iterator[str]:
    with served(context) as url:
        yield url


@pytest.fixture
def person(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    yield context
    context.close()


def until_open(page: Page, context: Context, wanted: int) -> None:
    for _ in range(100):
        if context.streams.taken == wanted:
            return
        page.wait_for_timeout(50)
    raise TimeoutError(f"{context.streams.taken} streams are open, expected {wanted}")


def test_tabs__more_than_a_browser_has_connections__share_one_stream_that_follows_who_is_looked_at(
    context: Context, url: str, person: BrowserContext
) -> None:
    tabs = [person.new_page() for _ in range(TABS)]
    for tab in tabs:
        tab.goto(f"{url}/slashes")
    until_open(tabs[0], context, 1)
    tabs[0].goto(f"{url}/network", timeout=5_000)
    until_open(tabs[0], context, 1)
    for tab in tabs:
        tab.evaluate(HIDE, True)
    until_open(tabs[0], context, 0)
    tabs[3].evaluate(HIDE, False)
    until_open(tabs[3], context, 1)


@pytest.mark.deep
def test_chain__that_stands_still__is_said_on_every_page_and_nothing_is_rented(
    context: Context, url: str, page: Page
) -> None:
    page.goto(url + PAGES["rent"])
    expect(page.locator("#stale")).to_be_hidden()
    expect(page.locator("#at-dot")).to_have_class("dot good")
    page.evaluate("document.body.dataset.staleAfter = '4'")
    expect(page.locator("#stale")).to_contain_text("No block has become final")
    expect(page.locator("#at-dot")).to_have_class("dot warn")
    expect(page.get_by_role("button", name="Open the lease")).to_be_disabled()

    clock = context.status.clock
    context.status.clock = lambda: clock() + 3_600
    page.goto(url)
    expect(page.locator("#stale")).to_contain_text("for 1 h 3 s")
    assert page.locator(".card a.rent").first.is_visible() is False
    page.goto(url + PAGES["rent"])
    expect(page.get_by_role("button", name="Open the lease")).to_have_count(0)
    listing = PAGES["rent"].rsplit("/", 1)[1]
    answer = page.request.get(f"{url}/send/open/{listing}?seconds=60")
    assert (answer.status, "nothing can be rented now" in answer.json()["error"]) == (503, True)
    assert page.request.get(f"{url}/readyz").status == 503


def test_back__after_a_filter_and_a_device__gives_whole_pages_whose_filters_are_those_of_their_list(
    page: Page, market_url: str
) -> None:
    page.goto(market_url)
    page.get_by_label("H100 SXM").check()
    expect(page).to_have_url(re.compile("model=H100"))
    expect(page.locator(".result-head strong")).not_to_have_text("25")
    found = page.locator(".result-head strong").inner_text()
    page.locator(".card .model").first.click()
    expect(page.get_by_role("heading", name="Evidence, epoch by epoch")).to_be_visible()
    page.go_back()
    expect(page.locator("header.top")).to_be_visible()
    expect(page.get_by_label("H100 SXM")).to_be_checked()
    expect(page.locator(".result-head strong")).to_have_text(found)
    page.go_back()
    expect(page).to_have_url(market_url + "/")
    expect(page.locator("header.top")).to_be_visible()
    expect(page.get_by_label("H100 SXM")).not_to_be_checked()
    expect(page.locator(".result-head strong")).to_have_text("25")


@pytest.mark.deep
def test_times__read_far_away__are_in_the_readers_zone_and_ages_go_on(browser: Browser, market_url: str) -> None:
    person = browser.new_context(timezone_id="Asia/Tokyo")
    page = person.new_page()
    page.goto(market_url + PAGES["lease"])
    expect(page.locator("time[data-clock]").first).to_contain_text("GMT+9")
    assert page.locator("time[data-clock]").first.get_attribute("title").endswith("UTC")  # type: ignore[union-attr]
    age = page.locator(".timeline time[data-age]").first
    before = age.inner_text()
    page.clock.install()
    page.clock.fast_forward("01:00:00")
    expect(age).not_to_have_text(before)
    person.close()
