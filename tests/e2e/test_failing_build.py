"""A build that will fail is seen to fail before it ends, and nothing goes on by itself when the page is cut off."""

import re

import pytest
from build_testkit.stack import Stack
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

FAILING = """
for n in 1 2 3; do echo "[$n/900] Building CXX object lib/part$n.o"; done
echo "FAILED: lib/part4.o"
echo "/usr/bin/c++ -Iinclude -c lib/part4.cpp -o lib/part4.o"
echo "lib/part4.cpp:7:12: error: no member named 'find' in 'loom::Scope'"
echo "    7 |   scope.find(name);"
echo "      |         ^~~~"
echo "1 error generated."
for n in $(seq 5 900); do echo "[$n/900] Building CXX object lib/part$n.o"; sleep 0.2; done
"""


@pytest.fixture
def stack(embedded: Stack) -> Stack:
    """What the page makes of a row does not depend on how many processes answer."""
    return embedded


def test_a_build_that_will_fail_is_seen_to_fail_and_stopped_by_one_click(stack: Stack, page: Page) -> None:
    """List, header, title and tab icon say so while it runs; its end is not announced as a good one."""
    with stack.streaming("doomed", "sh", "-c", FAILING):
        row = page.locator("[data-testid=build-row]", has=page.get_by_text("doomed", exact=True)).first
        expect(row).to_have_attribute("data-status", "failing", timeout=30_000)
        expect(row).to_contain_text("no member named 'find' in 'loom::Scope'")
        expect(page).to_have_title(re.compile("1 failing"))
        row.click()
        build = page.locator("[data-testid=build]")

        expect(build).to_have_attribute("data-status", "failing")
        expect(page).to_have_title(re.compile("^Failing .*doomed"))
        expect(page.locator("#favicon")).to_have_attribute("href", "/icon-failing.svg")
        expect(page.get_by_test_id("status")).to_have_text("Failing")
        expect(page.get_by_test_id("remaining").filter(has_text="left")).to_have_count(0)
        page.get_by_test_id("failing").get_by_role("button", name="Stop it now").click()
        expect(build).to_have_attribute("data-status", "cancelled", timeout=30_000)
        expect(page.get_by_test_id("failing")).to_have_count(0)


def test_a_running_time_stands_still_while_nothing_is_known(stack: Stack, page: Page) -> None:
    """Without a connection the build may have ended long ago: its clock stops where the page lost sight of it."""
    with stack.streaming("unseen", "sh", "-c", "echo begun; sleep 60"):
        page.locator("[data-testid=build-row]", has=page.get_by_text("unseen", exact=True)).first.click()
        elapsed = page.locator("dl div", has=page.get_by_text("Duration", exact=True)).locator("dd")
        expect(elapsed).to_have_text(re.compile(r"[2-9] s"))
        page.context.set_offline(True)
        page.evaluate("window.dispatchEvent(new Event('offline'))")
        page.locator("[data-testid=connection][data-state=offline]").wait_for()
        pill = page.get_by_test_id("connection")
        before = elapsed.inner_text()
        expect(pill).to_contain_text(re.compile("[3-9] s"), timeout=15_000)

        assert elapsed.inner_text() == before
        page.context.set_offline(False)
