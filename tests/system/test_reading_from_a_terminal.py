"""A broken commit is understood from a terminal: which build, which error, whose, how to see it again."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
from build_dashboard.cli.commands import app
from build_protocol.ids import short_id
from build_protocol.views import Build, BuildDetail
from build_testkit.apart import run_apart
from build_testkit.repository import Repository
from build_testkit.stack import Stack, embedded_stack, wait_until
from mcp import Client, StdioServerParameters
from mcp.types import TextContent
from typer.testing import CliRunner, Result

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = 180
PROJECT = "kiln"
GOOD = "int fired() { return 1; }\n"
BAD = "int fired() {\n  return heat;\n}\n"
ERROR = "was not declared in this scope"


class Broken(NamedTuple):
    """A repository with a good commit and a bad one, each built by two configs."""

    path: Path
    commit: str
    builds: dict[str, str]


def run(stack: Stack, cwd: Path, *arguments: str, **environment: str) -> Result:
    """A command as it is in a process of its own, without the price of one."""
    with chdir(cwd):
        return CliRunner().invoke(app, list(arguments), env=stack.agent_environment | environment)


def build(stack: Stack, tree: Path, config: str, script: str) -> str:
    """Build through the agent; the build's id once its verdict is known."""
    options = ("--config-name", config, "--origin", "ci", "--branch", "main", "--linger", "30")
    subprocess.run(
        stack.agent_command(PROJECT, "sh", "-c", script, options=options),
        cwd=tree,
        env=stack.agent_environment,
        check=False,
        stdout=subprocess.DEVNULL,
        timeout=120,
    )
    newest: str = stack.get(f"/api/builds?project={PROJECT}&config={config}&limit=1")["items"][0]["id"]
    stack.wait_for_build(newest, lambda build: build["status"] in ("succeeded", "failed"), SECONDS)
    return newest


@pytest.fixture(scope="module")
def broken(embedded: Stack, tmp_path_factory: pytest.TempPathFactory) -> Broken:
    tree = Repository(tmp_path_factory.mktemp("tree") / PROJECT).create()
    (tree.path / "kiln.cpp").write_text(GOOD)
    tree.commit("Fire the kiln")
    compile_it = "g++ -c kiln.cpp -o /dev/null && echo fired"
    build(embedded, tree.path, "release", compile_it)
    (tree.path / "kiln.cpp").write_text(BAD)
    commit = tree.commit("Fire it hotter")
    builds = {
        config: build(embedded, tree.path, config, f"echo {config}; {compile_it}") for config in ("release", "asan")
    }
    wait_until(
        lambda: embedded.get(f"/api/incidents?project={PROJECT}")["items"], SECONDS, "the incident of the broken commit"
    )
    return Broken(tree.path, commit, builds)


def test_why_gives_everything_that_is_needed_in_one_answer(embedded: Stack, broken: Broken) -> None:
    """Error first, then where, whose, the lines around it, the command that shows it again, and the suspect."""
    answer = run(embedded, broken.path, "why", broken.builds["release"][-8:])

    assert (answer.exit_code, answer.stderr) == (0, "")
    lines = answer.stdout.splitlines()
    assert ERROR in lines[0]
    assert lines[2] == "kiln.cpp:2:10"
    assert "verdict: new" in answer.stdout
    assert any(line.startswith(">") and "error:" in line for line in lines)
    assert "|          ^~~~" in answer.stdout
    assert f"git checkout {broken.commit}" in answer.stdout
    assert f"cd {broken.path}" in answer.stdout
    assert "suspects (1):" in answer.stdout
    assert "Fire it hotter" in answer.stdout
    line = next(each for each in lines if each.startswith(">")).split()[1]
    assert lines[-1] == f"{embedded.url}/builds/{broken.builds['release']}#L{line}"


def test_why_of_a_commit_explains_each_different_failure_once(embedded: Stack, broken: Broken) -> None:
    """Two configs that fail alike are one explanation; the checkout's commit is meant where none is named."""
    named = run(embedded, broken.path, "why", broken.commit[:10])
    unnamed = run(embedded, broken.path, "why")

    assert named.exit_code == 0
    assert named.stdout.splitlines()[0] == f"{broken.commit[:12]} failed: 2 failed"
    assert named.stdout.count("suspects (1):") == 1
    assert unnamed.stdout == named.stdout


@pytest.mark.parametrize("tokens", [100, 200, 400])
def test_why_never_exceeds_its_tokens(embedded: Stack, broken: Broken, tokens: int) -> None:
    """What is left out is the least of it: the error and the address stay, and that it is cut, too."""
    for name in (broken.builds["release"], broken.commit):
        answer = run(embedded, broken.path, "why", name, "--max-tokens", str(tokens)).stdout.strip()
        assert len(answer) <= tokens * 3
        assert ERROR in answer
        assert "/builds/" in answer


