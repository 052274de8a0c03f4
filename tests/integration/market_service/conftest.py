"""A browser and a market to look at."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from .seeded import served, shared_context

# A page lives for a second or two here: optimising its scripts takes longer than running them.
ARGUMENTS = ("--no-sandbox", "--js-flags=--no-turbofan")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def market_url() -> Iterator[str]:
    with served(shared_context()) as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: install Debian's package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def page(visitor: BrowserContext) -> Iterator[Page]:
    """A tab of its own; what scripts and wallets leave in it goes with it."""
    page = visitor.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    yield page
    if page.url.startswith("http"):
        forget(page)
    page.close()
    # Browsers report 404, of what is not there yet, 409, of what cannot be done as things stand, and 422, of what is
    # off its rules.
    assert [p for p in problems if not re.search("404|409|422", p)] == []


def forget(page: Page) -> None:
    """Empties what the page keeps, also where it is just being loaded again."""
    for attempt in range(3):
        try:
            page.wait_for_load_state()
            page.evaluate("localStorage.clear()")
            return
        except Error:  # it went on to another page in between
            if attempt == 2:
                raise
