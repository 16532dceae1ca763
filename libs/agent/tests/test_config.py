"""Settings that are missing or wrong: one sentence that names the place, whoever reads them, and never a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest
from build_dashboard.config import find_backoff
from build_dashboard.config_error import ConfigError
from build_dashboard.daemon.daemon import buildable, serve
from build_dashboard.delivery.backoff import Backoff
from build_dashboard.endpoint import websocket_url

SEED = """
from build_dashboard import BuildAgent

agent = BuildAgent(
    project_name="torch-mlir",
    api_key="your_api_key",
    ws_endpoint="wss://your-api-gateway-url"
)

@agent.on_build_start
def handle_build_start(build_id):
    print(f"Build {build_id} started")

@agent.on_build_complete
def handle_build_complete(build_id, status):
    print(f"Build {build_id} completed with status: {status}")

agent.start()
"""

P = "projects:\n  p:\n    "
WRONG = {
    "nothing in it": ("", "must be a mapping"),
    "another tool's": ("version: 2\njobs: {}\n", "projects: it is missing"),
    "a list": ("- projects\n", "must be a mapping"),
    "a word": ("projects\n", "must be a mapping"),
    "no projects": ("projects: 7\n", "projects: "),
    "none that can be built": ("projects: {}\n", "nothing to build"),
    "a project of another type": ("projects:\n  p: [make]\n", "projects.p: "),
    "an unknown field": (f"{P}build_comand: make\n", "projects.p.build_comand: there is no such field"),
    "an unknown field of the file": (f"project: x\n{P}branch: x\n", "project: there is no such field"),
    "a number for a text": (f"{P}branch: 1.5\n", "projects.p.branch: "),
    "a text for a number": (f"{P}poll_seconds: often\n", "projects.p.poll_seconds: "),
    "two that exclude each other": (f"{P}every_commit: true\n    cancel_superseded: true\n", "exclude each other"),
    "a name of another type": ("projects:\n  7:\n    branch: x\n", "projects.7: "),
    "a name that is none": ("projects:\n  LLVM: {}\n", "projects.LLVM: "),
    "a branch that is none": (f"{P}branch: a..b\n", "projects.p.branch: 'a..b' is no name of a branch"),
    "no YAML": ("projects: [\n", "is no YAML"),
    "tabs": ("projects:\n\tp: {}\n", "is no YAML"),
    "an object": ("projects: !!python/object/apply:os.getcwd []\n", "is no YAML"),
    "control characters": ("projects: \x01\n", "is no YAML"),
    "digits without end": (f"{P}poll_seconds: {'9' * 5000}\n", "is no YAML"),
    "no date": (f"{P}branch: 2026-13-45\n", "is no YAML"),
    "depth without end": ("[" * 600, "nested too deeply"),
}


@pytest.mark.parametrize(("text", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_sentence(tmp_path, text, words) -> None:
    """The file, the place in it and what is wrong there; the command exits with 2, and reconnecting goes by default."""
    path = tmp_path / "config.yaml"
    path.write_text(text)
    sentences: list[str] = []

    assert serve(path, None, tell=sentences.append) == 2
    (sentence,) = sentences
    assert sentence.startswith(f"build-dashboard: {path}")
    assert words in sentence
    assert "\n" not in sentence
    assert find_backoff("p", path).next_wait(1.0) == Backoff().next_wait(1.0)


def test_a_file_that_is_no_text_is_named(tmp_path) -> None:
    """Bytes that are no UTF-8, a directory, and nothing at all."""
    (tmp_path / "latin").write_bytes(b"projects: \xe9\n")
    for name, words in {"latin": "is no YAML", ".": "cannot be read", "none": "is not there"}.items():
        with pytest.raises(ConfigError, match=words):
            buildable(tmp_path / name, None)


def test_a_project_asked_for_must_be_there_and_buildable(tmp_path) -> None:
    """One that is not built here is not left out in silence."""
    path = tmp_path / "config.yaml"
    path.write_text("projects:\n  p:\n    repo_url: x\n    build_command: make\n  q: {}\n")

    assert list(buildable(path, None)) == ["p"]
    with pytest.raises(ConfigError, match=r"projects\.q: nothing to build without repo_url and build_command"):
        buildable(path, ["p", "q"])
    with pytest.raises(ConfigError, match="has no project r"):
        buildable(path, ["r"])


def test_all_faults_are_counted(tmp_path) -> None:
    """The first is named, and how many more there are."""
    path = tmp_path / "config.yaml"
    path.write_text(f"{P}one: 1\n    two: 2\n    branch: x\n")
    with pytest.raises(ConfigError, match=r"projects\.p\.one: there is no such field \(and 1 more\)"):
        buildable(path, None)


@pytest.mark.parametrize("address", ["", "wss://", "ftp://host", "wss://host:port", "wss://[::1", "https://:443"])
def test_what_is_no_address_is_refused(address) -> None:
    """Before anything is dialled."""
    with pytest.raises(ConfigError, match="is no address"):
        websocket_url(address or "ws://")


@pytest.mark.slow
@pytest.mark.parametrize("config", [None, "projects: [\n", "projects:\n  other: {}\n", f"{P}x: 1\n"])
def test_the_founding_documents_program_ends_in_a_sentence(tmp_path, config) -> None:
    """Without a config.yaml that it can serve, `agent.start()` says so in one line and exits with 1."""
    if config is not None:
        (tmp_path / "config.yaml").write_text(config)
    done = _python(tmp_path, SEED)

    assert done.returncode == 1
    assert done.stderr.startswith("build-dashboard: config.yaml")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.slow
def test_a_program_may_catch_what_is_wrong(tmp_path) -> None:
    """As an error like any other, in the main thread and beside it."""
    caught = SEED.replace("agent.start()", "try:\n    agent.start()\nexcept Exception as e:\n    print('caught', e)")

    assert _python(tmp_path, caught).stdout.startswith("caught config.yaml is not there")


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(f"{P}repo_url: {tmp_path}/none\n    build_command: make\n    build_dir: {tmp_path}/build\n")
    return path


def _python(directory: Path, program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=30, check=False)
