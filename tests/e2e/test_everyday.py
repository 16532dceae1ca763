"""What people do every day: look for an error, stop a build, change the theme, find a line among very many."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from build_testkit.stack import Stack, wait_until
from build_testkit.story import Story, going_on, play
from playwright.sync_api import CDPSession, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LINES = Path(__file__).parents[2] / "bench" / "lines.py"
MANY = 1_000_000 if os.environ.get("FULL") == "1" else 200_000
FRAME_MS = 50
WHEEL_TURNS = 120
NOTCH_PIXELS = 120
STOP_SECONDS = 15


@pytest.fixture(scope="module")
def story(embedded: Stack, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The story, played once for this file."""
    return play(embedded, tmp_path_factory.mktemp("everyday"), "everyday")


@pytest.fixture
def stack(embedded: Stack) -> Stack:
    """What differs between embedded and separate processes is not the page; the live build is tested on both."""
    return embedded


@pytest.fixture(scope="module")
def long_build(embedded: Stack) -> str:
    """A build with very many lines."""
    command = embedded.agent_command("many", sys.executable, str(LINES), str(MANY))
    subprocess.run(command, env=embedded.agent_environment, stdout=subprocess.DEVNULL, check=True, timeout=120)
    return str(embedded.get("/api/builds?project=many")["items"][0]["id"])


def test_a_failure_leads_to_its_group(page: Page, story: Story) -> None:
    """From the list, to the build, to everything that ever failed that way, and back to the line."""
    page.goto(f"/builds/{story.builds['red']}")
    failure = page.get_by_test_id("failure").first
    expect(failure).to_contain_text("no member named 'find'")
    expect(failure).to_contain_text("lib/part2.cpp:7")

    page.goto(f"/failures/{story.signature}")
    expect(page.locator("main")).to_contain_text("no member named")
    links = page.get_by_test_id("failure-build").filter(has_text=story.project)
    expect(links).to_have_count(4)
    links.first.get_by_role("link").first.click()
    expect(page.get_by_test_id("build")).to_have_attribute("data-status", "failed")
    page.go_back()
    expect(links).to_have_count(4)


def test_now_says_what_is_red_since_when_and_why(page: Page, story: Story) -> None:
    """Without a click: the project, its first error, and how many configs it hit."""
    page.goto("/")
    red = page.get_by_test_id("red-now")
    expect(red).to_contain_text(story.project)
    expect(red).to_contain_text("no member named 'find'")


def test_an_incident_is_owned_from_its_page(page: Page, story: Story) -> None:
    """On a phone, from Now: be on it, write why, mute it until it is fixed; Now shows who is on it."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/")
    incident = page.get_by_test_id("red-now").locator("article").filter(has_text=story.project)
    expect(incident.get_by_test_id("on-it")).to_have_text("nobody is on it")
    incident.get_by_text("no member named").click()
    page.get_by_role("button", name=re.compile("m on it")).click()
    expect(page.get_by_test_id("on-it")).to_have_text("admin is on it")
    page.get_by_label("Note").fill("the rename missed part 2")
    page.get_by_role("button", name="Add note").click()
    expect(page.get_by_test_id("note")).to_contain_text("the rename missed part 2")
    page.get_by_role("button", name="Mute until fixed").click()
    expect(page.get_by_role("status").filter(has_text="until it is fixed")).to_be_visible()
    expect(page.get_by_test_id("timeline")).to_contain_text("admin is on it")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.goto("/")
    expect(incident.get_by_test_id("on-it")).to_have_text("admin is on it")


def test_a_commit_answers_whether_it_broke_something(page: Page, story: Story) -> None:
    """Each config answers for itself."""
    page.goto(f"/c/{story.commits['breaks']}")
    expect(page.get_by_test_id("commit-config")).to_have_count(2)
    expect(page.locator("main")).to_contain_text("Rename a method of the scope")


def test_a_running_build_is_cancelled_from_its_page(page: Page, story: Story) -> None:
    """Asked once, stopped within seconds; what it printed is kept."""
    with going_on(story) as build_id:
        page.goto(f"/builds/{build_id}")
        page.get_by_text("Building CXX object lib/part2.o").first.wait_for()
        page.get_by_role("button", name="Cancel build").click()
        page.get_by_role("dialog").get_by_role("button", name="Cancel build").click()
        expect(page.get_by_test_id("build")).to_have_attribute("data-status", "cancelled", timeout=STOP_SECONDS * 1000)
    page.reload()
    expect(page.get_by_text("Building CXX object lib/part2.o").first).to_be_visible()


def test_a_build_that_ended_unseen_is_not_cancelled(page: Page, story: Story) -> None:
    """The dialog gives the server's answer and only closes; then the page shows how the build ended."""
    page.route_web_socket("**/ws", lambda _: None)
    with going_on(story) as build_id:
        page.goto(f"/builds/{build_id}")
        expect(page.get_by_test_id("build")).to_have_attribute("data-status", "running")
    story.stack.wait_for_build(build_id, lambda build: build["status"] == "cancelled", STOP_SECONDS)

    page.get_by_role("button", name="Cancel build").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Cancel build").click()
    expect(dialog.get_by_role("alert")).to_contain_text(f"build {build_id[-8:]} is already cancelled")
    expect(dialog.get_by_role("button", name="Cancel build")).to_have_count(0)
    dialog.get_by_role("button", name="Close").last.click()
    expect(page.get_by_test_id("build")).to_have_attribute("data-status", "cancelled")


