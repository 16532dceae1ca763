"""docs/guide/install-server.md: its commands, word for word, lead to a live build of one's own; README's as well.

On a machine of their own as far as ports and folders go: a fresh HOME, and a network in which 8080 is free. `FULL=1`
installs the wheels of this checkout into fresh virtual environments, as the document says; without it its first
section is taken as done, by this checkout's own environment.
"""

import argparse
import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from build_embedded.notify import notify
from build_embedded.setup.cli import setup

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/guide/install-server.md"
FULL = bool(os.environ.get("FULL"))
LIMIT_SECONDS = 600

_SCRIPT = r"""
set -eu
( {setup} ) | tee setup.log
( {start} ) > up.log 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
ready=0
while ! "{python}" -c 'import urllib.request as r; r.urlopen("http://127.0.0.1:8080/readyz", timeout=5)' 2>/dev/null; do
    ready=$((ready + 1))
    kill -0 $server && [ $ready -lt 300 ]
    sleep 0.2
done
(
{build}
BUILD_DASHBOARD_ADMIN_PASSWORD=$(sed -n 's,.* as admin / \([^ ]*\) .*,\1,p' "$HOME/setup.log") build-dashboard builds
) > build.log 2>&1
kill -TERM $server
wait $server || true
(
{upgrade}
) > upgrade.log 2>&1
"""
_PRIVATE_NETWORK = (
    "import fcntl, os, socket, struct, sys; "
    "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 1)); "
    "os.execvp('sh', ['sh', *sys.argv[1:]])"
)
"""Sets the loopback interface up (SIOCSIFFLAGS, IFF_UP), and becomes the shell."""


def sections() -> dict[str, str]:
    """The commands that are to be typed, by the number of their section."""
    found: dict[str, str] = {}
    for section in re.split(r"^## ", DOCUMENT.read_text(), flags=re.MULTILINE)[1:]:
        if commands := re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
            found[section[0]] = "".join(commands)
    return found


def shell(command: str, home: Path, *, is_alone: bool) -> str:
    """Run it in HOME; what it printed. It must end with 0."""
    kept = {
        name: value for name, value in os.environ.items() if not re.match(r"BUILD_DASHBOARD|WS_|PYTEST|VIRTUAL", name)
    }
    alone = [
        "unshare",
        "--net",
        *(() if os.getuid() == 0 else ("--map-root-user",)),
        sys.executable,
        "-c",
        _PRIVATE_NETWORK,
    ]
    ran = subprocess.run(
        [*(alone if is_alone else ["sh"]), "-c", command],
        cwd=home,
        env={**kept, "HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "XDG_CACHE_HOME": str(home / "cache")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    logs = "".join(f"\n== {log.name}\n{log.read_text()[-3000:]}" for log in home.glob("*.log"))
    assert 0 == ran.returncode, f"{ran.stdout[-2000:]}{ran.stderr[-2000:]}{logs}"
    return ran.stdout


def from_nothing(home: Path, python: str) -> str:
    """Follow the document to its end; what `setup` printed."""
    typed = sections()
    script = _SCRIPT.format(
        setup=typed["2"],
        start=f"exec {typed['3'].strip().replace('&& ', '&& exec ')}".removeprefix("exec "),
        build=typed["4"],
        upgrade=typed["5"],
        python=sys.executable,
    )
    if not FULL:
        # Installed already: what `pip install` would bring.
        (home / "dashboard").symlink_to(Path(sys.executable).parent.parent)
        return shell(script.replace(pip_line(typed["5"]), ""), home, is_alone=True)
    began = time.monotonic()
    shell(typed["1"].replace("python3 ", f"{interpreter(python)} ", 1), home, is_alone=False)
    printed = shell(f"export PIP_NO_INDEX=1\n{script}", home, is_alone=True)
    print(f"{python}: {time.monotonic() - began:.0f} s from nothing to an upgrade")
    assert time.monotonic() - began < LIMIT_SECONDS
    return printed


def interpreter(python: str) -> str:
    """The path of a Python of this version; pyenv's names in PATH may lead to none."""
    version = python.removeprefix("python")
    known = [Path(sys.executable), *Path.home().glob(f".pyenv/versions/{version}*/bin/{python}")]
    for found in [*map(str, known), shutil.which(python)]:
        asked = [found or "false", "-c", "import sys, venv; print('%d.%d' % sys.version_info[:2])"]
        if subprocess.run(asked, check=False, capture_output=True, text=True).stdout.strip() == version:
            return str(found)
    pytest.skip(f"{python} is not installed")


def pip_line(commands: str) -> str:
    line: str
    (line,) = re.findall(r"^.*pip install.*$", commands, re.MULTILINE)
    return str(line)


@pytest.mark.slow
@pytest.mark.timeout(LIMIT_SECONDS + 60)
@pytest.mark.skipif(shutil.which("unshare") is None or shutil.which("cc") is None, reason="no unshare or no compiler")
@pytest.mark.parametrize("python", ["python3.11", "python3.12", "python3.13"] if FULL else ["python3"])
def test_the_document_leads_to_a_build_of_ones_own(tmp_path: Path, python: str, request: pytest.FixtureRequest) -> None:
    """Its commands alone, in a fresh HOME: a green and a red build are listed, and an upgrade keeps everything."""
    if FULL:
        shutil.copytree(request.getfixturevalue("wheels"), tmp_path / "dist")
    printed = from_nothing(tmp_path, python)
    built = (tmp_path / "build.log").read_text()
    upgraded = (tmp_path / "upgrade.log").read_text()

    assert "as admin / " in printed
    assert "make's own exit code: 2" in built
    states = [
        line.split()
        for line in built.splitlines()
        if "my-project" in line and ("succeeded" in line or "failed" in line)
    ]
    assert 1 == sum("succeeded" in state for state in states)
    assert 1 == sum("failed" in state for state in states)
    assert "Up to date" in upgraded
    assert "as admin / " not in upgraded


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both wheels, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheels")
    for project in (ROOT, ROOT / "deploy/embedded"):
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
        subprocess.run(command, cwd=project, check=True, capture_output=True, timeout=300)
    return folder


def test_nobody_is_asked_to_install_another_project() -> None:
    """On PyPI the name `build-dashboard` is somebody else's: documents name the wheels' files."""
    by_name = re.compile(r"(?:(?:pip|pipx|uv|tool) install\b[^`\n]*?|--(?:from|with)) ['\"]?build-dashboard\b")
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")]:
        assert not by_name.search(path.read_text()), path


def commands_of(text: str, word: str) -> list[list[str]]:
    """The words behind each `build-dashboard WORD` that a document has typed."""
    blocks = re.findall(r"^```(?:sh|bash)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    typed = re.findall(rf"build-dashboard {word}\b(.*)", "\n".join(blocks))
    return [line.split() for line in typed]


@pytest.mark.parametrize(("word", "command"), [("setup", setup), ("notify", notify)])
def test_what_the_document_cannot_try_is_understood(
    word: str, command: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every flag in the document is one of the command's, with a value that it takes."""
    understood: list[Sequence[str]] = []

    def parse(self: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
        understood.append(arguments)
        found, unknown = self.parse_known_args(arguments)
        assert [] == unknown
        raise SystemExit(found is None)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    monkeypatch.chdir(tmp_path)
    typed = commands_of(DOCUMENT.read_text(), word)
    for arguments in typed:
        with contextlib.redirect_stderr(io.StringIO()) as complaint, pytest.raises(SystemExit) as done:
            command(arguments)  # type: ignore[operator]
        assert not done.value.code, complaint.getvalue()

    assert len(typed) == len(understood) > 0
