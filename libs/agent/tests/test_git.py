"""Git is started in one place, and only the directory it runs in says which repository it works in."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from build_dashboard.daemon.checkout import Checkout, CheckoutError
from build_dashboard.evidence.checkout_facts import git_facts
from build_dashboard.git import git_environment

pytestmark = pytest.mark.slow

LOCAL = subprocess.check_output(["git", "rev-parse", "--local-env-vars"]).decode().split()
"""What this git itself calls the variables of one repository."""

OTHERS: tuple[str, ...] = (
    "GIT_NAMESPACE",
    "GIT_CEILING_DIRECTORIES",
    "GIT_TEMPLATE_DIR",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
)
OTHERS += ("GIT_LITERAL_PATHSPECS", "GIT_EXTERNAL_DIFF", "GIT_DEFAULT_HASH", "GIT_QUARANTINE_PATH", "GIT_ATTR_SOURCE")
OTHERS += ("GIT_TRACE", "GIT_CONFIG_KEY_0", "GIT_A_VARIABLE_OF_TOMORROW")


class Repository:
    """A repository with one commit, of a person who works in it: a change is staged, another is not."""

    def __init__(self, path: Path, word: str) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "--quiet", "--initial-branch", f"branch-{word}")
        self.git("config", "remote.origin.url", f"https://example.com/{word}.git")
        self.write(word)
        self.git("add", "-A")
        self.git("commit", "--quiet", "-m", word)
        self.head = self.git("rev-parse", "HEAD")

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments]
        return subprocess.run(command, cwd=self.path, check=True, capture_output=True).stdout.decode().strip()

    def write(self, word: str) -> None:
        (self.path / "word").write_text(word)

    def state(self) -> dict[str, bytes]:
        """Every file of it, byte for byte."""
        return {str(path): path.read_bytes() for path in sorted(self.path.rglob("*")) if path.is_file()}


@pytest.fixture
def repository(tmp_path) -> Repository:
    return Repository(tmp_path / "built", "built")


@pytest.fixture
def bystander(tmp_path) -> Repository:
    made = Repository(tmp_path / "bystander", "bystander")
    made.write("staged")
    made.git("add", "-A")
    made.write("not staged")
    return made


def pointing_at(name: str, repository: Repository) -> dict[str, str]:
    """The variable with a value that names the repository, or that git would at least notice."""
    git_directory = repository.path / ".git"
    values = {
        "GIT_WORK_TREE": repository.path,
        "GIT_INDEX_FILE": git_directory / "index",
        "GIT_OBJECT_DIRECTORY": git_directory / "objects",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": git_directory / "objects",
        "GIT_CONFIG_PARAMETERS": "'core.worktree=/nowhere'",
        "GIT_CONFIG": git_directory / "config",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_GLOBAL": git_directory / "config",
        "GIT_CONFIG_SYSTEM": git_directory / "config",
        "GIT_TEMPLATE_DIR": git_directory,
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_LITERAL_PATHSPECS": "1",
    }
    more = {"GIT_CONFIG_KEY_0": "core.worktree", "GIT_CONFIG_VALUE_0": "/nowhere"} if name == "GIT_CONFIG_COUNT" else {}
    return {name: str(values.get(name, git_directory)), **more}


@pytest.mark.parametrize("name", [*LOCAL, *OTHERS])
def test_no_variable_moves_what_is_reported_of_a_checkout(name, monkeypatch, repository, bystander) -> None:
    """Commit, branch, changes and origin are those of the directory, as where a git hook starts the build."""
    expected = git_facts(str(repository.path))
    for variable, value in pointing_at(name, bystander).items():
        monkeypatch.setenv(variable, value)

    assert git_facts(str(repository.path)) == expected
    assert (expected["commit"], expected["branch"], expected["dirty"]) == (repository.head, "branch-built", False)


@pytest.mark.parametrize("name", [*LOCAL, *OTHERS])
def test_no_variable_lets_the_daemon_touch_another_repository(
    name, monkeypatch, repository, bystander, tmp_path
) -> None:
    """Its checkout is where config.yaml says; whoever's repository the variable names stays as it was."""
    before = bystander.state()
    for variable, value in pointing_at(name, bystander).items():
        monkeypatch.setenv(variable, value)
    checkout = Checkout(str(repository.path), tmp_path / "clone")

    with checkout.reserved():
        assert checkout.head(None) == ("branch-built", repository.head)
        checkout.move_to(repository.head, clean=True)

    assert bystander.state() == before
    assert (tmp_path / "clone" / "word").read_text() == "built"


def test_variables_that_reach_a_remote_are_kept() -> None:
    """Keys, passwords and certificates of a person's remotes still work; git is found where it is installed."""
    kept = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_SSL_CAINFO", "GIT_HTTP_USER_AGENT", "GIT_EXEC_PATH")
    given = dict.fromkeys((*kept, "SSH_ASKPASS", "HOME", "GIT_DIR"), "x")

    environment = git_environment(given)

    assert {name for name, value in environment.items() if value == "x"} == {*kept, "SSH_ASKPASS", "HOME"}


