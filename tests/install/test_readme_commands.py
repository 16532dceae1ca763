"""README.md's commands: what a newcomer types first does what it says, as it stands there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from build_testkit.stack import free_port

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
LOG = "[1/2] Building CXX object a.o\nFAILED: a.o\nc++ -c a.cpp -o a.o\na.cpp:7:3: error: 'x' was not declared\n"
NINJA = "rule say\n  command = echo done > $out\nbuild out: say\n"


def typed(words: str) -> str:
    """The one block with this command, as it stands."""
    block: str
    (block,) = (block for block in BLOCKS if words in block)
    return str(block)


def shell(commands: str, directory: Path, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value for name, value in os.environ.items() if not re.match(r"BUILD_DASHBOARD|WS_|PYTEST|VIRTUAL", name)
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-euc", commands],
        cwd=directory,
        env={**kept, "PATH": path, "HOME": str(directory), **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_a_failed_log_is_analysed(tmp_path: Path) -> None:
    """The first commands: the first real error, and nothing is uploaded. FULL=1 installs as well."""
    (tmp_path / "build.log").write_text(LOG)
    commands = typed("analyze build.log")
    assert "pip install .\n" in re.sub(r" +#.*", "", commands)
    if os.environ.get("FULL"):
        shutil.copytree(ROOT, tmp_path / "clone", ignore=shutil.ignore_patterns(".*", "node_modules", "dist"))
        shutil.copy(tmp_path / "build.log", tmp_path / "clone")
        begin = f"cd clone; {sys.executable} -m venv v; . v/bin/activate\n"
    else:
        begin, commands = "", re.sub(r"^pip install .*\n", "", commands)
    done = shell(f"{begin}{commands}", tmp_path)

    assert 0 == done.returncode, done.stderr
    assert "'x' was not declared" in done.stdout


@pytest.mark.slow
def test_a_build_is_what_it_was_where_there_is_no_dashboard(tmp_path: Path) -> None:
    """The build's command with ours before it: same output, same exit code; nobody answers, and it is not slower."""
    (tmp_path / "build").mkdir()
    (tmp_path / "build/build.ninja").write_text(NINJA)
    commands = typed("build-dashboard run").replace("127.0.0.1:8080", f"127.0.0.1:{free_port()}")
    done = shell(commands, tmp_path, XDG_STATE_HOME=str(tmp_path))

    assert 0 == done.returncode, done.stderr
    assert "done\n" == (tmp_path / "build/out").read_text()
    assert "[1/1]" in done.stdout


def test_every_target_that_is_named_exists() -> None:
    """Each `make X` of README and of the documents."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for named in re.findall(r"`make ([a-z-]+)`|^make ([a-z-]+)", path.read_text(), re.MULTILINE):
            assert set(filter(None, named)) <= targets, path
