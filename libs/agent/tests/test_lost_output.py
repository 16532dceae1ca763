"""Our copy of the output is lost: wrapped, a command ends as it does bare, and its record is whole."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from build_dashboard.holder import raw
from build_dashboard.holder.ending import parse_end
from build_dashboard.recording.directory import BuildDirectory

pytestmark = pytest.mark.slow

HOLD = """
import os, sys
from pathlib import Path
from build_dashboard.holder.holding import open_standard_descriptors, start
closed = open_standard_descriptors()
holding = start(Path(sys.argv[1]), sys.argv[2:], os.environ, is_terminal=os.isatty(1), is_input_closed=closed)
sys.exit(holding.wait())
"""

BOTH = ("sh", "-c", "echo out; echo err >&2; echo more; exit 6")
"""Prints whatever becomes of it, as compilers and build tools do."""

MANY = ("sh", "-c", "i=0; while [ $i -lt 3000 ]; do echo $i; echo $i >&2; i=$((i+1)); done; exit 6")
KILLED = ("sh", "-c", "echo out; echo err >&2; kill -ABRT $$")

Opened = Callable[[], Any]


@contextmanager
def full() -> Iterator[int]:
    """A disk without room."""
    with Path("/dev/full").open("wb") as file:
        yield file.fileno()


@contextmanager
def hung_up() -> Iterator[int]:
    """A terminal whose window was closed."""
    master, slave = pty.openpty()
    os.close(master)
    yield slave
    os.close(slave)


@contextmanager
def read_only() -> Iterator[int]:
    """A descriptor that nobody may write to."""
    with Path(os.devnull).open("rb") as file:
        yield file.fileno()


@contextmanager
def unread() -> Iterator[int]:
    """A pipe whose reader left before the command began."""
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[BuildDirectory]:
    made = BuildDirectory.create(tmp_path / "spool", {"buildId": "b", "project": "p"})
    yield made
    made.stop("test_over")
    made.close()


def wrapped(directory: BuildDirectory, command: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-c", HOLD, str(directory.path), *command]


def run(command: list[str] | tuple[str, ...], streams: tuple[str, ...], opened: Opened) -> int:
    """The exit code as a shell gives it."""
    with opened() as fd:
        out, err = (fd if stream in streams else subprocess.DEVNULL for stream in ("stdout", "stderr"))
        run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, check=False, timeout=30)
    code = run.returncode
    return code if code >= 0 else 128 - code


def recorded(directory: BuildDirectory) -> tuple[dict[bytes, bytes], str]:
    """What was printed on each stream, and the exit frame."""
    reader = raw.RawReader(directory.raw)
    printed: dict[bytes, bytes] = {}
    ended = ""
    for kind, _, data in reader.read(1 << 26):
        if kind == raw.EXIT:
            ended = data.decode()
        else:
            printed[kind] = printed.get(kind, b"") + data
    reader.close()
    return printed, ended


@pytest.mark.parametrize(
    ("streams", "opened", "command"),
    [
        (("stdout",), full, BOTH),
        (("stderr",), full, BOTH),
        (("stdout", "stderr"), full, MANY),
        (("stdout", "stderr"), full, KILLED),
        (("stdout",), hung_up, KILLED),
        (("stderr",), hung_up, BOTH),
        (("stdout", "stderr"), read_only, BOTH),
    ],
)
def test_what_cannot_be_written_does_not_end_the_build(directory, streams, opened, command) -> None:
    """Exit code and signal are those of the bare command, and every line is recorded."""
    assert run(wrapped(directory, command), streams, opened) == run(command, streams, opened)

    whole = subprocess.run(command, capture_output=True, check=False)
    printed, ended = recorded(directory)
    assert (printed[raw.OUT], printed[raw.ERR]) == (whole.stdout, whole.stderr)
    lost = parse_end(ended).lost
    sizes = {"stdout": len(whole.stdout), "stderr": len(whole.stderr)}
    assert {fd: size for fd, (size, _) in lost.items()} == {
        ("stdout", "stderr").index(s) + 1: sizes[s] for s in streams
    }


@pytest.mark.parametrize(
    ("streams", "command"),
    [
        (("stdout",), BOTH),
        (("stderr",), BOTH),
        (("stdout", "stderr"), ("sh", "-c", "trap '' PIPE; echo out; echo err >&2; exit 6")),
    ],
)
def test_a_reader_that_left_ends_what_it_ends_bare(directory, streams, command) -> None:
    """SIGPIPE ends the wrapped command where it ends the bare one, even with the first line."""
    # The reader is gone before the holder is up, so it has time to notice.
    slowly = ("sh", "-c", 'sleep 0.2; exec "$@"', "sh", *command)

    assert run(wrapped(directory, slowly), streams, unread) == run(command, streams, unread)


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors_are_not_taken_by_files_of_ours(directory, closed) -> None:
    """Started without standard input, output or error, the build ends as it does bare and is recorded."""
    read = ("sh", "-c", "echo out; echo err >&2; read -r x <&0 || exit 5; exit 6")
    bare, held = (
        subprocess.run(["sh", "-c", f'"$@" {closed}', "sh", *command], input=b"x\n", capture_output=True, check=False)
        for command in (read, wrapped(directory, read))
    )

    assert held.returncode == bare.returncode == (5 if "<" in closed else 6)
    printed, _ = recorded(directory)
    assert printed[raw.OUT] == b"out\n"
    assert b"err\n" in printed[raw.ERR]


def test_a_named_pipe_may_find_another_reader(directory, tmp_path) -> None:
    """A log collector that is restarted costs nothing while the command prints nothing."""
    os.mkfifo(tmp_path / "pipe")
    gate = tmp_path / "gate"
    script = f"while [ ! -e {gate} ]; do sleep 0.01; done; echo out; exit 6"
    first = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    process = subprocess.Popen(
        wrapped(directory, ("sh", "-c", script)), stdout=os.open(tmp_path / "pipe", os.O_WRONLY), close_fds=True
    )
    os.close(first)
    second = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    gate.touch()

    assert process.wait(20) == 6
    assert os.read(second, 10) == b"out\n"


@pytest.mark.parametrize("target", [">/dev/full", "2>/dev/full", ">/dev/full 2>&1"])
def test_run_exits_as_the_command_and_says_what_was_lost(agent, gateway, target) -> None:
    """`run` itself, whose own messages cannot be written either: the build is reported whole, its exit code kept."""
    done = subprocess.run(
        ["sh", "-c", f'"$@" {target}', "sh", *agent.program, "run", "--project", "p", "--", *BOTH],
        env=agent.environment,
        capture_output=True,
        check=False,
    )

    build = gateway.only_build()
    assert done.returncode == 6
    assert sorted(gateway.log(build)) == ["err", "more", "out"]
    assert gateway.of(build, "BUILD_COMPLETE")[0]["data"]["exitCode"] == 6
    if target == ">/dev/full":
        assert b"9 bytes could not be written to standard output (No space left on device)" in done.stderr
