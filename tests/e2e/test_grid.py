"""The grid of a branch with many configurations: who broke what is read off it, and what is shown is its address."""

import pytest
from build_testkit.farm import Farm, farm, run_farm
from build_testkit.stack import Stack
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CONFIGS, COMMITS = 20, 3


@pytest.fixture
def stack(embedded: Stack) -> Stack:
    """What the grid shows does not depend on how many processes answer."""
    return embedded


@pytest.fixture(scope="module")
def built(embedded: Stack) -> Farm:
    """Many configurations over a few commits, one of which breaks all of a target."""
    built = farm("farm", CONFIGS, COMMITS)
    run_farm(embedded, built, is_busy=False)
    return built


def open_grid(page: Page, search: str = "") -> None:
    page.goto(f"/p/farm/main{search}")
    page.locator("[role=gridcell][data-result]").first.wait_for()


def test_the_commit_that_broke_a_whole_target_is_one_click_away(page: Page, built: Farm) -> None:
    """The first line above the grid names the target as a whole, its error, and leads to the commit."""
    open_grid(page)
    line = page.get_by_test_id("grid-incidents").locator("li").first

    expect(line).to_contain_text(f"all {len(built.of_target())} riscv64")
    expect(line).to_contain_text("no member named 'getSubRegister'")
    line.locator("a[href^='/c/']").click()

    expect(page).to_have_url(f"{page.url.split('/c/')[0]}/c/{built.commits[built.breaks_target]}")


def test_a_folded_group_shows_its_worst_member_and_unfolds_in_the_address(page: Page, built: Farm) -> None:
    """Red first: the broken target leads; its column becomes its members', and stays so when the page is read again."""
    open_grid(page, "?by=target")
    row = page.locator(f"[data-sha='{built.commits[-1]}']")
    members = built.of_target()

    expect(row.get_by_role("gridcell").first).to_have_text(f"X {len(members)}")
    page.get_by_role("button", name=f"{len(members)}/{len(members)} riscv64").click()
    expect(row.get_by_role("gridcell", name=f"{members[0]}: failed")).to_have_text("X")
    assert "open=riscv64" in page.url

    page.reload()
    expect(row.get_by_role("gridcell", name=f"{members[-1]}: failed")).to_be_visible()


def test_a_cells_card_has_the_error_and_the_verdict_by_keyboard(page: Page, built: Farm) -> None:
    """Arrows move, Enter shows, Escape closes; the grid keeps the focus."""
    open_grid(page, "?by=none")
    grid = page.get_by_role("grid")
    grid.focus()
    for key in ("Home", "ArrowDown", "ArrowUp", "Enter"):
        grid.press(key)
    card = page.get_by_test_id("cell-card")

    expect(card).to_contain_text("error: ")
    expect(card).to_contain_text(built.commits[-1][:9])
    expect(card.get_by_role("button", name="Rebuild")).to_have_count(0)  # nobody is there who could
    grid.press("Escape")
    expect(card).to_have_count(0)
    expect(grid).to_be_focused()


def test_names_and_commits_stay_in_sight(page: Page, built: Farm) -> None:
    """However far it is scrolled, a cell's commit and configuration can be read."""
    page.set_viewport_size({"width": 768, "height": 420})
    open_grid(page, "?by=none")
    sha = page.locator(f"[data-sha='{built.commits[-1]}'] a")
    name = page.get_by_role("columnheader").last
    before = sha.bounding_box()
    page.get_by_role("grid").evaluate("grid => grid.scrollTo(10_000, 60)")

    expect(page.get_by_role("columnheader").last).to_be_in_viewport()
    after = sha.bounding_box()
    assert before is not None
    assert after is not None
    assert before["x"] == after["x"]
    expect(name).to_be_in_viewport()


def test_a_view_is_kept_under_its_name(page: Page, built: Farm) -> None:
    """What narrows and groups the grid is one name away, in another page of the browser too."""
    open_grid(page, "?by=mode&q=gcc")
    page.get_by_role("button", name="Views").click()
    page.get_by_role("menuitem", name="Save this view").click()
    page.get_by_label("Name of the view").fill("gcc by mode")
    page.get_by_role("button", name="Save", exact=True).click()

    open_grid(page)
    page.get_by_role("button", name="Views").click()
    page.get_by_role("menuitem", name="gcc by mode").click()

    expect(page.get_by_role("combobox", name="Group by")).to_have_value("By mode")
    gcc = sum("gcc" in config for config in built.configs)
    expect(page.get_by_role("status").filter(has_text="configurations")).to_have_text(
        f"{gcc} of {CONFIGS} configurations"
    )


def test_green_for_many_builds_is_hidden_though_it_once_failed(page: Page, built: Farm) -> None:
    """Hide green leaves what is red now, and counts what it left out."""
    open_grid(page, "?hide=green&by=none")

    expect(page.get_by_role("grid")).to_have_attribute("aria-colcount", str(1 + len(red(page))))
    assert set(built.of_target()) <= red(page)


def red(page: Page) -> set[str]:
    """The configurations on the page, all of which must be red."""
    headers = page.locator("[role=columnheader][data-red]")
    assert headers.locator("xpath=self::*[@data-red='false']").count() == 0
    return set(filter(None, (header.get_attribute("title") for header in headers.all())))
