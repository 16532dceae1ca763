"""The holder with real commands, pipes, signals and terminals."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from typing import IO

import pytest
from build_dashboard.holder import raw
from build_dashboard.holder.ending import parse_end
from build_dashboard.holder.holding import start
from build_dashboard.recording.directory import BuildDirectory

pytestmark = pytest.mark.slow

HOLD = """
import os, sys
from pathlib import Path
from build_dashboard.holder.holding import start
options = eval(sys.argv[2])
holding = start(Path(sys.argv[1]), sys.argv[3:], os.environ, is_terminal=os.isatty(1), **options)
sys.exit(holding.wait())
"""

PARENT_AND_CHILD = """
import os, signal, sys
number = int(sys.argv[1])
signal.pthread_sigmask(signal.SIG_BLOCK, [number])
child = os.fork()
name = "parent" if child else "child"
if child:
    print("up", flush=True)
signal.sigwait([number])
os.write(1, name.encode() + b"\\n")  # in one piece: two processes share the pipe
if child:
    os.waitpid(child, 0)
    sys.exit(9)
"""


@pytest.fixture
def directory(tmp_path: Path):
    made = BuildDirectory.create(tmp_path / "spool", {"buildId": "b", "project": "p"})
    yield made
    made.stop("test_over")  # a failed test's command must not outlive it
    made.close()


def hold(directory: BuildDirectory, *command: str, **options) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(arguments(directory, *command, **options), capture_output=True, timeout=30, check=False)


def _out(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout


def arguments(directory: BuildDirectory, *command: str, **options) -> list[str]:
    return [sys.executable, "-c", HOLD, str(directory.path), repr(options), *command]


def frames(directory: BuildDirectory) -> list[tuple[bytes, int, bytes]]:
    reader = raw.RawReader(directory.raw)
    try:
        return reader.read(1 << 26)
    finally:
        reader.close()


def printed(directory: BuildDirectory, kind: bytes) -> bytes:
    return b"".join(data for seen, _, data in frames(directory) if seen == kind)


def end(directory: BuildDirectory):
    kind, _, data = frames(directory)[-1]
    assert kind == raw.EXIT
    return parse_end(data.decode())


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 41", 41), ("kill -9 $$", 137), ("kill -15 $$", 143)]
)
def test_exit_code_is_the_commands(directory, script, code) -> None:
    """The exit code is the command's, or 128 and the signal's number, as shells give it."""
    done = hold(directory, "sh", "-c", script)

    assert done.returncode == code
    assert end(directory).exit_code == code


def test_output_passes_byte_for_byte(directory, tmp_path) -> None:
    """Binary output of both streams reaches both the person and the raw file unchanged."""
    out, err = os.urandom(1_500_000), os.urandom(300_000)
    (tmp_path / "out").write_bytes(out)
    (tmp_path / "err").write_bytes(err)
    done = hold(directory, "sh", "-c", f"cat {tmp_path}/err >&2 & cat {tmp_path}/out; wait")

    assert done.stdout == out
    assert done.stderr == err
    assert printed(directory, raw.OUT) == out
    assert printed(directory, raw.ERR) == err


def test_output_passes_at_once(directory) -> None:
    """A line without its end is seen while the command still runs."""
    process = subprocess.Popen(arguments(directory, "sh", "-c", "printf half; read x"), stdin=-1, stdout=-1)

    assert _out(process).read(4) == b"half"
    process.communicate(b"\n", timeout=60)
    assert process.returncode == 0


def test_unknown_command_is_127_and_logged(directory) -> None:
    """A command that does not exist ends with 127 and a line in the log."""
    done = hold(directory, "no-such-command-here")

    assert done.returncode == 127
    assert b"command not found" in done.stderr
    assert b"no-such-command-here: command not found" in printed(directory, raw.ERR)
    assert end(directory).reason == "command_not_found"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signals_reach_the_whole_group(directory, number) -> None:
    """A signal to the holder reaches the command and its children; the end says which it was."""
    ignored_under_nohup = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    process = subprocess.Popen(
        arguments(directory, sys.executable, "-c", PARENT_AND_CHILD, str(int(number))), stdout=-1
    )
    signal.signal(signal.SIGHUP, ignored_under_nohup)
    assert _out(process).readline() == b"up\n"
    os.kill(_child_of(process.pid), number)
    out, _ = process.communicate(timeout=60)

    assert process.returncode == 9
    assert sorted(out.split()) == [b"child", b"parent"]
    assert end(directory).status == "cancelled"


@pytest.mark.parametrize(
    ("options", "reason"), [({"timeout_seconds": 0.3}, "timeout"), ({"silence_seconds": 0.3}, "silence_timeout")]
)
def test_timeouts_end_the_group_in_time(directory, options, reason) -> None:
    """Past its time the command and a child that ignores SIGTERM are gone after the grace."""
    script = "sh -c 'trap \"\" TERM; echo $$; exec sleep 60' & wait"
    started = time.monotonic()
    done = hold(directory, "sh", "-c", script, grace_seconds=0.3, **options)

    assert time.monotonic() - started < 5
    assert not _lives(int(done.stdout))
    assert (end(directory).status, end(directory).reason) == ("timed_out", reason)


def test_output_puts_silence_off(directory) -> None:
    """A command that keeps printing is not silent."""
    script = "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.1; done"
    done = hold(directory, "sh", "-c", script, silence_seconds=0.5)

    assert done.returncode == 0


def test_stop_reaches_children_that_left_the_group(directory) -> None:
    """A child in a session of its own is ended with the build."""
    command = ("sh", "-c", "setsid sh -c 'echo $$; exec sleep 60' & wait")
    process = subprocess.Popen(arguments(directory, *command, grace_seconds=5), stdout=-1)
    child = int(_out(process).readline())
    assert directory.stop("cancelled_by_user")
    process.communicate(timeout=60)

    assert not _lives(child)
    assert end(directory).status == "cancelled"


def test_daemons_of_the_build_hold_nothing_up(directory) -> None:
    """A server that the build started and that keeps its output open does not keep the build from ending."""
    started = time.monotonic()
    done = hold(directory, "sh", "-c", "sleep 20 & echo $!")
    os.kill(int(done.stdout), signal.SIGKILL)

    assert done.returncode == 0
    assert time.monotonic() - started < 10


def test_closed_output_reaches_the_command(directory) -> None:
    """As without us: who prints to a reader that left gets SIGPIPE."""
    process = subprocess.Popen(arguments(directory, "yes"), stdout=-1)
    _out(process).read(10)
    _out(process).close()

    assert process.wait(60) == 128 + signal.SIGPIPE


def test_slow_reader_does_not_stop_signals(directory) -> None:
    """While nobody reads our output, a cancel still works."""
    process = subprocess.Popen(arguments(directory, "yes", grace_seconds=1), stdout=-1)
    _until(lambda: printed(directory, raw.OUT))
    assert directory.stop("cancelled_by_user")
    drained = threading.Thread(target=_out(process).read, daemon=True)
    drained.start()

    assert process.wait(60) == 128 + signal.SIGTERM


def test_terminal_stays_a_terminal(directory) -> None:
    """Under a terminal the command has one too, of the same size, and what is typed reaches it."""
    script = "import os;print(os.isatty(0),os.isatty(1),os.isatty(2),os.get_terminal_size());print(input())"
    code, output = _under_terminal(arguments(directory, sys.executable, "-c", script), typed=b"hello\n", size=(33, 77))

    assert code == 0
    assert b"True True True os.terminal_size(columns=77, lines=33)" in output
    assert output.count(b"hello") == 2, output  # once echoed, once printed
    assert b"hello" in printed(directory, raw.PTY)


def test_ctrl_c_in_a_terminal_interrupts_the_command(directory) -> None:
    """Ctrl-C typed at the terminal is the command's, and the build counts as cancelled."""
    code, _ = _under_terminal(arguments(directory, "sh", "-c", "echo up; exec sleep 30"), typed=b"\x03", after=b"up")

    assert code == 130
    assert end(directory).status == "cancelled"


