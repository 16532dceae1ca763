"""The grid at LLVM's size, in a real Chromium (`python -m bench.grid`).

A branch of `--configs` configurations and `--commits` commits, as history has them: from the answer with the commits to
cells on the screen, grouped and not; and the frames while it is scrolled sideways and down. Each also on a processor
four times slower. Yardsticks: 300 ms to draw, 16 ms a frame. `asked` is the whole way from the address to the cells.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from build_history.consumer import record
from build_history.store import open_store
from build_protocol.ids import new_build_id
from build_protocol.messages import BuildVerdict, BuildVerdictData, Commit, FailureData
from build_testkit.browser import chromium, log_in
from build_testkit.farm import AUTHORS, BETWEEN_COMMITS_MS, BROKEN_MODE, BROKEN_TARGET, WORK, Farm, farm
from build_testkit.stack import embedded_stack
from playwright.sync_api import CDPSession, Page

from bench.statistics import percentile, spread

BATCH = 2000
NOTCHES = 80
NOTCH_PIXELS = 120
THROTTLES = (1, 4)
WATCH = """() => {
  window.drawnAt = undefined
  const look = () => {
    if (document.querySelectorAll('[role=gridcell][data-result]').length > 20) window.drawnAt = performance.now()
    else requestAnimationFrame(look)
  }
  requestAnimationFrame(look)
}"""
DRAWN = """() => {
  if (window.drawnAt === undefined) return null
  const asked = performance.getEntriesByType('resource').filter(entry => entry.name.includes('/api/history/grid'))
  return [window.drawnAt - asked.at(-1).responseEnd, window.drawnAt]
}"""
FRAMES = """() => {
  window.framesMs = []
  let last = performance.now()
  const step = now => { window.framesMs.push(now - last); last = now; requestAnimationFrame(step) }
  requestAnimationFrame(step)
}"""


def verdicts(farm: Farm) -> Iterator[BuildVerdict]:
    """Every build of the farm as history receives it."""
    dice = random.Random(3)
    now_at = int(time.time() * 1000)
    for place, sha in enumerate(farm.commits):
        for number, config in enumerate(farm.configs):
            started_at = now_at - (len(farm.commits) - place) * BETWEEN_COMMITS_MS + number * 1000
            is_broken = BROKEN_TARGET in config and place >= farm.breaks_target
            is_broken |= BROKEN_MODE in config and place >= farm.breaks_mode
            signature = "registers" if is_broken else "flake" if dice.random() < 0.01 else None
            failure = FailureData(category="compile", message=f"error: {signature}", first_line=9, signature=signature)
            commit = Commit(
                sha=sha,
                parents=[farm.commits[place - 1]] if place else [],
                author=AUTHORS[place % len(AUTHORS)],
                committed_at=started_at - 600_000,
                subject=WORK[place % len(WORK)],
            )
            data = BuildVerdictData(
                status="failed" if signature else "succeeded",
                revision=1,
                branch="main",
                config=config,
                commit=sha,
                started_at=started_at,
                ended_at=started_at + 900_000,
                duration_ms=900_000,
                first_failure=failure if signature else None,
                failures=[failure] if signature else [],
                commits=[commit],
            )
            yield BuildVerdict(
                build_id=new_build_id(started_at), project=farm.project, timestamp=started_at + 900_000, data=data
            )


async def fill(store_url: str, farm: Farm) -> None:
    """Record the farm's builds in large batches, as a service that was away for long would."""
    store = open_store(store_url)
    await store.open()
    batch: list[BuildVerdict] = []
    for verdict in verdicts(farm):
        batch.append(verdict)
        if len(batch) == BATCH:
            await record(batch, store=store)
            batch.clear()
    await record(batch, store=store)
    await store.close()


def drawn(page: Page, address: str) -> tuple[float, float]:
    """Milliseconds from the commits' being there, and from the address' being asked for, to cells on the screen."""
    page.goto("about:blank")
    page.add_init_script(f"({WATCH})()")
    page.goto(address)
    found = page.wait_for_function(DRAWN).json_value()
    return float(found[0]), float(found[1])


def main_thread_ms(client: CDPSession) -> float:
    """Processor time that the page's main thread has taken: other programs' share of the machine is not in it."""
    metrics = client.send("Performance.getMetrics")["metrics"]
    return 1000 * float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))


def frames_while_scrolling(page: Page, sideways: bool) -> list[float]:
    """Milliseconds between the frames drawn while the wheel turns over the grid."""
    page.get_by_test_id("grid").hover()
    page.evaluate(FRAMES)
    for notch in range(NOTCHES):
        step = NOTCH_PIXELS if notch % 40 < 30 else -NOTCH_PIXELS
        page.mouse.wheel(step if sideways else 0, 0 if sideways else step)
    frames: list[float] = page.evaluate("() => window.framesMs.slice(1)")
    return frames


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configs", type=int, default=200)
    parser.add_argument("--commits", type=int, default=100)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    built = farm("loom", arguments.configs, arguments.commits)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        data = Path(directory) / "data"
        data.mkdir()
        asyncio.run(fill(f"sqlite:///{data}/history.sqlite", built))
        print(f"grid: {arguments.configs} configurations x {arguments.commits} commits, ms")
        with embedded_stack(Path(directory)) as stack, chromium() as browser:
            page = browser.new_context(base_url=stack.url, viewport={"width": 1440, "height": 900}).new_page()
            log_in(page, stack)
            for throttle in THROTTLES:
                client = page.context.new_cdp_session(page)
                client.send("Emulation.setCPUThrottlingRate", {"rate": throttle})
                client.send("Performance.enable", {"timeDomain": "threadTicks"})
                for by in ("target", "none"):
                    timed = [drawn(page, f"/p/loom/main?by={by}") for _ in range(arguments.runs)]
                    draw, asked = zip(*timed, strict=True)
                    print(f"  {throttle}x  by {by:6s}  drawn {spread(draw, 0)}  asked {spread(asked, 0)}", flush=True)
                older = page.get_by_role("button", name="Show older commits")
                while older.is_visible():
                    older.click()
                    page.locator("button[data-loading]").wait_for(state="detached")
                for sideways in (True, False):
                    before = main_thread_ms(client)
                    frames = frames_while_scrolling(page, sideways)
                    taken = (main_thread_ms(client) - before) / len(frames)
                    within = [f"{share} % within {percentile(frames, share):.0f}" for share in (50, 95, 99)]
                    way = "sideways" if sideways else "down"
                    print(
                        f"  {throttle}x  scrolled {way}, {len(frames)} frames: {', '.join(within)};"
                        f" main thread {taken:.1f} a frame",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
