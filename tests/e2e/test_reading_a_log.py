"""A person reads a log: folding, wrapping or resizing around a line leaves it where it is, and Follow as it was."""

import subprocess
import sys

import pytest
from build_testkit.stack import Stack
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CONFIGURED, BUILT, TESTED = 150, 400, 100
LONG = "a word " * 60
# A section begins with the batch of lines that tells of it: each phase takes its time, as real ones do.
SCRIPT = f"""
import sys, time
for n in range({CONFIGURED}): print('-- Looking for header', n)
sys.stdout.flush(); time.sleep(1)
for n in range(1, {BUILT} + 1):
    print(f'[{{n}}/{BUILT}] Building CXX object part{{n}}.o', {LONG!r} if n % 7 == 0 else '')
sys.stdout.flush(); time.sleep(1)
tests = int(sys.argv[1])
for n in range(1, tests + 1): print(f'PASS: Log :: part{{n}}.mlir ({{n}} of {{tests}})')
"""
LOG = "[data-testid=log]"
SCROLLER = f"{LOG} [role=region]"
SLACK_PX = 2


@pytest.fixture
def stack(embedded: Stack) -> Stack:
    """What differs between embedded and separate processes is not the page."""
    return embedded


@pytest.fixture(scope="module")
def sections(embedded: Stack) -> str:
    """A build whose log has a section for configuring, for building and for testing."""
    return build_of(embedded, "sections", TESTED)


@pytest.fixture(scope="module")
def short_end(embedded: Stack) -> str:
    """The same, with so few tests that the log is lower than the screen when the rest is folded."""
    return build_of(embedded, "short-end", 5)


def build_of(stack: Stack, project: str, tests: int) -> str:
    """Run a build and give its id."""
    command = stack.agent_command(project, sys.executable, "-c", SCRIPT, str(tests))
    subprocess.run(command, env=stack.agent_environment, stdout=subprocess.DEVNULL, check=True, timeout=60)
    newest = stack.get(f"/api/builds?project={project}")["items"][0]
    return str(newest["id"])


def settled(page: Page) -> None:
    """Two frames later: whatever the browser does by itself after a change, it has done."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def press(page: Page, key: str) -> None:
    """Press a key, and let what follows from it happen."""
    page.keyboard.press(key)
    settled(page)


def top_of(page: Page, selector: str) -> float:
    """Where an element is below the top of the log, in pixels."""
    script = (
        f"node => node.getBoundingClientRect().top - document.querySelector('{SCROLLER}').getBoundingClientRect().top"
    )
    return float(page.locator(selector).first.evaluate(script))


def top_line(page: Page) -> int:
    """The first line of which the most is in sight."""
    script = """rows => {
      const top = document.querySelector('SCROLLER').getBoundingClientRect().top
      return Number(rows.find(row => row.getBoundingClientRect().top > top - 9).dataset.line)
    }""".replace("SCROLLER", SCROLLER)
    return int(page.locator(f"{LOG} [data-line]").evaluate_all(script))


def heading(name: str) -> str:
    """A section's heading."""
    return f"[data-testid=log-section]:has-text('{name}')"


def read_at(page: Page, line: int) -> tuple[int, float]:
    """Scroll to a line by the wheel, as a person does; the line that is at the top then, and where it is."""
    page.locator(f"{LOG} [data-line]").first.wait_for()
    page.get_by_test_id("log").hover()
    for _ in range(200):
        away = line - top_line(page)
        if abs(away) < 3:
            break
        page.mouse.wheel(0, max(-600, min(600, away * 19)))
        settled(page)
    top = top_line(page)
    return top, top_of(page, f"[data-line='{top}']")


def expect_following(page: Page, is_following: bool) -> None:
    """Follow is on or off."""
    expect(page.get_by_test_id("log")).to_have_attribute("data-following", str(is_following).lower())


def expect_still(page: Page, line: int, before: float) -> None:
    """A line is where it was on the screen, and Follow is off."""
    expect(page.locator(f"{LOG} [data-line='{line}']")).to_be_visible()
    assert abs(top_of(page, f"[data-line='{line}']") - before) < SLACK_PX
    expect_following(page, is_following=False)


def open_log(page: Page, build: str, address: str = "") -> None:
    """Open a build's log; returns when its lines are there."""
    page.goto(f"/builds/{build}{address}")
    page.locator(f"{LOG} [data-line]").first.wait_for()
    settled(page)


def test_folding_all_keeps_the_place_and_unfolding_gives_the_line_back(page: Page, sections: str) -> None:
    """`z` puts the heading of what was read where the line was; `z` again puts the line there. Follow stays off."""
    open_log(page, sections)
    line, before = read_at(page, 350)

    press(page, "z")
    expect(page.locator(f"[data-line='{line}']")).to_have_count(0)
    assert abs(top_of(page, heading("Build")) - before) < SLACK_PX
    expect_following(page, is_following=False)

    press(page, "z")
    expect_still(page, line, before)


def test_a_log_folded_to_less_than_the_screen_is_not_followed(page: Page, short_end: str) -> None:
    """All is in sight, the end too, and yet nobody asked to follow; unfolded, the line is where it was."""
    open_log(page, short_end)
    line, before = read_at(page, 300)

    press(page, "z")
    expect(page.locator(f"{LOG} [data-line='{CONFIGURED + BUILT + 5}']")).to_be_visible()
    expect_following(page, is_following=False)
    press(page, "z")
    expect_still(page, line, before)