def test_terminal_is_restored(directory) -> None:
    """After the build the person's terminal is set as before."""
    before: list[list[object]] = []
    after: list[list[object]] = []
    _under_terminal(arguments(directory, "true"), modes=(before, after))

    assert before == after


def test_holder_is_small(directory) -> None:
    """The process beside every build stays around ten megabytes."""
    process = subprocess.Popen(arguments(directory, "sh", "-c", "echo up; read x"), stdin=-1, stdout=-1)
    _out(process).readline()
    status = Path(f"/proc/{_child_of(process.pid)}/status").read_text()
    process.communicate(b"\n", timeout=60)

    resident_kib = int(status.partition("VmRSS:")[2].split()[0])
    assert resident_kib < 14 * 1024


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_full_disk_costs_the_log_and_not_the_build(tmp_path) -> None:
    """On a full disk the output still passes and the gap is counted; the end is recorded."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], check=False)
    if mounted.returncode:
        pytest.skip("this system lets nobody mount")
    try:
        directory = BuildDirectory.create(disk / "spool", {"buildId": "b", "project": "p"})
        done = hold(directory, sys.executable, "-c", "import sys; sys.stdout.write('x' * 999_999 + chr(10))")
        written = printed(directory, raw.OUT)
        gaps = [data.split() for kind, _, data in frames(directory) if kind == raw.GAP]
        ended = end(directory)
        directory.close()
    finally:
        subprocess.run(["umount", disk], check=True)

    assert (done.returncode, len(done.stdout)) == (0, 1_000_000)
    assert len(written) + sum(int(size) for size, _ in gaps) == 1_000_000
    assert gaps
    assert ended.exit_code == 0


def test_signals_ignored_by_the_parent_stay_ignored(directory) -> None:
    """Under nohup the command goes on ignoring SIGHUP."""
    script = "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    process = subprocess.Popen(
        ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *arguments(directory, sys.executable, "-c", script)], stdout=-1
    )

    assert process.communicate(timeout=60)[0] == b"True\n"


def test_start_uses_its_own_arguments(directory) -> None:
    """Environment and working directory are those given."""
    holding = start(
        directory.path,
        ["sh", "-c", "echo $WORD; pwd"],
        {"WORD": "given", "PATH": os.environ["PATH"]},
        is_terminal=False,
        cwd="/",
    )

    assert holding.wait() == 0
    assert printed(directory, raw.OUT) == b"given\n/\n"


def _under_terminal(command, *, typed=b"", after=b"", size=(24, 80), modes=None) -> tuple[int, bytes]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    if modes:
        modes[0].append(termios.tcgetattr(slave))

    def enter() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, preexec_fn=enter)  # noqa: PLW1509  (no threads here)
    output = b""
    deadline = time.monotonic() + 30
    os.set_blocking(master, False)
    while process.poll() is None or output == b"":
        try:
            output += os.read(master, 4096)
        except BlockingIOError:
            time.sleep(0.005)
        except OSError:
            break  # EIO: the command and the holder are gone
        if typed and (after in output):
            # Typed before the command reads, so the holder must keep it.
            _until(lambda: not termios.tcgetattr(slave)[3] & termios.ICANON)
            os.write(master, typed)
            typed = b""
        if process.poll() is not None and not output:
            break
        assert time.monotonic() < deadline, output
    process.wait(60)
    with_rest = output + _drain(master)
    if modes:
        modes[1].append(termios.tcgetattr(slave))
    os.close(master)
    os.close(slave)
    return process.returncode, with_rest


def _drain(fd: int) -> bytes:
    data = b""
    while True:
        try:
            data += os.read(fd, 65536)
        except OSError:
            return data


def _child_of(pid: int) -> int:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    _until(lambda: path.read_text().split())
    return int(path.read_text().split()[0])


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def _until(condition, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