def test_a_build_is_reached_by_what_is_printed_of_its_id(page: Page, story: Story) -> None:
    """Its last digits lead to its page, in the address and in the palette; what several answer to lists them."""
    build_id = story.builds["red"]
    page.goto(f"/builds/{build_id[-8:].upper()}?tab=events#L1")
    expect(page.get_by_test_id("build")).to_have_attribute("data-build", build_id)
    assert page.url.endswith(f"/builds/{build_id}?tab=events#L1")
    expect(page.get_by_test_id("build-id")).to_have_text(build_id[-8:])

    page.goto(f"/builds/{build_id[:6]}")
    shown = page.get_by_test_id("named-build")
    expect(shown.filter(has_text=build_id[-8:])).to_have_count(1)
    assert shown.filter(has_text=story.project).count() > 1
    shown.filter(has_text=build_id[-8:]).get_by_role("link").click()
    expect(page.get_by_test_id("build")).to_have_attribute("data-build", build_id)

    page.goto("/")
    page.get_by_test_id("red-now").wait_for()
    page.keyboard.press("Control+k")
    page.get_by_role("dialog").get_by_role("combobox").fill(build_id)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("build")).to_have_attribute("data-build", build_id)
    page.goto("/builds/ffffffff")
    expect(page.get_by_role("alert")).to_contain_text("There is no such build")


def test_the_theme_stays_as_it_was_set(page: Page, story: Story) -> None:
    """One key; a reload does not forget it."""
    scheme = page.locator("html")
    before = scheme.get_attribute("data-mantine-color-scheme")
    page.keyboard.press("g")
    page.keyboard.press("t")
    after = "light" if before == "dark" else "dark"
    expect(scheme).to_have_attribute("data-mantine-color-scheme", after)
    page.reload()
    expect(scheme).to_have_attribute("data-mantine-color-scheme", after)


def test_a_page_that_is_left_while_it_loads_stays_signed_in(page: Page, story: Story) -> None:
    """Reloaded in haste, again and again: nobody is asked for the password."""
    for _ in range(5):
        page.goto("/", wait_until="commit")
    page.goto(f"/builds/{story.builds['red']}", wait_until="commit")
    expect(page.get_by_test_id("build")).to_have_attribute("data-status", "failed")


def test_a_line_is_found_among_very_many(page: Page, long_build: str) -> None:
    """The server searches; the hits are counted and stepped through; the page shows the hit."""
    page.goto(f"/builds/{long_build}")
    page.get_by_test_id("log").wait_for()
    wanted = MANY - 17
    page.get_by_label("Search the log").fill(f"[{wanted}/{MANY}]")
    expect(page.get_by_test_id("log-hits")).to_contain_text("1 of 1", timeout=30_000)
    expect(page.locator(f"[data-line='{wanted}']")).to_be_visible()


def work_seconds(session: CDPSession) -> float:
    """Seconds the page has spent so far on script, style and layout."""
    metrics = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    return float(sum(metrics[name] for name in ("ScriptDuration", "RecalcStyleDuration", "LayoutDuration")))


def test_scrolling_a_very_long_log_is_little_work(page: Page, long_build: str) -> None:
    """Script, style and layout of a turn of the wheel fit into a frame of 50 ms, and where it stops, there are lines.

    Painting is left out: it depends on what else the machine does. `bench/page.py` measures whole frames.
    """
    page.goto(f"/builds/{long_build}#L{MANY // 2}")
    page.locator(f"[data-line='{MANY // 2}']").wait_for()
    page.get_by_test_id("log").hover()
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    before = work_seconds(session)

    for turn in range(WHEEL_TURNS):
        page.mouse.wheel(0, NOTCH_PIXELS if turn % 20 < 15 else -NOTCH_PIXELS)

    assert 1000 * (work_seconds(session) - before) / WHEEL_TURNS < FRAME_MS
    wait_until(
        lambda: page.locator("[data-testid=log] [data-line]").first.inner_text().strip(), 10, "lines after scrolling"
    )