def test_folding_goes_on_following(page: Page, short_end: str) -> None:
    """Who followed the end follows it still, folded and unfolded."""
    open_log(page, short_end)
    press(page, "f")
    for _ in range(2):
        press(page, "z")
        expect_following(page, is_following=True)
        expect(page.locator(f"{LOG} [data-line='{CONFIGURED + BUILT + 5}']")).to_be_visible()


def test_a_heading_that_is_pressed_stays_under_the_pointer(page: Page, short_end: str) -> None:
    """One section folds and unfolds below its heading, also while others are folded."""
    open_log(page, short_end)
    press(page, "z")
    build = page.locator(heading("Build"))
    for is_open in ("true", "false", "true"):
        before = top_of(page, heading("Build"))
        build.click()
        settled(page)
        expect(build).to_have_attribute("aria-expanded", is_open)
        assert abs(top_of(page, heading("Build")) - before) < SLACK_PX
        expect_following(page, is_following=False)


def test_a_linked_line_stays_where_it_is_through_what_is_changed_around_it(page: Page, sections: str) -> None:
    """Wrapping, times, a smaller and a larger window: the line a link led to keeps its place, and Follow stays off."""
    open_log(page, sections, "#L400")
    linked = f"{LOG} [data-line='400']"
    before = top_of(page, linked)
    for key in ("w", "t", "w", "t"):
        press(page, key)
        expect(page.locator(linked)).to_be_visible()
        assert abs(top_of(page, linked) - before) < SLACK_PX, key
    for height in (500, 1400, 900):
        page.set_viewport_size({"width": 1440, "height": height})
        settled(page)
        expect(page.locator(linked)).to_be_visible()
        expect_following(page, is_following=False)
    assert abs(top_of(page, linked) - before) < SLACK_PX


def test_a_window_that_grows_past_the_end_does_not_follow(page: Page, sections: str) -> None:
    """The end comes into sight by itself: that is not the reader's doing."""
    last = CONFIGURED + BUILT + TESTED
    open_log(page, sections, f"#L{last - 25}")
    page.set_viewport_size({"width": 1440, "height": 1500})
    expect(page.locator(f"{LOG} [data-line='{last}']")).to_be_visible()
    settled(page)
    expect_following(page, is_following=False)


def test_scrolling_to_the_end_follows_and_sideways_does_not(page: Page, sections: str) -> None:
    """Only the bar's own way, down to its end, by the reader's hand."""
    open_log(page, sections)
    page.get_by_test_id("log").hover()
    page.mouse.wheel(0, 100_000)
    expect_following(page, is_following=True)
    press(page, "f")
    page.mouse.wheel(200, 0)
    settled(page)
    expect_following(page, is_following=False)


def test_a_hit_in_a_folded_section_is_shown_in_the_middle(page: Page, sections: str) -> None:
    """A search opens the section it finds something in, and nothing else moves it away again."""
    open_log(page, sections)
    press(page, "z")
    page.get_by_label("Search the log").fill("[200/400]")
    hit = page.locator(f"{LOG} [data-line='{CONFIGURED + 200}']")
    expect(hit).to_be_visible()
    settled(page)
    height = page.locator(SCROLLER).evaluate("node => node.clientHeight")
    assert abs(top_of(page, f"{LOG} [data-line='{CONFIGURED + 200}']") - height / 2) < 40
    expect_following(page, is_following=False)


def test_a_log_is_where_it_was_when_its_tab_is_opened_again(page: Page, sections: str) -> None:
    """Another tab and back: the same line at the top, the same sections folded, Follow as it was."""
    open_log(page, sections)
    line, before = read_at(page, 300)
    parts = page.get_by_role("navigation", name="Parts of this build")

    for followed in (False, True):
        parts.get_by_role("link", name="Events").click()
        expect(page.get_by_test_id("log")).to_have_count(0)
        parts.get_by_role("link", name="Log").click()
        page.locator(f"{LOG} [data-line]").first.wait_for()
        settled(page)
        expect_following(page, followed)
        if not followed:
            expect(page.locator(f"[data-line='{line}']")).to_be_visible()
            assert abs(top_of(page, f"[data-line='{line}']") - before) < SLACK_PX
            press(page, "f")


def test_lines_that_come_in_move_nothing_for_who_reads(page: Page, stack: Stack) -> None:
    """A running build prints on; the line at the top stays, folded headings above it or not."""
    script = (
        "import time\n"
        "for n in range(200): print('-- Looking for header', n)\n"
        "for n in range(1, 1201): print(f'[{n}/1200] Building CXX object part{n}.o', flush=True); time.sleep(0.02)"
    )
    with stack.streaming("going-on", sys.executable, "-c", script):
        page.locator("[data-testid=build-row]", has_text="going-on").first.click()
        page.locator(f"{LOG} [data-line='260']").wait_for()
        page.get_by_test_id("log").hover()
        page.mouse.wheel(0, -1200)
        expect_following(page, is_following=False)
        for _ in range(2):
            press(page, "z")
            line = top_line(page)
            before, total = top_of(page, f"[data-line='{line}']"), total_of(page)
            page.wait_for_function(
                "total => document.querySelector('[data-testid=log-total]').dataset.total > total + 50", arg=total
            )
            assert line == top_line(page)
            expect_still(page, line, before)


def total_of(page: Page) -> int:
    """How many lines the page knows of."""
    return int(page.get_by_test_id("log-total").get_attribute("data-total") or 0)
