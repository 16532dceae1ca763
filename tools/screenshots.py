"""`make screenshots`: PNGs of every page in both themes, from the builds of the demo and one that still runs.

They are written to `.cache/screenshots/<theme>/<page>.png`; look at each of them.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from build_testkit.browser import chromium, log_in
from build_testkit.stack import Stack, free_port, wait_until
from build_testkit.story import PAGES
from playwright.sync_api import Page

from tools.demo import PROJECT, Tree, demo_stack, keep_mail, lay_out, newest, stream

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SIZES = {"": (1440, 900), "-phone": (390, 844)}
SETTLED_MS = 10_000
RUNNING_SECONDS = 120
PRINT_STEPS = """
import time
for step in range(1, 401):
    print(f"[{step}/400] Building CXX object src/CMakeFiles/loom.dir/part{step}.cpp.o", flush=True)
    time.sleep(0.25)
"""


def tell_story(stack: Stack, tree: Tree) -> None:
    """Builds as a week has them: green, broken by a commit, still broken."""
    stream(stack, tree)
    tree.break_it()
    stream(stack, tree)
    (tree.source.path / "NOTES").write_text("What the optimiser does.\n")
    tree.source.commit("Describe the optimiser")
    stream(stack, tree)


@contextmanager
def still_running(stack: Stack, tree: Tree) -> Iterator[None]:
    """A build in progress while the pictures are taken."""
    command = stack.agent_command(
        PROJECT, sys.executable, "-c", PRINT_STEPS, options=("--config-name", "asan", "--origin", "ci")
    )
    agent = subprocess.Popen(command, env=stack.agent_environment, cwd=tree.source.path, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: newest(stack, "running"), RUNNING_SECONDS, "the running build is listed")
        yield
    finally:
        agent.terminate()
        agent.wait(RUNNING_SECONDS)


def addresses(stack: Stack) -> dict[str, str]:
    """Every page by name, where it has something to show."""
    green, red, running = (newest(stack, status) for status in ("succeeded", "failed", "running"))
    if green is None or red is None or running is None:
        raise RuntimeError("the demo's builds are not there: a good, a failed and a running one were expected")
    group = wait_until(lambda: stack.get("/api/failures")["items"], RUNNING_SECONDS, "the failure group")[0]
    shown = {"project": PROJECT, "commit": red["commit"], "signature": group["signature"]}
    pages = {**PAGES, "build-running": "/builds/{running}"}
    return {
        name: page.format(red=red["id"], green=green["id"], running=running["id"], **shown)
        for name, page in pages.items()
    }


def take(page: Page, address: str, path: Path) -> None:
    """One picture, once the page has what it asked for."""
    page.goto(address)
    page.locator("main").wait_for()
    page.wait_for_load_state("networkidle", timeout=SETTLED_MS)
    page.screenshot(path=path)


def main() -> None:
    """Build, then photograph."""
    root = Path.cwd()
    directory, pictures = root / ".cache" / "screenshots-demo", root / ".cache" / "screenshots"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, exist_ok=True)
    tree = lay_out(root / "examples", directory)
    with demo_stack(directory, {}, free_port()) as (stack, mails):
        tell_story(stack, tree)
        keep_mail(mails, directory)
        with still_running(stack, tree), chromium() as browser:
            pages = addresses(stack)
            for theme in THEMES:
                (pictures / theme).mkdir(parents=True, exist_ok=True)
                for suffix, (width, height) in SIZES.items():
                    context = browser.new_context(
                        base_url=stack.url, color_scheme=theme, viewport={"width": width, "height": height}
                    )
                    page = context.new_page()
                    page.goto("/")
                    page.get_by_label("User name").wait_for()
                    page.screenshot(path=pictures / theme / f"login{suffix}.png")
                    log_in(page, stack)
                    for name, address in pages.items():
                        take(page, address, pictures / theme / f"{name}{suffix}.png")
                    context.close()
    print(f"{len(list(pictures.rglob('*.png')))} pictures in {pictures.relative_to(root)}")


if __name__ == "__main__":
    main()
