"""The commits since the last green one: found by a real git, sent over a real socket."""

import subprocess
from pathlib import Path

import pytest
from build_dashboard.evidence.commit_range import COMMITS_MAX, RANGE_BYTES, commits_since, fitted
from build_dashboard.evidence.facts import origin_of
from build_protocol.messages import Commit


class Tree:
    """A git checkout."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Ada Byte", "-c", "user.email=ada@example.com", "-c", "protocol.file.allow=always")
        command = ["git", "-C", str(self.path), *identity, *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def commit(self, subject: str) -> str:
        self.git("commit", "--quiet", "--allow-empty", "--message", subject)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    path = tmp_path / "tree"
    path.mkdir()
    made = Tree(path)
    made.git("init", "--quiet", "--initial-branch", "main")
    return made


def test_range_is_what_came_since(tree) -> None:
    """Newest first, along first parents: a merge stands for what it brought."""
    green = tree.commit("good")
    tree.git("checkout", "--quiet", "-b", "side")
    tree.commit("on the side")
    tree.git("checkout", "--quiet", "main")
    first = tree.commit("first")
    tree.git("merge", "--quiet", "--no-ff", "--message", "merge the side", "side")
    last = tree.commit("last")

    commits = commits_since(str(tree.path), green)

    assert commits is not None
    assert ["last", "merge the side", "first"] == [commit["subject"] for commit in commits]
    assert {"Ada Byte"} == {commit["author"] for commit in commits}
    assert (last, first) == (commits[0]["sha"], commits[2]["sha"])
    for commit in commits:
        Commit.model_validate(commit)


def test_nothing_new_is_an_empty_range(tree) -> None:
    """The green commit itself brings nothing: that is known, not unknown."""
    green = tree.commit("good")

    assert [] == commits_since(str(tree.path), green)


def test_unknown_commit_is_an_unknown_range(tree) -> None:
    """A commit that is not here says nothing of what came since."""
    tree.commit("good")

    assert commits_since(str(tree.path), "ab" * 20) is None


def test_shallow_clone_is_deepened_only_when_allowed(tree, tmp_path) -> None:
    """Without leave nothing is fetched and the range is unknown; with it the history is brought."""
    green = tree.commit("good")
    for number in range(3):
        tree.commit(f"change {number}")
    shallow = tmp_path / "shallow"
    tree.git("clone", "--quiet", "--depth", "2", f"file://{tree.path}", str(shallow))

    assert commits_since(str(shallow), green) is None
    found = commits_since(str(shallow), green, may_deepen=True)
    assert found is not None
    assert ["change 2", "change 1", "change 0"] == [commit["subject"] for commit in found]


def test_shallow_clone_that_cut_the_range_is_not_believed(tree, tmp_path) -> None:
    """A clone may have the green commit as a tip of its own and lack what joins it to HEAD."""
    green = tree.commit("good")
    tree.git("tag", "green")
    for number in range(3):
        tree.commit(f"change {number}")
    shallow = tmp_path / "shallow"
    tree.git("clone", "--quiet", "--depth", "1", f"file://{tree.path}", str(shallow))
    Tree(shallow).git("fetch", "--quiet", "--depth", "1", "origin", "tag", "green")

    assert commits_since(str(shallow), green) is None


@pytest.mark.slow
def test_long_range_is_unknown_rather_than_cut(tree) -> None:
    """A list without its oldest commits would name the wrong people."""
    green = tree.commit("good")
    for number in range(COMMITS_MAX + 1):
        tree.git("commit", "--quiet", "--allow-empty", "--message", f"change {number}")

    assert commits_since(str(tree.path), green) is None
    assert COMMITS_MAX == len(commits_since(str(tree.path), green, "HEAD~1") or ())


def test_hundred_commits_fit_into_a_record() -> None:
    """Subjects are shortened and addresses left out before a commit is; what still does not fit is unknown."""
    commit = {"sha": "a" * 40, "parents": ["b" * 40], "author": "A" * 20, "authorEmail": "a@b", "subject": "s" * 400}
    sent = fitted([{**commit, "committedAt": 1_700_000_000_000}] * 100)

    assert sent is not None
    assert 100 == len(sent)
    assert "authorEmail" not in sent[0]
    assert fitted([{**commit, "author": "é" * 200}] * 100) is None
    assert [{**commit}] == fitted([commit])
    assert RANGE_BYTES < 24 * 1024


@pytest.mark.slow
def test_range_is_reported_in_the_build(agent, gateway, tree) -> None:
    """The dashboard names the last green commit of the branch, and the agent reports what came since."""
    gateway.green = tree.commit("good")
    tree.commit("worse")
    agent.run("run", "--project", "p", "--config-name", "asan", "--", "false", cwd=tree.path)

    (query,) = {str(frame) for frame in gateway.frames if frame["type"] == "LAST_GREEN_QUERY"}
    assert "'branch': 'main'" in query
    assert "'config': 'asan'" in query
    build = gateway.only_build()
    reported = [
        record["data"]["commits"]
        # A range known before the first record was made is in that one.
        for record in [*gateway.of(build, "BUILD_START"), *gateway.of(build, "BUILD_UPDATE")]
        if "commits" in record["data"]
    ]
    assert [["worse"]] == [[commit["subject"] for commit in commits] for commits in reported]


@pytest.mark.parametrize(
    ("known", "environment", "is_terminal", "origin"),
    [
        ({"commit": "a", "dirty": True}, {}, True, "local"),
        ({"commit": "a", "dirty": False}, {}, True, "ci"),
        ({}, {}, True, "local"),
        ({"commit": "a", "dirty": True}, {}, False, "ci"),
        ({"commit": "a", "dirty": True}, {"CI": "true"}, True, "ci"),
        ({"commit": "a"}, {"CI": "true", "GITHUB_EVENT_NAME": "pull_request"}, False, "premerge"),
        ({"commit": "a"}, {"BUILDKITE_PULL_REQUEST": "false"}, False, "ci"),
        ({"commit": "a"}, {"CHANGE_ID": "17"}, False, "premerge"),
    ],
)
def test_origin_is_guessed_where_no_option_names_it(known, environment, is_terminal, origin) -> None:
    """A person's changed tree at a terminal is local, a request is premerge, all else is ci."""
    assert origin == origin_of(known, environment, is_terminal=is_terminal)
