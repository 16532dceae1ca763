"""A program that reports its own build, with handlers that `mypy --strict` checks. In a wrapped build, or with a key:

build-dashboard run --project demo -- python examples/sdk_program.py
"""

import asyncio

from build_dashboard import Build, BuildAgent

agent = BuildAgent("demo")


@agent.on_build_start
def started(build_id: str) -> None:
    """Called when the build starts."""
    print(f"build {build_id} started")


@agent.on_build_complete
async def completed(build_id: str, status: str) -> None:
    """May be async, too."""
    await asyncio.sleep(0)
    print(f"build {build_id}: {status}")


@agent.on_build_log
def logged(build_id: str, lines: list[str]) -> None:
    """Called with what the build prints."""


def work(build: Build) -> None:
    """What takes a while."""
    build.phase("build")
    build.log("-- one step")
    build.progress(50, step="half of it")
    build.metric("tests_passed", 1)
    build.test("demo.works", "passed", 0.1)


if __name__ == "__main__":
    with agent.build(command="demo", config="release") as build:
        work(build)
