"""`run` must cost a build nothing: what it imports, and what the documents say of it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from build_dashboard.cli.run import parse
from build_dashboard.evidence.checkout_facts import without_credentials
from build_dashboard.evidence.facts import environment_facts

pytestmark = pytest.mark.slow

HEAVY = {"pydantic", "typer", "rich", "httpx", "websockets", "asyncio", "yaml", "hyperscan"}
ROOT = Path(__file__).parents[3]


def imported(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout.decode().split())


def test_command_does_not_wait_for_heavy_imports() -> None:
    """Up to the command's start nothing is imported that only the dashboard needs."""
    assert not imported("import build_dashboard.cli.run") & HEAVY


def test_wrapping_needs_no_models() -> None:
    """A whole `run` works without pydantic and the command line's libraries: they cost a third of a second."""
    statement = "import build_dashboard.builds.wrapping, build_dashboard.delivery.connection"
    assert not imported(statement) & {"pydantic", "typer", "rich", "httpx"}


def test_holder_imports_next_to_nothing() -> None:
    """The process beside every build knows no thread, no JSON and no regular expression."""
    code = "import sys; sys.path.append(sys.argv[1]); import build_dashboard.holder.process; print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-E", "-c", code, str(ROOT / "libs/agent/src")]
    modules = set(subprocess.run(command, check=True, capture_output=True).stdout.decode().split())

    assert not modules & (HEAVY | {"json", "subprocess", "threading", "pathlib", "re", "typing"})


def test_every_variable_is_documented() -> None:
    """Each environment variable that the agent reads is in docs/agent.md."""
    page = (ROOT / "docs/agent.md").read_text()
    source = "".join(path.read_text() for path in (ROOT / "libs/agent/src").rglob("*.py"))
    read = set(re.findall(r"environ(?:ment)?(?:\.get\(|\[)\"(BUILD_DASHBOARD_\w+|WS_\w+)\"", source))

    assert len(read) > 5
    assert {name for name in read if f"`{name}`" not in page} == set()


def test_every_option_is_parsed() -> None:
    """The options of DESIGN are there, and the command is left alone."""
    options = parse(["--project", "p", "--origin", "local", "--artifact", "*.so", "--", "ninja", "--project", "x"])

    assert (options.origin, options.artifact, options.command) == ("local", ["*.so"], ["ninja", "--project", "x"])


def test_credentials_stay_here() -> None:
    """Neither a repository's address nor the environment gives a password away."""
    assert without_credentials("https://user:pass@host/x.git?t=1") == "https://host/x.git"
    assert without_credentials("git@host:x.git") == "git@host:x.git"
    sent = environment_facts({"CC": "clang", "CI_JOB_TOKEN": "x", "HOME": "/h", "CMAKE_API_KEY": "y", "CI": "true"})
    assert sent == {"CC": "clang", "CI": "true"}
