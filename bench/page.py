"""How fast the page is there, in a real Chromium (`python -m bench.page`).

The first line of a build, from the moment it is printed to the moment an open page shows it; and line 150,000 of a
200,000-line build, from the navigation to the line in view. Yardstick: the limit of one second for each.
"""

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

from chassis.testing.browser import chromium, log_in
from chassis.testing.stack import Stack
from playwright.sync_api import Page

from bench.statistics import spread
from bench.systems import SYSTEMS, system

LINES = Path(__file__).with_name("lines.py")
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


def deep_link(page: Page, build_id: str) -> float:
    """Milliseconds from navigating to line 150,000 to that line in view."""
    page.goto("/")
    begin = time.perf_counter()
    page.goto(f"/builds/{build_id}#L150000")
    page.locator("[data-line='150000']").wait_for(state="visible")
    return 1000 * (time.perf_counter() - begin)


def main() -> None:
    """Print both figures for each system."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--systems", nargs="*", default=SYSTEMS, choices=SYSTEMS)
    arguments = parser.parse_args()
    print("page: in a real Chromium, ms")
    for name in arguments.systems:
        with system(name) as stack, chromium() as browser:
            page = browser.new_context(base_url=stack.url, viewport={"width": 1440, "height": 900}).new_page()
            log_in(page, stack)
            first = [first_line(page, stack, f"first-{run}") for run in range(arguments.runs)]
            command = stack.agent_command("deep", sys.executable, str(LINES), "200000")
            subprocess.run(command, env=stack.agent_environment, stdout=subprocess.DEVNULL, check=True)
            (build,) = stack.get("/api/builds?project=deep")["items"]
            deep = [deep_link(page, build["id"]) for _ in range(arguments.runs)]
        print(f"  {name:9s}  first line {spread(first, 0)}   line 150,000 of 200,000 {spread(deep, 0)}", flush=True)


if __name__ == "__main__":
    main()