@pytest.mark.parametrize("names", [("GIT_DIR",), ("GIT_INDEX_FILE", "GIT_WORK_TREE"), tuple(LOCAL)])
def test_a_daemon_started_with_variables_of_another_repository_leaves_it_alone(  # noqa: PLR0917  (fixtures, given by name)
    names, agent, gateway, repository, bystander, tmp_path
) -> None:
    """`GIT_DIR=/elsewhere/.git build-dashboard agent --once`: HEAD, index and origin there stay, the build is made."""
    before = bystander.state()
    config = tmp_path / "config.yaml"
    command = "cat word; echo; echo $GIT_DIR"
    config.write_text(
        f"projects:\n  p:\n    repo_url: {repository.path}\n    build_command: {command}\n"
        f"    build_dir: {tmp_path}/clone\n"
    )
    for name in names:
        agent.environment |= pointing_at(name, bystander)

    done = agent.run("agent", "--config", str(config), "--once")

    assert (done.returncode, bystander.state()) == (0, before)
    # The build command has the environment that it was given.
    assert gateway.log(gateway.only_build()) == ["built", agent.environment.get("GIT_DIR", "")]
    start = gateway.of(gateway.only_build(), "BUILD_START")[0]["data"]
    assert (start["commit"], start["branch"]) == (repository.head, "branch-built")


def test_a_build_wrapped_in_a_hook_is_of_its_own_directory(agent, gateway, repository, bystander) -> None:
    """git exports its places to hooks: a build of another checkout started there is not of the hook's repository."""
    agent.environment |= pointing_at("GIT_DIR", bystander) | pointing_at("GIT_INDEX_FILE", bystander)

    done = agent.build("sh", "-c", "echo $GIT_DIR", cwd=repository.path)

    assert done.stdout.decode().strip() == str(bystander.path / ".git")
    facts: dict[str, Any] = {}
    for record in gateway.records[gateway.only_build()].values():
        facts |= record["data"]
    assert (facts["commit"], facts["branch"]) == (repository.head, "branch-built")


def test_a_checkout_that_no_daemon_made_is_left_alone(repository, bystander, tmp_path) -> None:
    """A person's clone as build_dir, a worktree or a link to one: refused, with what to do, and unchanged."""
    bystander.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "worktree"))
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / ".git").symlink_to(bystander.path / ".git")
    before = bystander.state()
    for place in ("bystander", "worktree", "linked"):
        checkout = Checkout(str(repository.path), tmp_path / place)
        words = f"build_dir {tmp_path / place} is not empty.*choose another"
        with pytest.raises(CheckoutError, match=words), checkout.reserved():
            checkout.move_to(repository.head)
    assert bystander.state() == before


def test_a_clone_is_handed_over_by_its_mark(repository, tmp_path) -> None:
    """A clone that a person made to save the first fetch is taken once the mark says so."""
    subprocess.run(["git", "clone", "--quiet", str(repository.path), str(tmp_path / "clone")], check=True)
    (tmp_path / "clone" / ".git" / "build-dashboard.lock").touch()
    checkout = Checkout(str(repository.path), tmp_path / "clone")

    with checkout.reserved():
        assert checkout.move_to(repository.head) == repository.head


@pytest.mark.parametrize("place", ["src", ".git", "bare"])
def test_files_that_no_daemon_made_are_left_alone(repository, bystander, tmp_path, place) -> None:
    """A folder with somebody's files, what git itself keeps, a bare repository: refused and unchanged."""
    (bystander.path / "src").mkdir()
    (bystander.path / "src" / "word").write_text("not committed")
    subprocess.run(["git", "clone", "--quiet", "--bare", str(bystander.path), str(bystander.path / "bare")], check=True)
    before = bystander.state()
    checkout = Checkout(str(repository.path), bystander.path / place)

    with pytest.raises(CheckoutError, match="is not empty"), checkout.reserved():
        checkout.move_to(repository.head, clean=True)

    assert bystander.state() == before


@pytest.mark.parametrize("name", ["clone", "c:lone"])
def test_a_broken_clone_does_not_stand_for_the_repository_around_it(repository, bystander, name) -> None:
    """build_dir lies in a person's checkout, as with the default, and its clone lost its HEAD's ref store."""
    checkout = Checkout(str(repository.path), bystander.path / name)
    with checkout.reserved():
        checkout.move_to(repository.head)
    (bystander.path / name / ".git" / "HEAD").write_text("nonsense")
    before = bystander.state()

    with checkout.reserved(), pytest.raises(CheckoutError):
        checkout.move_to(repository.head)

    assert bystander.state() == before


def test_git_is_started_in_one_place() -> None:
    """Whoever adds another place forgets the environment."""
    source = Path(__file__).parents[1] / "src" / "build_dashboard"
    places = [path.name for path in source.rglob("*.py") if '["git"' in path.read_text()]

    assert places == ["git.py"]
