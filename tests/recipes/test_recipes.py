"""Every recipe for build machines works as it stands: its own words are run, and the build is on the dashboard."""

import importlib.util
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from build_testkit.oidc_issuer import issuing
from build_testkit.stack import Stack, embedded_stack, free_port, wait_until

pytestmark = pytest.mark.slow

TOOLS = Path(sys.executable).parent


@pytest.fixture
def machine(embedded: Stack, tmp_path: Path) -> dict[str, str]:
    """The environment of a build machine: the agent on its PATH, a home, and the way to the dashboard."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".build-dashboard").write_text(
        f"export WS_ENDPOINT={embedded.agent_environment['WS_ENDPOINT']} BUILD_DASHBOARD_API_KEY={embedded.api_key}\n"
    )
    return {
        "PATH": f"{TOOLS}:{os.environ['PATH']}",
        "HOME": str(tmp_path / "home"),
        "LANG": "C.UTF-8",
        "BUILD_DASHBOARD_SPOOL": str(tmp_path / "spool"),
    }


@pytest.fixture
def reached(machine: dict[str, str], embedded: Stack) -> dict[str, str]:
    """The same with the two variables that a machine's owner sets."""
    return machine | {
        "WS_ENDPOINT": embedded.agent_environment["WS_ENDPOINT"],
        "BUILD_DASHBOARD_API_KEY": embedded.api_key,
    }


@pytest.fixture
def newest(embedded: Stack) -> Callable[..., dict[str, Any]]:
    """`newest(project)`: its newest build, once it is over."""

    def find(project: str) -> dict[str, Any]:
        token = embedded.token()

        def look() -> dict[str, Any] | None:
            items = embedded.get(f"/api/builds?project={project}&limit=1", token)["items"]
            return items[0] if items and items[0]["status"] not in ("queued", "running") else None

        found: dict[str, Any] = wait_until(look, 30, f"a build of {project}", every=0.1)
        return found

    return find


def run(command: list[str], environment: Mapping[str, str], directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=dict(environment), cwd=directory, capture_output=True, text=True, timeout=90, check=False
    )


def move_artifact(uses: str, name: str, path: Path, directory: Path) -> None:
    """What GitHub's own actions do with an artifact: they keep regular files that are not hidden."""
    kept = directory / "artifacts" / name
    if uses.startswith("actions/upload-artifact@"):
        for file in path.rglob("*"):
            place = file.relative_to(path)
            if file.is_dir() or any(part.startswith(".") for part in place.parts):
                continue
            assert stat.S_ISREG(file.lstat().st_mode), f"{place} cannot be packed"
            (kept / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, kept / place)
    else:
        assert uses.startswith("actions/download-artifact@")
        shutil.copytree(kept, path)


def run_action(action: Path, inputs: Mapping[str, str], environment: Mapping[str, str], directory: Path) -> list[int]:
    """Run a composite action's steps as a GitHub runner does; their exit codes."""
    described = yaml.safe_load(action.read_text())
    assert set(inputs) <= set(described["inputs"])
    given = {name: str(facts.get("default", "")) for name, facts in described["inputs"].items()} | dict(inputs)

    def fill(text: str) -> str:
        text = text.replace("${{ runner.temp }}", str(directory))
        return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: given[match[1]], text)

    path_file = directory / "github_path"
    path_file.touch()
    codes: list[int] = []
    for step in described["runs"]["steps"]:
        if "uses" in step:
            move_artifact(step["uses"], fill(step["with"]["name"]), Path(fill(step["with"]["path"])), directory)
            continue
        assert "${{" not in step["run"], "an input pasted into a script is code"
        if any(codes) and step.get("if") != "always()":
            continue
        added = path_file.read_text().split()
        variables = {
            **environment,
            **{name: fill(value) for name, value in step.get("env", {}).items()},
            "PATH": ":".join([*added, environment["PATH"]]),
            "GITHUB_PATH": str(path_file),
            "GITHUB_ACTION_PATH": str(action.parent),
            "RUNNER_TEMP": str(directory),
            "CI": "true",
        }
        place = directory / fill(step.get("working-directory", "."))
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        codes.append(run(shell, variables, place).returncode)
    return codes


