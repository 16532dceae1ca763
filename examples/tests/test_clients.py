"""Clients written from docs/protocol.md alone report and follow a build, across a restart of the dashboard."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from build_testkit.server import cannot_be_had
from build_testkit.stack import Stack, embedded_stack, wait_until

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "examples" / "clients"
BEFORE, AFTER = [f"line {number}" for number in range(200)], ["snow \u2603", "", "the end"]
BUILD = """import pathlib, sys, time
for number in range(200): print("line", number, flush=True)
while not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.05)
print("snow \\u2603\\n\\nthe end", flush=True)
sys.exit(3)"""
SECONDS = 60


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The TypeScript client as JavaScript, once the compiler has found no fault in it."""
    node = shutil.which("node")
    if node is None or not (ROOT / "node_modules" / "typescript").exists():
        cannot_be_had("the TypeScript client needs node and `npm ci`")
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "package.json").write_text('{"type": "module"}')
    options = ("--strict", "--target", "es2023", "--module", "nodenext", "--lib", "es2023,dom", "--types", "node")
    script = ROOT / "node_modules" / "typescript" / "bin" / "tsc"
    command: list[str | Path] = [
        node,
        script,
        *options,
        "--typeRoots",
        ROOT / "node_modules" / "@types",
        "--outDir",
        folder,
    ]
    done = subprocess.run([*command, CLIENTS / "follow_build.ts"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    return folder / "follow_build.js"


@pytest.mark.slow
def test_clients_written_from_the_docs_lose_nothing(compiled: Path, tmp_path: Path) -> None:
    """Both followers print every line once, in order, though the dashboard restarts in the middle of the build."""
    gate = tmp_path / "gate"
    with embedded_stack(tmp_path) as stack, ExitStack() as running:
        report: list[str | Path] = [
            sys.executable,
            CLIENTS / "report_build.py",
            "documented",
            sys.executable,
            "-c",
            BUILD,
            gate,
        ]
        agent = running.enter_context(_started(stack, report, tmp_path / "agent"))
        build_id = wait_until(lambda: _build(stack), SECONDS, "the build is shown")
        followers: dict[str, list[str | Path]] = {
            "python": [sys.executable, CLIENTS / "follow_build.py", build_id],
            "typescript": ["node", *_flags(), compiled, build_id],
        }
        clients = [running.enter_context(_started(stack, each, tmp_path / name)) for name, each in followers.items()]
        wait_until(
            lambda: all(BEFORE[150] in _lines(tmp_path / name) for name in followers), SECONDS, "both follow the build"
        )

        stack.processes["embedded"].restart()
        gate.touch()

        assert [process.wait(SECONDS) for process in (agent, *clients)] == [0, 0, 0], _errors(tmp_path)
        build = stack.get(f"/api/builds/{build_id}")
        assert (build["status"], build["exitCode"], build["verified"]) == ("failed", 3, True)
        assert {name: _lines(tmp_path / name) for name in followers} == dict.fromkeys(followers, BEFORE + AFTER)


def _flags() -> list[str]:
    """Node 20 and 21 have a WebSocket that must be asked for."""
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    return ["--experimental-websocket"] if int(version[1:].split(".")[0]) < 22 else []


@contextmanager
def _started(stack: Stack, command: list[str | Path], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    with output.open("wb") as out, output.with_suffix(".errors").open("wb") as errors:
        process = subprocess.Popen(
            command, env=stack.agent_environment | {"PYTHONUTF8": "1"}, stdout=out, stderr=errors
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _build(stack: Stack) -> str | None:
    builds = stack.get("/api/builds?project=documented")["items"]
    return builds[0]["id"] if builds else None


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def _errors(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text()[-2000:] for path in folder.glob("*.errors")}
