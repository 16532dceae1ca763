"""A real Chromium on the real system."""

from collections.abc import Iterator

import pytest
from build_testkit.browser import chromium, log_in
from build_testkit.stack import Stack
from playwright.sync_api import Browser, Page

TIMEOUT_MS = 15_000


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's Chromium, headless."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, stack: Stack) -> Iterator[Page]:
    """A fresh browser session, logged in as the administrator. An error on its console fails the test."""
    context = browser.new_context(base_url=stack.url, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    log_in(page, stack)
    yield page
    context.close()
    assert [] == errors