def test_a_failed_build_is_found_and_read_by_what_failed(embedded: Stack, broken: Broken) -> None:
    """`builds --failed` has the errors, `logs --failed` only the lines around them, `status` says what broke where."""
    listed = run(embedded, broken.path, "builds", "--failed", "--project", PROJECT).stdout
    assert listed.count(ERROR) == 2
    assert "succeeded" not in listed
    read = run(embedded, broken.path, "logs", "--failed", broken.builds["release"])
    assert ERROR in read.stdout
    assert [line[0] for line in read.stdout.splitlines() if ERROR in line] == [">"]
    state = run(embedded, broken.path, "status")
    assert (state.exit_code, state.stdout.count(ERROR)) == (1, 2)


def test_the_list_fits_a_terminal_of_80_columns(embedded: Stack, broken: Broken) -> None:
    """No line is wrapped, and the id in front of each is one that the other commands take."""
    long = "clang-19-debug-assertions-asan-ubsan-x86_64-linux"
    build(embedded, broken.path, long, "true")
    shown = in_terminal(embedded, broken.path, "builds", "--project", PROJECT, columns=80)

    assert max(len(line) for line in shown) <= 80
    first = next(line for line in shown if line.startswith(broken.builds["release"][-8:]))
    assert first.split()[1] == "failed"
    assert any("…" in line and line.split()[4].startswith("clang") and "linux" in line for line in shown)


def test_watch_ends_as_the_build_does(embedded: Stack, broken: Broken, tmp_path: Path) -> None:
    """It waits while the build runs, and then exits with the command's own code, its first error printed."""
    gate = tmp_path / "gate"
    script = f"while [ ! -e {gate} ]; do sleep 0.1; done; g++ -c kiln.cpp -o /dev/null || exit 7"
    command = embedded.agent_command(
        PROJECT, "sh", "-c", script, options=("--config-name", "watched", "--origin", "local")
    )
    with subprocess.Popen(command, cwd=broken.path, env=embedded.agent_environment, stdout=subprocess.DEVNULL) as agent:
        (found,) = wait_until(
            lambda: embedded.get(f"/api/builds?project={PROJECT}&config=watched")["items"], SECONDS, "the build"
        )
        late = run(embedded, broken.path, "watch", found["id"], "--timeout", "1s")
        assert (late.exit_code, "it is not over" in late.stderr) == (124, True)
        watching = subprocess.Popen(
            [sys.executable, "-m", "build_dashboard", "watch", found["id"][-8:]],
            env=embedded.agent_environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        gate.touch()
        printed, _ = watching.communicate(timeout=SECONDS)
        agent.wait(SECONDS)

    assert watching.returncode == 7
    assert ERROR in printed.splitlines()[0]
    assert run(embedded, broken.path, "watch", broken.commit).exit_code == 1


def test_open_prints_the_page_where_there_is_no_browser(embedded: Stack, broken: Broken) -> None:
    """Of a build, of a commit, and of what runs."""
    addresses = {
        (broken.builds["asan"][-8:],): f"{embedded.url}/builds/{broken.builds['asan']}",
        (broken.commit[:9],): f"{embedded.url}/c/{broken.commit}",
        (): embedded.url,
    }
    for name, address in addresses.items():
        assert run(embedded, broken.path, "open", "--url", *name).stdout.strip() == address
    nowhere = run(embedded, broken.path, "open", BROWSER="", PATH="/nowhere")
    assert (nowhere.exit_code, embedded.url in nowhere.stdout) == (0, True)


def test_logs_of_a_commit_are_searched_like_files(embedded: Stack, broken: Broken) -> None:
    """Every log of the commit by words or by a pattern, exit codes as grep's; what is new since green is named."""
    found = run(embedded, broken.path, "search", "--regex", r"^kiln\.cpp:\d+:\d+: error")
    of_all = run(embedded, broken.path, "search", "fired", "--branch", "main", "--status", "succeeded")
    none = run(embedded, broken.path, "search", "no such words", "--commit", broken.commit[:8])
    broken_pattern = run(embedded, broken.path, "search", "--regex", "(")
    new = run(embedded, broken.path, "logs", "--new", broken.builds["release"])
    first_of_all = run(embedded, broken.path, "logs", "--new", broken.builds["asan"])

    assert (found.exit_code, "hits in the logs of" in found.stderr) == (0, True)
    assert all(short_id(broken.builds[config]) in found.stdout for config in ("release", "asan"))
    assert (of_all.exit_code, of_all.stdout.count("fired")) == (0, 1)
    assert (none.exit_code, none.stdout) == (1, "")
    assert (broken_pattern.exit_code, "regular expression" in broken_pattern.stderr) == (2, True)
    assert (new.exit_code, ERROR in new.stdout) == (0, True)
    assert (first_of_all.stdout, "no green build" in first_of_all.stderr) == ("", True)


def test_what_programs_read_is_as_its_schema_says(embedded: Stack, broken: Broken) -> None:
    """`build-dashboard schema COMMAND` describes what `COMMAND --json` prints."""
    release = broken.builds["release"]
    printed = {
        "builds": run(embedded, broken.path, "builds", "--json", "--project", PROJECT),
        "search": run(embedded, broken.path, "search", "--json", "error"),
        "show": run(embedded, broken.path, "show", "--json", release),
        "status": run(embedded, broken.path, "status", "--json"),
        "why": run(embedded, broken.path, "why", "--json", broken.commit),
        "watch": run(embedded, broken.path, "watch", "--json", release),
    }
    for command, answer in printed.items():
        schema = json.loads(run(embedded, broken.path, "schema", command).stdout)
        jsonschema.validate(json.loads(answer.stdout), schema, jsonschema.Draft202012Validator)
    refused = run(embedded, broken.path, "schema", "keys")
    assert (refused.exit_code, "builds, " in refused.stderr) == (1, True)
    assert [Build.model_validate(item).id for item in json.loads(printed["builds"].stdout)][-1]
    assert BuildDetail.model_validate_json(printed["show"].stdout).id == release
    assert len(json.loads(printed["why"].stdout)["explanations"]) == 1


def test_a_model_reads_builds_and_changes_nothing(embedded: Stack, broken: Broken) -> None:
    """By the Model Context Protocol: why, lists, log lines and search, each bounded; refusals are in words."""
    run_apart(read_as_a_model(embedded, broken))


async def read_as_a_model(embedded: Stack, broken: Broken) -> None:
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "build_dashboard", "mcp"], env=embedded.agent_environment
    )
    release = broken.builds["release"]
    async with Client(parameters) as model:
        tools = (await model.list_tools()).tools
        assert [tool.name for tool in tools if not (tool.annotations and tool.annotations.read_only_hint)] == []

        async def ask(tool: str, **arguments: Any) -> str:
            answer = await model.call_tool(tool, arguments)
            return "\n".join(part.text for part in answer.content if isinstance(part, TextContent))

        why = await ask("why", name=broken.commit, max_tokens=150)
        assert ERROR in why
        assert len(why) <= 150 * 3
        assert release[-8:] in await ask("list_builds", project=PROJECT, status="failed")
        assert "1 suspects" in await ask("list_incidents", project=PROJECT)
        found = await ask("search_log", build=release[-8:], pattern="HEAT.*declared")
        assert found.splitlines()[-1] == "(1 lines match)"
        number = found.partition(":")[0]
        assert ERROR in await ask("read_log", build=release, first=int(number), count=1)
        assert await ask("list_pins") == "no pins"
        assert "is no build id" in await ask("read_log", build="newest")


