"""Many logs at once: the search over a commit, and what a build printed that its green ones did not."""

import pytest
from build_testkit.farm import Farm, farm, run_farm
from build_testkit.stack import Stack
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CONFIGS, COMMITS = 12, 3
ERROR = "no member named 'getSubRegister'"


@pytest.fixture
def stack(embedded: Stack) -> Stack:
    """What a search finds does not depend on how many processes answer."""
    return embedded


@pytest.fixture(scope="module")
def built(embedded: Stack) -> Farm:
    """A commit that breaks all of a target."""
    built = farm("quarry", CONFIGS, COMMITS)
    run_farm(embedded, built, is_busy=False)
    return built


def test_all_logs_of_a_commit_are_searched_from_its_page(page: Page, built: Farm) -> None:
    """A pattern finds the line in every log that has it; each hit leads to its line; all of it is in the address."""
    broken = built.commits[built.breaks_target]
    page.goto(f"/c/{broken}?project=quarry")
    page.get_by_role("link", name="Search its logs").click()
    page.get_by_label("Words or a pattern").fill(r"^lib/.*:\d+:18: error: no mem")
    page.get_by_text("Regular expression (RE2)").click()
    page.get_by_role("button", name="Search", exact=True).click()

    state = page.get_by_test_id("search-state")
    expect(state).to_have_attribute("data-end", "done")
    expect(state).to_contain_text(f"in {len(built.of_target())} of {CONFIGS} logs")
    expect(page.get_by_test_id("build-hits")).to_have_count(len(built.of_target()))
    expect(page.get_by_test_id("hits").first).to_contain_text(ERROR)

    page.reload()
    expect(page.get_by_test_id("build-hits")).to_have_count(len(built.of_target()))
    page.get_by_test_id("hits").first.locator("a").first.click()
    page.wait_for_url("**/builds/*#L5")
    expect(page.locator("[data-line='5']")).to_contain_text(ERROR)


def test_a_search_without_a_place_and_a_pattern_that_is_none_are_explained(page: Page, built: Farm) -> None:
    """Nothing is searched for without a commit, branch or configuration; a refusal is the server's own sentence."""
    page.goto("/search?q=error")
    expect(page.get_by_text("What are you looking for, and where?")).to_be_visible()
    page.goto(f"/search?q=(&regex=true&commit={built.commits[0]}")
    expect(page.get_by_role("alert")).to_contain_text("regular expression")
    page.goto(f"/search?q=no+such+words&commit={built.commits[0]}")
    expect(page.get_by_test_id("search-state")).to_contain_text(f"0 hits in 0 of {CONFIGS} logs")


def test_the_comparison_begins_with_what_no_green_build_printed(page: Page, built: Farm, stack: Stack) -> None:
    """The lines since the last green build of the configuration, each leading to its place in the log."""
    config = built.of_target()[0]
    found = stack.get(f"/api/builds?project=quarry&config={config}&commit={built.commits[-1]}")["items"]
    page.goto(f"/builds/{found[0]['id']}?tab=compare")

    lines = page.get_by_test_id("new-lines")
    expect(lines).to_contain_text(ERROR)
    expect(lines).not_to_contain_text("[1/3] Building")
    lines.get_by_role("link", name="line 5", exact=False).click()
    expect(page.locator("[data-line='5']")).to_contain_text(ERROR)
