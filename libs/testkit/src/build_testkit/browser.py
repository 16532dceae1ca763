"""A real Chromium for scenarios, benchmarks and screenshots, and how a person logs in with it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

from build_testkit.stack import Stack

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Without these a headless browser looks for its maker's hosts at every start.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's Chromium, headless; raises FileNotFoundError where there is none."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise FileNotFoundError(f"no browser: install one of {', '.join(BROWSERS)} (deploy/machine/setup.sh browser)")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def log_in(page: Page, stack: Stack, state: str = "live") -> None:
    """Log in as the administrator; returns when the page's connection is in this state."""
    page.goto("/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password", exact=True).fill(stack.password)
    page.get_by_role("button", name="Sign in").click()
    page.locator(f"[data-testid=connection][data-state={state}]").wait_for()