@pytest.mark.parametrize(
    ("ending", "codes", "status"), [("true", [0, 0, 0], "succeeded"), ("exit 3", [0, 3, 0], "failed")]
)
def test_github_action(repository, machine, embedded, tmp_path, newest, ending, codes, status) -> None:  # noqa: PLR0917
    """The composite action builds, uploads, passes on the exit code, and delivers even then."""
    project = f"action-{status}"
    (tmp_path / "sub").mkdir()
    inputs = {
        "command": f"echo 'it is \"quoted\"' | cat\necho wheel > a.whl\n{ending}",
        "project": project,
        "endpoint": embedded.agent_environment["WS_ENDPOINT"],
        "api-key": embedded.api_key,
        "config-name": "release",
        "artifacts": "*.whl\n",
        "working-directory": "sub",
    }
    assert run_action(repository / "deploy/github-action/action.yml", inputs, machine, tmp_path) == codes

    build = newest(project)
    assert (build["status"], build["config"]) == (status, "release")
    assert embedded.get_bytes(f"/api/builds/{build['id']}/logs?format=text").decode() == 'it is "quoted"\n'
    artifacts = embedded.get(f"/api/builds/{build['id']}/artifacts")["items"]
    assert "a.whl" in [artifact["name"] for artifact in artifacts]


def test_github_action_without_a_key(repository, machine, tmp_path) -> None:
    """A job that may have tokens needs no key: its build, its artifact and its end arrive by GitHub's own token."""
    with issuing() as issuer:
        entry = {"agent": "github", "issuer": issuer.url, "projects": ["keyless"]}
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        trusted = [{**entry, "audience": url, "claims": {"repository": "llvm/torch-mlir"}}]
        config = tmp_path / "config.yaml"
        config.write_text(yaml.safe_dump({"projects": {"keyless": {}}, "trusted_ci": trusted}))
        (tmp_path / "system").mkdir()
        with embedded_stack(tmp_path / "system", port=port, options=["--config", str(config)]) as stack:
            inputs = {"command": "echo wheel > a.whl", "project": "keyless", "endpoint": url, "artifacts": "*.whl"}
            job = {**machine, **issuer.job}
            assert run_action(repository / "deploy/github-action/action.yml", inputs, job, tmp_path) == [0, 0, 0]

            (build,) = stack.get("/api/builds?project=keyless")["items"]
            assert (build["status"], build["agent"]) == ("succeeded", "github")
            artifacts = stack.get(f"/api/builds/{build['id']}/artifacts")["items"]
            assert ["a.whl"] == [artifact["name"] for artifact in artifacts]


def test_github_fork(repository, machine, embedded, tmp_path, newest) -> None:
    """Without a key the build is handed over; the base repository's job delivers it, as of the event's commit."""
    inputs = {"command": "echo made by a fork", "project": "claimed", "endpoint": "ws://127.0.0.1:9"}
    codes = run_action(repository / "deploy/github-action/action.yml", inputs, machine, tmp_path)
    run = {
        "id": 7,
        "run_attempt": 1,
        "head_sha": "0123456789" * 4,
        "head_branch": "fix",
        "html_url": "https://github.example/runs/7",
        "run_started_at": "2026-11-30T10:00:00Z",
        "pull_requests": [],
        "head_repository": {"owner": {"login": "somebody"}},
    }
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"workflow_run": run}))
    given = {
        "project": "fork",
        "endpoint": embedded.agent_environment["WS_ENDPOINT"],
        "api-key": embedded.api_key,
    }
    job = {**machine, "GITHUB_EVENT_PATH": str(event)}
    codes += run_action(repository / "deploy/github-action/deliver/action.yml", given, job, tmp_path)

    build = newest("fork")
    assert codes == [0, 0, 0, 0, 0]
    assert (build["status"], build["commit"], build["branch"]) == ("succeeded", "0123456789" * 4, "somebody/fix")
    assert (build["origin"], build["untrusted"]) == ("premerge", True)
    assert embedded.get_bytes(f"/api/builds/{build['id']}/logs?format=text").decode() == "made by a fork\n"


