"""What could not be found out about a build: named, with its reason and its remedy."""

import os
import subprocess
from pathlib import Path

import pytest
from build_dashboard.evidence import checkout_facts, facts
from build_dashboard.evidence.checkout_facts import git_facts
from build_dashboard.evidence.commit_range import range_fault
from build_dashboard.evidence.known_tools import KnownTools
from build_dashboard.evidence.missing import MissingFact
from build_protocol.messages import MissingFact as WireFact


def git(directory: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "protocol.file.allow=always")
    done = subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True)
    return done.stdout.decode().strip()


@pytest.fixture(autouse=True)
def no_ci(monkeypatch) -> None:
    monkeypatch.delenv("GITHUB_REF_NAME", raising=False)


@pytest.fixture
def checkout(tmp_path) -> Path:
    path = tmp_path / "checkout"
    path.mkdir()
    git(path, "init", "--quiet", "--initial-branch=main")
    for word in ("one", "two", "three"):
        git(path, "commit", "--quiet", "--allow-empty", "-m", word)
    return path


def missing(directory: Path) -> dict[str, MissingFact]:
    found = git_facts(str(directory))["missing"]
    for fact in found:
        WireFact.model_validate(fact.to_wire())
    return {fact.name: fact for fact in found}


def program(tmp_path: Path, script: str, monkeypatch) -> None:
    """This, and nothing else, is called git."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")


def test_nothing_is_missing_in_a_checkout_on_its_branch(checkout) -> None:
    """A remote that is not there is no fault."""
    assert missing(checkout) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a directory to another user needs root")
def test_a_checkout_of_another_user(checkout) -> None:
    """As in a container that builds as root: commit and branch name the setting that git wants, and it helps."""
    for path in (checkout, checkout / ".git"):
        os.chown(path, 12345, 12345)
    found = missing(checkout)

    assert set(found) == {"commit", "branch"}
    assert "belongs to another user" in found["commit"].reason
    command = found["commit"].remedy.split("`")[1]
    assert command == f"git config --global --add safe.directory {checkout}"
    trusting = ["-c", f"safe.directory={command.split()[-1]}"]
    assert subprocess.run(["git", *trusting, "rev-parse", "HEAD"], cwd=checkout, check=True, capture_output=True).stdout


def test_no_git_at_all(checkout, tmp_path, monkeypatch) -> None:
    """Named as that, not as a directory without a checkout."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert missing(checkout)["commit"].reason == "git is not installed on this machine"
    assert set(missing(checkout)) == {"commit", "branch"}


def test_a_git_that_hangs(checkout, tmp_path, monkeypatch) -> None:
    """It is given up, and the limit is named."""
    program(tmp_path, "exec sleep 20", monkeypatch)
    monkeypatch.setattr(checkout_facts, "LIMIT_SECONDS", 0.05)

    assert "no answer within 0.05 s" in missing(checkout)["commit"].reason


def test_a_git_that_fails_only_for_the_status(checkout, tmp_path, monkeypatch) -> None:
    """What it did say stands."""
    real = subprocess.run(["sh", "-c", "command -v git"], check=True, capture_output=True, text=True).stdout.strip()
    broken = 'echo "fatal: index is broken" >&2; exit 128'
    program(tmp_path, f'[ "$1" = status ] && {{ {broken}; }}; exec {real} "$@"', monkeypatch)
    found = git_facts(str(checkout))

    assert (found["branch"], found["dirty"]) == ("main", None)
    assert [fact.name for fact in found["missing"]] == ["dirty"]
    assert "index is broken" in found["missing"][0].reason


def test_a_detached_checkout(checkout) -> None:
    """As CI systems make it: the commit is known, the branch is to be given."""
    git(checkout, "checkout", "--quiet", "--detach")

    assert set(missing(checkout)) == {"branch"}
    assert missing(checkout)["branch"].remedy == "give --branch"


def test_a_branch_without_a_commit(tmp_path) -> None:
    """The branch is known, the commit is not there."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")

    assert {name: fact.reason for name, fact in missing(tmp_path).items()} == {"commit": "there is no commit yet"}


def test_a_linked_worktree_whose_repository_is_out_of_reach(checkout, tmp_path) -> None:
    """As when only the worktree is mounted into a container."""
    git(checkout, "worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    checkout.rename(tmp_path / "elsewhere")

    assert "leads to no repository" in missing(tmp_path / "linked")["commit"].reason
    assert "main repository" in missing(tmp_path / "linked")["commit"].remedy


def test_no_checkout(tmp_path) -> None:
    """A source archive, unpacked."""
    assert missing(tmp_path)["commit"].reason == f"{tmp_path} is in no git checkout"


def test_a_shallow_clone_cannot_tell_the_range(checkout, tmp_path) -> None:
    """Whether the last green commit is missing or only what joins it to HEAD; in a whole clone it is another reason."""
    green = git(checkout, "rev-parse", "HEAD~2")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{checkout}", "shallow")

    shallow = range_fault(str(tmp_path / "shallow"), green, "HEAD")
    whole = range_fault(str(checkout), "0" * 40, "HEAD")
    assert "too shallow" in shallow.reason
    assert "fetch-depth: 0" in shallow.remedy
    assert "has no commit 000000000000" in whole.reason


def test_a_range_that_is_too_long(checkout) -> None:
    """It is counted."""

    def run(cwd: str, *arguments: str, **_: float) -> str | None:
        return {"rev-list": "1234", "rev-parse": "false"}.get(arguments[0], "")

    assert "1234 commits came since" in range_fault(str(checkout), "f" * 40, "HEAD", run=run).reason


def test_a_tool_that_hangs(tmp_path, monkeypatch) -> None:
    """It costs its own version only, and is named."""
    (tmp_path / "mycc").write_text("#!/bin/sh\nexec sleep 20\n")
    (tmp_path / "mycc").chmod(0o755)
    (tmp_path / "make").write_text("#!/bin/sh\necho GNU Make 4\n")
    (tmp_path / "make").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(facts, "TOOLS", ("make",))
    monkeypatch.setattr(facts, "TOOLS_SECONDS", 1.0)
    found = facts.tool_versions({"CC": "mycc"}, KnownTools(None))

    assert found["tools"] == {"make": "GNU Make 4"}
    assert "mycc did not say a version within 1 s" in found["missing"][0].reason


@pytest.mark.slow
def test_missing_facts_are_reported_with_the_build(agent, gateway, checkout) -> None:
    """What was given by option is not missing; the list comes whole."""
    git(checkout, "checkout", "--quiet", "--detach")
    agent.environment.pop("GITHUB_REF_NAME", None)
    agent.build("true", cwd=checkout)
    detached = gateway.only_build()
    agent.build("true", options=("--branch", "main"), cwd=checkout)

    given = max(gateway.records)
    assert _reported(gateway, detached) == [["branch"]]
    assert _reported(gateway, given) == []


def _reported(gateway, build: str) -> list[list[str]]:
    updates = [record["data"] for record in gateway.of(build, "BUILD_UPDATE")]
    return [[fact["name"] for fact in data["missingFacts"]] for data in updates if "missingFacts" in data]
