"""The one-file agent (`make agent-binary`) starts where there is no Python, and costs what the wheel costs."""

import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from build_testkit.stack import Stack, embedded_stack

ROOT = Path(__file__).parents[2]
BINARY = ROOT / "dist" / "build-dashboard-linux-x86_64"
LIBC = ("ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1")
COMMAND = '#include <stdio.h>\nint main(void) { puts("built without Python"); return 3; }\n'

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BINARY.exists(), reason="`make agent-binary` builds it, and runs this"),
]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A dashboard for builds to go to."""
    with embedded_stack(tmp_path_factory.mktemp("system")) as stack:
        yield stack


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    """A root with the C library, the agent, a command, and nothing else: no shell, no /proc, no Python."""
    if os.geteuid() != 0:
        pytest.skip("chroot is root's")
    root = tmp_path / "cell"
    (root / "lib64").mkdir(parents=True)
    (root / "lib" / "x86_64-linux-gnu").mkdir(parents=True)
    for name in LIBC:
        library = Path("/lib/x86_64-linux-gnu") / name
        shutil.copy(library, root / "lib64" if name.startswith("ld-") else root / "lib" / "x86_64-linux-gnu")
    shutil.copy(BINARY, root / "agent")
    (root / "command.c").write_text(COMMAND)
    subprocess.run(["cc", "-static", "-o", root / "command", root / "command.c"], check=True)
    for name in ("dev", "home", "tmp"):
        (root / name).mkdir()
    os.mknod(root / "dev" / "null", 0o666 | 0o020000, os.makedev(1, 3))
    os.mknod(root / "dev" / "urandom", 0o444 | 0o020000, os.makedev(1, 9))
    return root


def in_cell(cell: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it in there with this environment and no other."""
    return subprocess.run(
        [shutil.which("chroot") or "chroot", cell, *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_build_is_reported_from_a_root_with_only_a_c_library(system: Stack, cell: Path) -> None:
    """Its output, its exit code, its record, all of it; the second start unpacks nothing."""
    given = {name: system.agent_environment[name] for name in ("WS_ENDPOINT", "BUILD_DASHBOARD_API_KEY")}
    run = ("/agent", "run", "--project", "celled", "--linger", "20", "--", "/command")
    first = in_cell(cell, *run, HOME="/home", **given)
    unpacked = sorted((cell / "home" / ".cache" / "build-dashboard-agent").iterdir())
    second = in_cell(cell, *run, HOME="/home", **given)

    for done in (first, second):
        assert (done.returncode, done.stdout) == (3, "built without Python\n"), done.stderr
    assert sorted((cell / "home" / ".cache" / "build-dashboard-agent").iterdir()) == unpacked
    builds = system.get("/api/builds?project=celled")["items"]
    assert [(build["status"], build["exitCode"], build["verified"]) for build in builds] == [("failed", 3, True)] * 2


@pytest.mark.parametrize("environment", [{}, {"HOME": "/absent/home"}, {"XDG_CACHE_HOME": "relative", "HOME": ""}])
def test_it_finds_a_place_whatever_the_environment(cell: Path, environment: dict[str, str]) -> None:
    """Without a home it unpacks into a directory of its own in /tmp."""
    done = in_cell(cell, "/agent", "analyze", "/command.c", **environment)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_place_that_others_may_write_to_is_not_used(cell: Path) -> None:
    """What somebody else could have put there is not run: it unpacks elsewhere."""
    folder = cell / "home" / ".cache" / "build-dashboard-agent"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    done = in_cell(cell, "/agent", "analyze", "/command.c", HOME="/home")

    assert done.returncode == 0
    assert list(folder.iterdir()) == []


def test_where_nothing_can_be_unpacked_the_build_runs_all_the_same(cell: Path) -> None:
    """With a sentence about it, the command's own exit code, and nothing left behind."""
    shutil.rmtree(cell / "tmp")
    done = in_cell(cell, "/agent", "run", "--project", "p", "--", "/command")

    assert (done.returncode, done.stdout) == (3, "built without Python\n")
    assert "set XDG_CACHE_HOME" in done.stderr
    assert "runs without being reported" in done.stderr


def test_a_file_that_was_cut_off_runs_nothing_of_it(cell: Path) -> None:
    """A broken download is no agent; what was unpacked of it is removed."""
    whole = (cell / "agent").read_bytes()
    (cell / "agent").write_bytes(whole[: len(whole) // 2] + whole[-40:])
    done = in_cell(cell, "/agent", "run", "--", "/command", HOME="/home")

    assert (done.returncode, done.stdout) == (3, "built without Python\n")
    left = [path for folder in (cell / "home", cell / "tmp") for path in folder.rglob("*") if path.is_file()]
    assert left == []


def test_it_needs_no_newer_c_library_than_this_machine_s() -> None:
    """The launcher none at all, and what it unpacks the one that `make agent-binary` named."""
    listed = subprocess.run(["file", "-L", BINARY], capture_output=True, text=True, check=False).stdout
    symbols = subprocess.run(["objdump", "-T", BINARY], capture_output=True, text=True, check=False).stdout

    assert not listed or "statically linked" in listed
    assert not re.search(r"GLIBC_", symbols)


def test_a_start_costs_what_the_wheel_s_costs(tmp_path: Path) -> None:
    """CPU of `run -- true`, the least of five, beside the same release as it is installed here."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}

    def cpu(*program: str | Path) -> float:
        def once() -> float:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([*program, "run", "--project", "p", "--", "true"], env=environment, check=True, timeout=60)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

        once()
        return min(once() for _ in range(5))

    wheel, binary = cpu(sys.executable, "-m", "build_dashboard"), cpu(BINARY)
    print(f"run -- true: {binary * 1000:.0f} ms of CPU; the wheel's: {wheel * 1000:.0f} ms")
    assert binary < 1.25 * wheel + 0.01
