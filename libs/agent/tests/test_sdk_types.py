"""What `mypy --strict` says of programs that use the SDK."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]

WRONG = """
from build_dashboard import BuildAgent, BuildResult
agent = BuildAgent("p")
@agent.on_build_complete
def one_argument(build_id: str) -> None: ...
@agent.on_build_start
def another_type(build_id: int) -> None: ...
@agent.on_build_log
def one_line(build_id: str, line: str) -> None: ...
@agent.on_build_progress
async def two_texts(build_id: str, percent: str) -> None: ...
@agent.on_build_complete
def good(build_id: str, status: str) -> None: ...
good("x", "succeeded")
result: BuildResult = agent.run("ninja")
with agent.build() as build:
    build.log(None)
    build.phase("lunch")
    build.metric("x", "1")
"""


def test_handlers_and_reports_are_typed(tmp_path) -> None:
    """The example passes; every wrong handler and argument is an error, and nothing else in the same program is."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text(WRONG)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary"]
    # The same cache for all worktrees of one machine would be another's; this one is kept between runs.
    checked = subprocess.run(
        [*command, "--cache-dir", str(ROOT / ".mypy_cache" / "sdk"), str(ROOT / "examples/sdk_program.py"), str(wrong)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    lines = [int(line.split(":")[1]) for line in checked.stdout.splitlines() if ": error:" in line]
    assert "sdk_program" not in checked.stdout
    assert lines == [4, 6, 8, 10, 17, 18, 19], checked.stdout
