"""`run` must cost a build nothing: what it imports, and what the documents say of it."""

import json
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from build_dashboard.builds.run_options import RunOptions, parse, parser, read_usual
from build_dashboard.cli.other_commands import GROUP, other_commands
from build_dashboard.evidence.checkout_facts import without_credentials
from build_dashboard.evidence.facts import environment_facts
from build_dashboard.recording.places import json_text

pytestmark = pytest.mark.slow

HEAVY = {"pydantic", "typer", "rich", "httpx", "websockets", "asyncio", "yaml", "hyperscan"}
ROOT = Path(__file__).parents[3]


def imported(statement: str, *, whole: bool = False) -> set[str]:
    name = "name" if whole else "name.partition('.')[0]"
    code = f"import sys\n{statement}\nprint(*{{{name} for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout.decode().split())


def test_command_does_not_wait_for_heavy_imports() -> None:
    """Up to the command's start nothing is imported that only the dashboard needs."""
    assert not imported("import build_dashboard.cli.run") & HEAVY


def test_command_waits_for_these_modules_only() -> None:
    """What `run` imports before its command starts, beside what Python itself loads: a longer list is a later start."""
    bare = imported("pass", whole=True)
    modules = imported("import build_dashboard.cli.run", whole=True) - bare

    assert {name for name in modules if name.partition(".")[0].startswith("build_")} == {
        *("build_dashboard", "build_dashboard.builds", "build_dashboard.builds.console", "build_dashboard.cli"),
        *("build_dashboard.builds.run_options", "build_dashboard.cli.run", "build_dashboard.evidence"),
        *("build_dashboard.evidence.build_tree", "build_dashboard.holder", "build_dashboard.holder.holding"),
        *("build_dashboard.holder.raw", "build_dashboard.holder.signals", "build_dashboard.recording"),
        *("build_dashboard.recording.places", "build_dashboard.redaction", "build_dashboard.redaction.own_key"),
        "build_dashboard.spool_path",
        *("build_protocol", "build_protocol.new_id"),
    }
    assert not modules & {"argparse", "json", "re", "typing", "dataclasses", "inspect", "pathlib", "subprocess"}
    assert not modules & {"hashlib", "logging", "socket", "threading", "shutil", "tempfile", "urllib", "uuid"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--project", "p", "--", "true"],
        ["--project=p", "--config-name=a=b", "--", "sh", "-c", "exit 3", "--", "--quiet"],
        ["--project", "p", "--junit", "a", "--junit=b", "--artifact", "*.so", "--timeout", "3", "--quiet", "--", "x"],
        ["--project", "p", "--origin", "ci", "--wait", "90s", "--linger", "0", "--tty", "--keep-key", "--", "x"],
        ["--project", "p", "--commit", "", "--branch=", "--", "x"],
        ["--resume", "--wait=10m"],
    ],
)
def test_usual_options_are_read_as_argparse_reads_them(arguments) -> None:
    """The short way and the long way agree, to the last value."""
    usual = read_usual(arguments)
    assert usual is not None
    whole = parser().parse_args(arguments, RunOptions())
    whole.command = whole.command[1:] if whole.command[:1] == ["--"] else whole.command

    assert vars(usual) == vars(whole)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--proj", "p", "--", "x"],
        ["--project", "--", "x"],
        ["--project"],
        ["--project", "p", "ninja"],
        ["--project", "p", "--quiet=1", "--", "x"],
        ["--project", "p", "--origin", "mine", "--", "x"],
        ["--project", "p", "--timeout", "soon", "--", "x"],
        ["--project", "p", "--linger", "-1", "--", "x"],
        ["--project", "p", "--wait", "long", "--", "x"],
    ],
)
def test_unusual_options_are_left_to_argparse(arguments) -> None:
    """Abbreviations, mistakes and requests for help are nothing to be quick about."""
    assert read_usual(arguments) is None


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, -2, True, False, None, ""], "b": {}},
        ['"\\\n\x00\x7f/', "ünï \u2028 \U0001f6e0", "\udcff lone"],
        {"startedAt": 2**53},
    ],
)
def test_first_facts_are_written_as_the_library_writes_them(value) -> None:
    """Whoever adopts the build reads them by the library."""
    assert json.loads(json_text(value)) == value


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


def test_commands_of_other_distributions_are_found_as_the_library_finds_them() -> None:
    """Read from the installers' files, by hand: all that `importlib.metadata` knows of this environment."""
    known = {entry.name: entry.value for entry in entry_points(group=GROUP)}

    assert known
    assert other_commands() == known


def test_entry_points_are_read_whatever_stands_beside_them(tmp_path) -> None:
    """Other groups, comments, extras, damaged files, paths that are none."""
    for name, text in {
        "one-1.dist-info": "[console_scripts]\nup = n:n\n[build_dashboard.commands]\n# up = n:n\nup = a.b:c [fast]\n",
        "two-1.dist-info": "[build_dashboard.commands]\nup=second:loses\nserve=d:e\n[other]\nx = no:no\n",
        "none-1.dist-info": "",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "entry_points.txt").write_text(text)
    (tmp_path / "bad-1.dist-info").mkdir()
    (tmp_path / "bad-1.dist-info/entry_points.txt").write_bytes(b"\xff")

    assert other_commands(["/proc/none", str(tmp_path)]) == {"up": "a.b:c", "serve": "d:e"}


def test_help_loads_no_network() -> None:
    """`--help` is answered without what only talking to the dashboard needs."""
    modules = imported("import build_dashboard.cli.commands")

    assert not modules & {"httpx", "websockets", "asyncio", "pydantic", "rich", "yaml"}
