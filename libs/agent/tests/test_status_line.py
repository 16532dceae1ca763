"""`run --tty`: the terminal's last row says how far the build is, and is given back."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path

import pytest
from build_analysis.progress import Progress
from build_dashboard.builds.status_line import status_text
from build_dashboard.evidence.compiler_cache import Lookups

pytestmark = pytest.mark.slow

HALF = Progress(138, 277, 49.8, "build", "Building CXX object a.o", "ninja")
LINK = "https://dashboard.example.com/builds/01a20a9f"


def test_row_says_what_is_known() -> None:
    """Steps, per cent, time left, cache hits and the link; what is not known is not there."""
    assert f"138/277 | 50 % | 3 min 05 s left | cache 75 % | {LINK}" == status_text(
        HALF, 185_000, LINK, Lookups(3, 1), 200
    )
    assert f"building | {LINK}" == status_text(None, None, LINK, None, 200)
    assert "138/277 | 50 % | 2 h 01 min left" == status_text(HALF, 7_260_000, None, None, 80)


def test_row_is_never_wider_than_the_terminal() -> None:
    """A link that does not fit is left out as a whole; the rest is cut."""
    assert "138/277 | 50 % | 9 s left" == status_text(HALF, 9000, LINK, None, 60)
    assert "138/277 |" == status_text(HALF, 9000, LINK, None, 10)


DRAWN = b"\x1b[24;1H\x1b[2K\x1b[7m1/2 | 50 %"


def screen(agent, *arguments: str, enough: Path | None = None) -> tuple[bytes, int]:
    """What a terminal of 24 rows is sent, and the exit code; the file is made once the row is drawn."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    command = [*agent.program, "run", "--project", "p", *arguments]
    process = subprocess.Popen(
        command, env=agent.environment, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
        if enough is not None and DRAWN in seen:
            enough.touch()
    os.close(ours)
    return seen, process.wait(20)


def test_row_is_reserved_drawn_and_given_back(agent, tmp_path) -> None:
    """The rows above scroll on their own while the build runs; afterwards the whole screen does again."""
    script = f"echo '[1/2] CXX a.o'; until [ -e {tmp_path}/enough ]; do sleep 0.05; done; exit 3"
    seen, code = screen(agent, "--tty", "--", "sh", "-c", script, enough=tmp_path / "enough")

    assert 3 == code
    assert -1 < seen.find(b"\x1b[1;23r") < seen.find(DRAWN) < seen.rfind(b"\x1b[r")
    assert b"[1/2] CXX a.o" in seen


def test_without_being_asked_the_terminal_is_left_alone(agent) -> None:
    """No row is reserved without `--tty`, nor where standard error is no terminal."""
    seen, _ = screen(agent, "--", "echo", "hello")
    done = agent.build("echo", "hello", options=("--tty",))

    assert b"\x1b[1;23r" not in seen
    assert (b"hello\n", b"") == (done.stdout, done.stderr)