def test_buildbot_steps(repository, reached, tmp_path, newest) -> None:
    """The arguments are a ShellCommand's; the commands in them work, the last one also when nothing is left."""
    path = repository / "deploy/recipes/buildbot/build_dashboard_steps.py"
    spec = importlib.util.spec_from_file_location("build_dashboard_steps", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    step = module.shown("buildbot", ["sh", "-c", "echo from buildbot"], config_name="asan", workdir="build")

    assert (step["workdir"], step["interruptSignal"], step["haltOnFailure"]) == ("build", "TERM", True)
    assert run(step["command"], reached, tmp_path).stdout == "from buildbot\n"
    assert run(module.deliver()["command"], reached, tmp_path).returncode == 0
    assert (newest("buildbot")["config"], newest("buildbot")["status"]) == ("asan", "succeeded")


def test_jenkinsfile(repository, reached, tmp_path, newest) -> None:
    """Its `sh` steps run a real CMake project with the pipeline's variables."""
    text = (repository / "deploy/recipes/jenkins/Jenkinsfile").read_text()
    variables = dict(re.findall(r"^ +(BUILD_DASHBOARD_PROJECT) = '([^']*)'$", text, re.MULTILINE))
    build, deliver = re.findall(r"sh '''\n(.*?)'''", text, re.DOTALL)
    build = build.replace("\\\n", "")  # Groovy continues the line, before the shell sees it
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.20)\nproject(x NONE)\nadd_custom_target(hello ALL COMMAND echo built)\n"
    )
    done = run(["sh", "-xe", "-c", build], reached | variables | {"BRANCH_NAME": "feature/x"}, tmp_path)
    assert done.returncode == 0, done.stderr
    assert run(["sh", "-xe", "-c", deliver], reached | variables, tmp_path).returncode == 0

    found = newest("torch-mlir")
    assert (found["status"], found["branch"], found["config"]) == ("succeeded", "feature/x", "release")


def test_crontab(repository, machine, tmp_path, newest) -> None:
    """Its lines are cron's, and what they start builds a checkout in the home directory, quietly."""
    lines = (repository / "deploy/recipes/cron/crontab").read_text().splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    variables = dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))
    jobs = [line.split(" ", 5) for line in lines if not re.match(r"\w+=", line)]
    assert all(re.fullmatch(r"[\d*/,-]+", part) for job in jobs for part in job[:5])
    assert not any("%" in job[5] for job in jobs), "cron ends the command at a percent sign"

    home = Path(machine["HOME"])
    far, near = tmp_path / "far", home / "llvm-project"
    far.mkdir()
    (far / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.20)\nproject(x NONE)\nadd_custom_target(hello ALL COMMAND echo built)\n"
    )
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], [*identity, "commit", "-qm", "one"]):
        assert run(["git", *command], machine, far).returncode == 0
    assert run(["git", "clone", "-q", str(far), str(near)], machine, tmp_path).returncode == 0
    for job in jobs:
        done = run([variables["SHELL"], "-c", job[5]], machine | variables, home)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    found = newest("llvm-mlir")
    assert (found["status"], found["config"], found["branch"]) == ("succeeded", "nightly", "main")


def test_dockerfile_satisfies_its_linter(repository) -> None:
    """hadolint finds nothing, and builds do not run as root."""
    dockerfile = repository / "deploy/recipes/docker/Dockerfile"
    answer = run([str(TOOLS / "hadolint"), str(dockerfile)], os.environ, repository)

    assert (0, "") == (answer.returncode, answer.stdout)
    assert re.search(r"^USER 10001$", dockerfile.read_text(), re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile.read_text(), re.MULTILINE)
    assert all((repository / name).exists() for names in copied for name in names.split())


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_unit(repository, tmp_path) -> None:
    """systemd finds nothing to complain about; builds outlive a restart and another process's lack of memory."""
    text = (repository / "deploy/systemd/build-dashboard-agent.service").read_text()
    unit = tmp_path / "build-dashboard-agent.service"
    # The only complaint on a machine without the agent in /opt.
    unit.write_text(text.replace("/opt/build-dashboard/bin/build-dashboard", "/bin/true"))
    answer = run(["systemd-analyze", "verify", "--man=no", str(unit)], os.environ, tmp_path)

    complaints = [line for line in answer.stderr.splitlines() if unit.name in line]
    assert complaints == []
    assert {"KillMode=process", "OOMPolicy=continue", "Restart=always"} <= set(text.splitlines())


def test_doctor_finds_a_machine_well(reached, tmp_path) -> None:
    """On a machine set up as the recipes say, every check passes, the way of uploads included."""
    done = run(["build-dashboard", "doctor"], reached, tmp_path)

    assert done.returncode == 0, done.stdout
    assert "uploads: go to the dashboard" in done.stdout
    assert "clock:" in done.stdout
