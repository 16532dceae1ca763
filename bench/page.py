"""How fast the page is there, in a real Chromium (`python -m bench.page`).

The first line of a build, from the moment it is printed to the moment an open page shows it; line 150,000 of a
200,000-line build, from the navigation to the line in view; the first useful paint of `/` (rows of builds) with
`--builds` of them stored and digested; and the frames while a log of `--lines` is scrolled. Yardsticks: one second
for each of the first three, 50 ms a frame.
"""

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from build_testkit.browser import chromium, log_in
from build_testkit.stack import Stack
from playwright.sync_api import Page

from bench.many import report_builds
from bench.statistics import spread
from bench.systems import SYSTEMS, system, wait_until_idle

LINES = Path(__file__).with_name("lines.py")
WHEEL_TURNS = 300
NOTCH_PIXELS = 120
COUNT_FRAMES = """() => {
  window.framesMs = []
  let last = performance.now()
  const step = now => { window.framesMs.push(now - last); last = now; requestAnimationFrame(step) }
  requestAnimationFrame(step)
}"""
PRINTING = "import time; time.sleep(2); print('printed', time.time(), flush=True); time.sleep(1)"


def first_line(page: Page, stack: Stack, project: str) -> float:
    """Milliseconds from a build's first line being printed to its being on the open build's page."""
    page.goto("/")
    command = stack.agent_command(project, sys.executable, "-c", PRINTING)
    agent = subprocess.Popen(command, env=stack.agent_environment, stdout=subprocess.DEVNULL)
    page.locator("[data-testid=build-row]", has_text=project).first.click()
    line = page.locator("[data-testid=log] [data-line]", has_text="printed").first
    line.wait_for(state="visible")
    seen = time.time()
    agent.wait(60)
    return 1000 * (seen - float(re.findall(r"printed ([\d.]+)", line.inner_text())[0]))


def print_lines(stack: Stack, project: str, count: int) -> str:
    """A stored build with so many lines, printed once; its id."""
    builds = stack.get(f"/api/builds?project={project}")["items"]
    if not builds:
        command = stack.agent_command(project, sys.executable, str(LINES), str(count))
        subprocess.run(command, env=stack.agent_environment, stdout=subprocess.DEVNULL, check=True)
        builds = stack.get(f"/api/builds?project={project}")["items"]
    return str(builds[0]["id"])


def deep_link(page: Page, build_id: str) -> float:
    """Milliseconds from navigating to line 150,000 to that line in view."""
    page.goto("/")
    begin = time.perf_counter()
    page.goto(f"/builds/{build_id}#L150000")
    page.locator("[data-line='150000']").wait_for(state="visible")
    return 1000 * (time.perf_counter() - begin)


def first_paint(page: Page) -> float:
    """Milliseconds from navigating to `/` to rows of builds being there."""
    page.goto("about:blank")
    begin = time.perf_counter()
    page.goto("/", wait_until="commit")
    page.locator("[data-testid=build-row]").first.wait_for(state="visible")
    return 1000 * (time.perf_counter() - begin)


def frames_while_scrolling(page: Page, build_id: str, line: int) -> list[float]:
    """Milliseconds between the frames drawn while the wheel turns in the middle of a long log."""
    page.goto(f"/builds/{build_id}#L{line}")
    page.locator(f"[data-line='{line}']").wait_for(state="visible")
    page.evaluate(COUNT_FRAMES)
    page.locator("[data-testid=log]").hover()
    for turn in range(WHEEL_TURNS):
        page.mouse.wheel(0, NOTCH_PIXELS if turn % 20 < 15 else -NOTCH_PIXELS)
    frames: list[float] = page.evaluate("() => window.framesMs.slice(1)")
    return frames


@contextmanager
def signed_in(stack: Stack) -> Iterator[Page]:
    """A page of a fresh browser."""
    with chromium() as browser:
        page = browser.new_context(base_url=stack.url, viewport={"width": 1440, "height": 900}).new_page()
        log_in(page, stack)
        yield page


def main() -> None:
    """Print the figures for each system."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--builds", type=int, default=10_000)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--systems", nargs="*", default=SYSTEMS, choices=SYSTEMS)
    arguments = parser.parse_args()
    print("page: in a real Chromium, ms")
    for name in arguments.systems:
        with system(name) as stack:
            with signed_in(stack) as page:
                first = [first_line(page, stack, f"first-{run}") for run in range(arguments.runs)]
                deep = [deep_link(page, print_lines(stack, "deep", 200_000)) for _ in range(arguments.runs)]
                frames = sorted(
                    frames_while_scrolling(page, print_lines(stack, "long", arguments.lines), arguments.lines // 2)
                )
            print(f"  {name:9s}  first line {spread(first, 0)}   line 150,000 of 200,000 {spread(deep, 0)}", flush=True)
            within = [f"{share} % within {frames[len(frames) * share // 100 - 1]:.0f}" for share in (50, 95, 99)]
            print(
                f"  {name:9s}  {arguments.lines:,} lines scrolled, {len(frames)} frames: {', '.join(within)}",
                flush=True,
            )
            report_builds(stack, arguments.builds)
            wait_until_idle(stack)
            with signed_in(stack) as page:
                paints = [first_paint(page) for _ in range(arguments.runs)]
            print(f"  {name:9s}  first paint of / with {arguments.builds:,} builds {spread(paints, 0)}", flush=True)


if __name__ == "__main__":
    main()
