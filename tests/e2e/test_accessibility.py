"""Every page, in both themes, for people who do not see it, or not as others do: WCAG 2.2 AA by axe."""

from collections.abc import Iterator
from typing import Any

import pytest
from build_testkit.browser import log_in
from build_testkit.stack import Stack
from build_testkit.story import PAGES, Story, going_on, play
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(scope="module")
def story(embedded: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story, with a build that still runs."""
    story = play(embedded, tmp_path_factory.mktemp("story"))
    with going_on(story):
        yield story


@pytest.fixture(scope="module", params=["light", "dark"])
def themed(browser: Browser, story: Story, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A browser of somebody whose machine prefers this theme, logged in."""
    context = browser.new_context(
        base_url=story.stack.url, color_scheme=request.param, viewport={"width": 1440, "height": 900}
    )
    context.set_default_timeout(15_000)
    page = context.new_page()
    log_in(page, story.stack)
    yield page
    context.close()


@pytest.fixture(scope="session")
def axe(request: pytest.FixtureRequest) -> str:
    """axe's source, from the page's own lock file."""
    return (request.config.rootpath / "node_modules" / "axe-core" / "axe.min.js").read_text()


def violations(page: Page, axe: str) -> list[str]:
    """What axe finds wrong, one line each: the rule, how bad, and where."""
    page.evaluate(axe)
    found: dict[str, Any] = page.evaluate(
        "standards => axe.run(document, {runOnly: {type: 'tag', values: standards}, resultTypes: ['violations']})",
        STANDARDS,
    )
    return [
        f"{violation['id']} ({violation['impact']}): {node['target']} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_barrier(themed: Page, story: Story, axe: str, name: str) -> None:
    """axe finds no violation of WCAG 2.0, 2.1 or 2.2, A or AA, once the page shows what it has."""
    themed.goto(story.address(name))
    expect(themed.locator("main")).not_to_be_empty()
    themed.wait_for_load_state("networkidle")

    assert [] == violations(themed, axe)


def test_the_login_has_no_barrier(browser: Browser, embedded: Stack, axe: str) -> None:
    """The first page of all, too."""
    for scheme in ("light", "dark"):
        context = browser.new_context(base_url=embedded.url, color_scheme=scheme)
        page = context.new_page()
        page.goto("/")
        page.get_by_label("User name").wait_for()
        assert [] == violations(page, axe)
        context.close()