def in_terminal(stack: Stack, cwd: Path, *arguments: str, columns: int) -> list[str]:
    """What a terminal of this width shows, without its colours."""
    ours, theirs = pty.openpty()
    environment = stack.agent_environment | {"COLUMNS": str(columns), "TERM": "dumb"}
    command = [sys.executable, "-m", "build_dashboard", *arguments]
    shown = b""
    with subprocess.Popen(command, cwd=cwd, env=environment, stdout=theirs, stdin=theirs) as process:
        os.close(theirs)
        while True:
            try:
                read = os.read(ours, 65536)
            except OSError:
                break
            if not read:
                break
            shown += read
        process.wait(SECONDS)
    os.close(ours)
    return shown.decode().replace("\r", "").splitlines()


@pytest.fixture
def leaving(tmp_path: Path) -> Iterator[Stack]:
    """A system that a test may stop; its tokens live for two seconds."""
    with embedded_stack(tmp_path, {"GATEWAY_ACCESS_SECONDS": "2"}) as stack:
        yield stack


def test_a_followed_log_survives_the_dashboard(leaving: Stack, tmp_path: Path) -> None:
    """Killed and started again, and the login long expired: every line is printed once, in order."""
    gate, count = tmp_path / "gate", 400
    script = f"seq 1 {count}; while [ ! -e {gate} ]; do sleep 0.1; done; seq {count + 1} {2 * count}"
    with leaving.streaming(PROJECT, "sh", "-c", script):
        (found,) = wait_until(lambda: leaving.get(f"/api/builds?project={PROJECT}")["items"], SECONDS, "the build")
        leaving.wait_for_build(found["id"], lambda build: build["logLines"] >= count, SECONDS)
        following = subprocess.Popen(
            [sys.executable, "-m", "build_dashboard", "logs", "-f", found["id"]],
            env=leaving.agent_environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert following.stdout is not None
        first = [following.stdout.readline() for _ in range(count)]
        leaving.processes["embedded"].send(signal.SIGKILL)
        assert following.stderr is not None
        assert "trying again" in following.stderr.readline()
        leaving.processes["embedded"].restart(signal.SIGKILL)
        gate.touch()
        rest, _ = following.communicate(timeout=SECONDS)

    assert following.returncode == 0
    assert [*first, *rest.splitlines(keepends=True)] == [f"{number}\n" for number in range(1, 2 * count + 1)]
