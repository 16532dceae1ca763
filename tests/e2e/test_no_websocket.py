"""A person behind a proxy that passes no WebSocket watches a build: the page asks every few seconds instead."""

import pytest
from build_testkit.browser import log_in
from build_testkit.middlebox import Upgrades, middlebox
from build_testkit.stack import Stack
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("upgrades", ["403", "swallow"])
def test_a_build_is_watched_where_no_websocket_passes(embedded: Stack, browser: Browser, upgrades: Upgrades) -> None:
    """New builds appear, lines follow and the result comes without a reload; a socket that passes later takes over."""
    project = f"polled-{upgrades}"
    script = 'for n in $(seq 1 60); do echo "line $n"; sleep 0.25; done; exit 3'
    with middlebox([int(embedded.url.rpartition(":")[2])], upgrades) as box:
        context = browser.new_context(base_url=f"http://127.0.0.1:{box.port}")
        page = context.new_page()
        page.set_default_timeout(20_000)
        log_in(page, embedded, "polling")
        with embedded.streaming(project, "sh", "-c", script):
            page.locator("[data-testid=build-row]", has=page.get_by_text(project, exact=True)).first.click()
            expect(page.get_by_text("line 30", exact=True).first).to_be_visible(timeout=20_000)
            build = page.locator("[data-testid=build]")
            expect(build).to_have_attribute("data-status", "failed", timeout=40_000)
        expect(page.locator("[data-testid=log-total]")).to_have_attribute("data-total", "60")
        box.upgrades = "pass"
        page.evaluate("dispatchEvent(new Event('online'))")
        expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live", timeout=20_000)
        context.close()
