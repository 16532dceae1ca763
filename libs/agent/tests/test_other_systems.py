"""Systems without what Linux has: simulated by taking it away, for none of them is here.

Windows: no `fcntl`, `termios`, `os.posix_spawn`, `os.mkfifo`. macOS and lean containers: no `/proc`, no terminal to be
had, sizes in other units.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from build_dashboard.holder import process
from build_dashboard.recording.directory import BuildDirectory

pytestmark = pytest.mark.slow

WINDOWS = """
import builtins, os, select, signal, sys
taken = {"fcntl", "termios", "tty", "pty", "resource", "pwd", "grp", "_posixsubprocess"}
real = builtins.__import__
def load(name, globals=None, locals=None, fromlist=(), level=0):
    # The library's own modules are Linux's here, and need them.
    if name in taken and (globals or {}).get("__name__", "").startswith("build_"):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return real(name, globals, locals, fromlist, level)
builtins.__import__ = load
for module, names in {
    os: ("fork", "posix_spawn", "mkfifo", "sysconf", "getuid", "geteuid", "killpg", "openpty", "wait4",
         "sched_getaffinity", "O_NOFOLLOW", "O_NONBLOCK"),
    signal: ("SIGHUP", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGXFSZ", "SIGTSTP", "SIGCHLD"),
    select: ("poll", "PIPE_BUF"),
}.items():
    for name in names:
        delattr(module, name)
from build_dashboard.cli.main import main
main()
"""

LOG = r"""[1/3] Building CXX object lib\CMakeFiles\a.dir\a.cpp.obj
FAILED: lib/CMakeFiles/a.dir/a.cpp.obj
C:\PROGRA~1\MICROS~1\2022\bin\cl.exe /nologo /TP -IC:\src\include /Folib\a.cpp.obj -c C:\src\lib\a.cpp
C:\src\lib\a.cpp(12): error C2065: 'x': undeclared identifier
ninja: build stopped: subcommand failed.
"""


def on_windows(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("BUILD_DASHBOARD", "WS_"))} | variables
    command = [sys.executable, "-c", WINDOWS, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_log_is_analysed_on_windows(tmp_path) -> None:
    """With its drives, backslashes and line ends."""
    (tmp_path / "build.log").write_bytes(LOG.replace("\n", "\r\n").encode())
    done = on_windows("analyze", "build.log", cwd=tmp_path)

    assert "Traceback" not in done.stderr
    assert r"C:\src\lib\a.cpp:12" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("run", "--help"), ("schema", "builds"), ("agent", "--help")]
)
def test_help_is_there_on_windows(tmp_path, arguments) -> None:
    """Nothing that a command does not need is missed."""
    done = on_windows(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_the_dashboard_is_asked_on_windows(tmp_path) -> None:
    """What only reads ends in a sentence about the dashboard that is away, not about a module that is missing."""
    done = on_windows("builds", cwd=tmp_path, WS_ENDPOINT="ws://127.0.0.1:9")
    assert done.returncode == 1
    assert "127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
    assert "address" in on_windows("doctor", cwd=tmp_path, WS_ENDPOINT="ws://127.0.0.1:9").stdout


def test_a_build_runs_unrecorded_on_windows(tmp_path) -> None:
    """Its output and exit code are what they would be, and the agent's key is not in its environment."""
    key = {"BUILD_DASHBOARD_API_KEY": "bmk_x"}
    script = "import os; print(os.environ.get('BUILD_DASHBOARD_API_KEY')); raise SystemExit(7)"
    done = on_windows("run", "--project", "p", "--", sys.executable, "-c", script, cwd=tmp_path, **key)

    assert (done.returncode, done.stdout) == (7, "None\n")
    assert "runs unrecorded" in done.stderr
    assert on_windows("run", "--project", "p", "--", "no-such-command", cwd=tmp_path).returncode == 127
    assert on_windows("run", "--resume", cwd=tmp_path).returncode == 0


def test_a_machine_without_terminals_to_be_had_builds_by_pipes(tmp_path) -> None:
    """All pseudo-terminals taken, or /dev/pts not mounted: the command has a pipe, and its output passes."""
    directory = BuildDirectory.create(tmp_path / "spool", {"buildId": "b", "project": "p"})
    hold = (
        "import os, sys\n"
        "def none(): raise OSError(2, 'out of pty devices')\n"
        "os.openpty = none\n"
        "from build_dashboard.holder.process import main\n"
        "main()\n"
    )
    task = [f"directory={directory.path}", "status_fd=2", "terminal=1", "timeout=0", "silence_timeout=0", "grace=1"]
    task += ["cap_bytes=1000000", "cwd=", "input_closed=0", "--", "sh", "-c", "echo hi; exit 3"]
    done = subprocess.run([sys.executable, "-c", hold, *task], capture_output=True, timeout=60, check=False)
    directory.close()

    assert (done.returncode, done.stdout) == (3, b"hi\n")
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(("platform", "unit"), [("linux", 1024), ("darwin", 1)])
def test_the_largest_process_is_counted_in_the_systems_own_unit(monkeypatch, platform, unit) -> None:
    """macOS gives bytes where Linux gives kibibytes."""
    monkeypatch.setattr("sys.platform", platform)
    assert process.peak_bytes(2000) == 2000 * unit
