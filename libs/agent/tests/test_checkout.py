"""What the daemon leaves in a checkout, what it remembers, and what a trigger may choose."""

import json
import subprocess
from pathlib import Path

import pytest
from build_dashboard.daemon.checkout import Checkout, CheckoutError
from build_dashboard.daemon.memory import Attempt, Memory, started_since
from build_dashboard.daemon.trigger import Trigger, TriggerRefused
from build_protocol.project_config import Project


def git(directory: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "protocol.file.allow=always")
    done = subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True)
    return done.stdout.decode().strip()


def repository(path: Path, word: str = "one") -> str:
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--initial-branch=main")
    return commit(path, word)


def commit(path: Path, word: str) -> str:
    (path / "word").write_text(word)
    git(path, "add", "-A")
    git(path, "commit", "--quiet", "-m", word)
    return git(path, "rev-parse", "HEAD")


def test_what_was_built_stays_unless_clean_is_asked_for(tmp_path) -> None:
    """Incremental by default; `clean` removes everything that is not in the repository."""
    first = repository(tmp_path / "far")
    second = commit(tmp_path / "far", "two")
    checkout = Checkout(str(tmp_path / "far"), tmp_path / "near")
    with checkout.reserved():
        assert checkout.move_to(first) == first
        (tmp_path / "near" / "object.o").write_text("built")
        (tmp_path / "near" / "word").write_text("changed by the build")
        checkout.move_to(second)
        assert (tmp_path / "near" / "word").read_text() == "two"
        assert (tmp_path / "near" / "object.o").exists()
        checkout.move_to(second[:10], clean=True)

    assert sorted(path.name for path in (tmp_path / "near").iterdir()) == [".git", "word"]


def test_a_killed_git_blocks_nobody(tmp_path) -> None:
    """Its lock file is removed, for whoever still works there holds the reservation."""
    first = repository(tmp_path / "far")
    checkout = Checkout(str(tmp_path / "far"), tmp_path / "near")
    with checkout.reserved():
        (tmp_path / "near" / ".git" / "index.lock").touch()
        assert checkout.move_to(first) == first


def test_a_commit_on_no_branch_is_fetched_by_its_name(tmp_path) -> None:
    """As those of pull requests are; one that is nowhere is an error with git's own words."""
    repository(tmp_path / "far")
    git(tmp_path / "far", "checkout", "--quiet", "--detach")
    hidden = commit(tmp_path / "far", "hidden")
    git(tmp_path / "far", "update-ref", "refs/pull/1/head", hidden)
    git(tmp_path / "far", "checkout", "--quiet", "main")
    checkout = Checkout(str(tmp_path / "far"), tmp_path / "near")
    with checkout.reserved():
        assert checkout.move_to(hidden) == hidden
        with pytest.raises(CheckoutError, match="git fetch"):
            checkout.move_to("0" * 40)


@pytest.mark.slow
def test_submodules_follow_the_commit(tmp_path, monkeypatch) -> None:
    """Also when they move to another address."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".gitconfig").write_text('[protocol "file"]\n\tallow = always\n')
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    repository(tmp_path / "llvm", "llvm")
    repository(tmp_path / "far")
    git(tmp_path / "far", "submodule", "--quiet", "add", str(tmp_path / "llvm"), "llvm")
    first = commit(tmp_path / "far", "with llvm")
    checkout = Checkout(str(tmp_path / "far"), tmp_path / "near")
    with checkout.reserved():
        checkout.move_to(first)
    (tmp_path / "llvm").rename(tmp_path / "moved")
    commit(tmp_path / "moved", "newer llvm")
    git(tmp_path / "far", "submodule", "--quiet", "set-url", "llvm", str(tmp_path / "moved"))
    git(tmp_path / "far" / "llvm", "pull", "--quiet", str(tmp_path / "moved"), "main")
    second = commit(tmp_path / "far", "moved llvm")
    with checkout.reserved():
        checkout.move_to(second)

    assert (tmp_path / "near" / "llvm" / "word").read_text() == "newer llvm"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"command": "rm -rf /"}, "may be chosen, not command"),
        ({"PATH": "/tmp"}, "may be chosen, not PATH"),
        ({"KIND": "Fast"}, "KIND may be Release, Debug"),
        ({"commit": "--upload-pack=x"}, "no commit"),
        ({"commit": "HEAD"}, "no commit"),
        ({"branch": "--force"}, "no name of a branch"),
        ({"branch": "a..b"}, "no name of a branch"),
        ({"config": "other"}, "knows the configs asan"),
    ],
)
def test_trigger_chooses_only_what_is_allowed(args, words) -> None:
    """Neither a command, nor an unlisted variable or value, nor anything that git would take for an option."""
    project = Project(parameters={"KIND": ("Release", "Debug")}, configs={"asan": {}})
    with pytest.raises(TriggerRefused, match=words):
        Trigger.asked("c", args, project)


def test_a_branch_of_any_name_git_takes_is_built(tmp_path) -> None:
    """Characters of any language and `#` included: asked for, looked up at the remote, and checked out."""
    name = "feature/ünï#1"
    first = repository(tmp_path / "far")
    git(tmp_path / "far", "branch", name)
    commit(tmp_path / "far", "two")
    trigger = Trigger.asked("c", {"branch": name}, Project(branch=name))
    checkout = Checkout(str(tmp_path / "far"), tmp_path / "near")

    assert checkout.head(trigger.branch) == (name, first)
    with checkout.reserved():
        assert checkout.move_to(first) == first


def test_allowed_choices_are_taken() -> None:
    """Branch, commit, config, clean, and the project's own parameters."""
    project = Project(parameters={"KIND": ("Release", "Debug")}, configs={"asan": {}})
    args = {"branch": "release/19.x", "commit": "0123abc", "config": "asan", "clean": "true", "KIND": "Debug"}

    assert Trigger.asked("c", args, project) == Trigger(
        "c", "release/19.x", "0123abc", "asan", clean=True, parameters={"KIND": "Debug"}
    )


def test_memory_knows_whether_a_killed_daemon_had_started(tmp_path) -> None:
    """An attempt counts only when the spool holds a build begun since; orders and the drain stay over restarts."""
    memory = Memory(tmp_path / "p.json")
    order = Trigger("c1", commit="0123abc")
    assert [memory.take(order), memory.take(order)] == [True, False]
    memory.drain(True)
    memory.begin(Attempt("0123abc", 1000, "c1"))
    (tmp_path / "spool" / "b1").mkdir(parents=True)
    for project, started_at, found in (("p", 999, None), ("other", 1000, None), ("p", 1000, "b1")):
        (tmp_path / "spool" / "b1" / "build.json").write_text(json.dumps({"project": project, "startedAt": started_at}))
        assert started_since(tmp_path / "spool", "p", 1000) == found

    again = Memory(tmp_path / "p.json")
    assert (again.is_drained, again.pending, again.attempt) == (True, [order], Attempt("0123abc", 1000, "c1"))
    again.begun()
    assert (again.pending, again.attempt, again.built_commit) == ([], None, None)
    assert not Memory(tmp_path / "p.json").take(order)
