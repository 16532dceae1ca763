"""A mirror of GitHub Actions, against a server that answers as GitHub documents it: the real one was never tried."""

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from build_dashboard.config_error import ConfigError
from build_dashboard.mirror import Part, SourceBuild, SourceUnavailable
from build_dashboard.mirror.github.source import GitHubSource
from build_dashboard.mirror.kinds import source_of
from build_dashboard.mirror.project_map import ProjectMap
from build_testkit.github import APP_ID, TOKEN, GitHubServer, github_server, log_line, stamp
from build_testkit.stack import embedded_stack, wait_until
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

ALL = ProjectMap({"*": "torch-mlir"})
NOW = float(int(time.time())) - 600
STEPS = (
    ("Set up job", 0, 1),
    ("Run actions/checkout@v4", 1, 3),
    ("Build", 3, 60),
    ("Test", 60, 61),
    ("Complete job", 61, 61),
)


@pytest.fixture
def github() -> Iterator[GitHubServer]:
    """The service."""
    with github_server() as server:
        yield server


@pytest.fixture
async def source(github: GitHubServer) -> AsyncIterator[GitHubSource]:
    """What asks it, with a token."""
    source = GitHubSource(f"{github.url}/llvm/torch-mlir", ALL, name="gh", token=TOKEN)
    yield source
    await source.close()


def steps(conclusions: str = "success", failed: str = "") -> list[dict[str, Any]]:
    """The steps of a job, as the API has them."""
    return [
        {
            "name": name,
            "number": number,
            "status": "completed",
            "conclusion": "failure" if name == failed else conclusions,
            "started_at": stamp(NOW + first),
            "completed_at": stamp(NOW + last),
        }
        for number, (name, first, last) in enumerate(STEPS, 1)
    ]


LOG = "".join(
    (
        "\ufeff" + log_line(NOW + 0.2, "Current runner version: '2.328.0'"),
        log_line(NOW + 0.4, "##[group]Operating System"),
        log_line(NOW + 0.4, "##[endgroup]"),
        log_line(NOW + 1.1, "##[group]Run actions/checkout@v4"),
        log_line(NOW + 2.2, "HEAD is now at c13d7e2"),
        log_line(NOW + 3.0, "##[group]Run ninja"),
        log_line(NOW + 9.5, "[1/2] Building CXX object a.cpp.o"),
        log_line(NOW + 9.6, "a.cpp:3:5: \x1b[31merror:\x1b[0m use of undeclared identifier q"),
        log_line(NOW + 59.0, "##[error]Process completed with exit code 1."),
        log_line(NOW + 61.5, "Cleaning up orphan processes"),
    )
)


async def text_of(source: GitHubSource, build: SourceBuild, part: Part) -> list[str]:
    """All lines of a part."""
    lines: list[str] = []
    cursor = None
    while True:
        piece = await source.read(build, part, cursor)
        lines += piece.lines
        cursor = piece.cursor
        if piece.is_over or not piece.lines:
            return lines


def failed_job(github: GitHubServer, number: int = 7, **more: Any) -> dict[str, Any]:
    """A job that ended red, and its run."""
    run = github.add_run(number * 10, status="completed", conclusion="failure")
    job = github.add_job(number, run["id"], "Build and Test (Linux, torch-nightly)", began_at=NOW, **more)
    job["steps"] = steps(failed="Build")
    github.end_job(job, "failure", ended_at=NOW + 61, log=LOG)
    return job


async def test_a_job_is_a_build_and_each_step_has_the_lines_it_printed(
    github: GitHubServer, source: GitHubSource
) -> None:
    """Names, axes, runner, times; a line belongs to the step that ran when it was printed."""
    failed_job(github)
    (build,) = await source.builds([], 10)
    assert ("CI / Build and Test (Linux, torch-nightly)", "main", "failed") == (
        build.config,
        build.branch,
        build.result,
    )
    assert ["Linux", "torch-nightly", "ubuntu-24.04"] == build.tags
    assert (61_000, "GitHub Actions 7") == ((build.ended_at or 0) - build.started_at, build.worker)
    parts = await source.parts(build)
    found = {part.name: await text_of(source, build, part) for part in parts}
    assert ["##[group]Run actions/checkout@v4", "HEAD is now at c13d7e2"] == found["Run actions/checkout@v4"]
    assert 3 == len(found["Set up job"])
    assert "a.cpp:3:5: \x1b[31merror:\x1b[0m use of undeclared identifier q" == found["Build"][2]
    assert "failed" == next(part.result for part in parts if part.name == "Build")
    assert 10 == sum(map(len, found.values()))
    piece = await source.read(build, parts[2], None)
    assert round((NOW + 3.0) * 1000) == piece.times[0]
    assert 0 == github.token_leaks, "the link to a log is somebody else's server"


async def test_a_running_job_shows_its_step_and_no_log(github: GitHubServer, source: GitHubSource) -> None:
    """GitHub gives no live log: what is known is the step, and how many are done. Queued jobs are none yet."""
    run = github.add_run(1)
    job = github.add_job(5, run["id"], "build / Linux", began_at=NOW)
    job["steps"] = [each | {"status": "in_progress"} if each["number"] > 2 else each for each in steps()][:4]
    github.add_job(6, run["id"], "later", began_at=NOW, status="queued", started_at=None)
    (build,) = await source.builds([], 10)
    assert (None, "Build", 50.0) == (build.result, build.step, build.progress)
    assert "CI / build / Linux" == build.config, "a reusable workflow's job has both names"
    assert [] == list(await source.parts(build))


async def test_asking_again_costs_nothing_and_a_spent_limit_is_waited_for(
    github: GitHubServer, source: GitHubSource
) -> None:
    """ETags: what did not change is a 304, free with a token; 429 says when to come back; 5xx are tried again."""
    run = github.add_run(1)
    github.add_job(5, run["id"], "build", began_at=NOW)
    await source.builds([], 10)
    left = github.left
    await source.builds([], 10)
    assert left == github.left
    assert [304, 304] == [status for _, status in github.requests[-2:]]
    github.answers.append((429, {"Retry-After": "17"}))
    with pytest.raises(SourceUnavailable) as refused:
        await source.builds([], 10)
    assert (17.0, True) == (refused.value.retry_seconds, refused.value.is_refusal)
    github.answers.append((502, {}))
    with pytest.raises(SourceUnavailable) as broken:
        await source.builds([], 10)
    assert not broken.value.is_refusal
    github.left = 51
    github.add_job(6, run["id"], "test", began_at=NOW)
    await source.builds([], 10)
    asked = len(github.requests)
    with pytest.raises(SourceUnavailable, match="rate limit") as spent:
        await source.builds([], 10)
    assert 500 < (spent.value.retry_seconds or 0) < 602
    assert asked == len(github.requests)
    assert 50 == source.state.requests_left


@pytest.mark.parametrize("what", ["expired", "not there yet", "cut", "forbidden"])
async def test_a_log_that_cannot_be_had_is_a_gap_or_is_tried_again(github: GitHubServer, what: str) -> None:
    """After 90 days a log is gone (410); just after a job's end it is not there yet (404); a cut answer is no log."""
    job = failed_job(github)
    token = None if what == "forbidden" else TOKEN
    source = GitHubSource(f"{github.url}/llvm/torch-mlir", ALL, token=token)
    if what == "expired":
        github.expired.add(job["id"])
    if what == "not there yet":
        del github.logs[job["id"]]
        job["completed_at"] = stamp(time.time())
    if what == "cut":
        github.cut.add(job["id"])
    (build,) = await source.builds([], 10)
    parts = await source.parts(build)
    if what == "cut":
        with pytest.raises(SourceUnavailable):
            await source.read(build, parts[0], None)
        assert 3 == len(await text_of(source, build, parts[0]))
    elif what == "not there yet":
        assert not (await source.read(build, parts[0], None)).is_over
        github.logs[job["id"]] = LOG
        assert 3 == len(await text_of(source, build, parts[0]))
    else:
        lost = [(await source.read(build, part, None)).lost for part in parts]
        assert ["log_expired" if what == "expired" else "log_refused", None, None, None, None] == lost
    await source.close()


async def test_a_run_that_is_repeated_has_a_build_for_each_attempt(github: GitHubServer, source: GitHubSource) -> None:
    """Of a re-run only what ran again is a build, and it is a retry of the one before; skipped jobs are none."""
    job = failed_job(github)
    run = github.runs[0]
    lint = github.add_job(8, run["id"], "lint", began_at=NOW)
    github.end_job(lint, "success", ended_at=NOW + 5, log="")
    github.end_job(github.add_job(9, run["id"], "deploy", began_at=NOW), "skipped", ended_at=NOW, log=None)
    run.update(run_attempt=2, status="in_progress")
    github.add_job(17, run["id"], job["name"], began_at=NOW + 100, run_attempt=2)
    builds = {build.id: build for build in await source.builds([], 10)}
    assert {"7", "8", "17"} == set(builds)
    assert ("7", builds["7"].started_at) == builds["17"].retry_of


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    """An app's private key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: RSAPrivateKey) -> str:
    """The key as GitHub gives it to whoever makes an app."""
    form = PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def as_app(github: GitHubServer, key: RSAPrivateKey, **more: str) -> GitHubSource:
    """The source of a mirror that has an app's key instead of a token."""
    environment = {"GITHUB_APP_ID": APP_ID, "GITHUB_APP_KEY": pem(key), **more}
    found = source_of("github", f"{github.url}/llvm/torch-mlir", ALL, 1, environment=environment)
    assert isinstance(found, GitHubSource)
    return found


async def test_an_app_reads_a_repository_by_a_token_of_an_hour(github: GitHubServer, key: RSAPrivateKey) -> None:
    """Its claim is signed and short; the token it is given is used again, also for logs, and is for no other server."""
    github.app_key = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    failed_job(github)
    source = as_app(github, key)
    (build,) = await source.builds([], 10)
    found = [await text_of(source, build, part) for part in await source.parts(build)]
    await source.close()

    assert 10 == sum(map(len, found))
    assert (1, 0) == (github.app_tokens, github.token_leaks)


async def test_a_token_that_was_taken_back_is_asked_for_anew(github: GitHubServer, key: RSAPrivateKey) -> None:
    """The page says that it was refused, and the next try has another token."""
    github.app_key = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    github.add_job(5, github.add_run(1)["id"], "build", began_at=NOW)
    source = as_app(github, key)
    await source.builds([], 10)
    github.answers.append((401, {}))
    with pytest.raises(SourceUnavailable) as refused:
        await source.builds([], 10)
    assert refused.value.is_refusal
    assert 1 == len(await source.builds([], 10))
    await source.close()

    assert 2 == github.app_tokens


async def test_an_app_that_is_not_installed_or_not_itself_says_so(github: GitHubServer, key: RSAPrivateKey) -> None:
    """A refusal with its reason, as everything that GitHub refuses."""
    source = as_app(github, key)
    with pytest.raises(SourceUnavailable, match="not installed on llvm/torch-mlir"):
        await source.builds([], 10)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    github.app_key = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(SourceUnavailable, match="401") as refused:
        await source.builds([], 10)
    await source.close()

    assert refused.value.is_refusal


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"GITHUB_APP_ID": "1"}, "given by both"),
        ({"GITHUB_APP_KEY": "x"}, "given by both"),
        ({"GITHUB_APP_ID": "1", "GITHUB_APP_KEY": "no-key"}, "no private key in PEM"),
        ({"GITHUB_APP_ID": "1", "GITHUB_APP_KEY_FILE": "/nowhere"}, "cannot be read"),
    ],
)
def test_an_app_that_is_not_whole_is_refused_before_anything_is_asked(variables: dict[str, str], problem: str) -> None:
    """A sentence that names the variable, without what stands in it."""
    with pytest.raises(ConfigError, match=problem) as refused:
        source_of("github", "https://github.com/llvm/torch-mlir", ALL, 1, environment=variables)

    assert "no-key" not in str(refused.value)


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("FULL"), reason="FULL=1")
def test_a_repository_is_shown_with_its_first_error(github: GitHubServer, tmp_path: Path) -> None:
    """From `build-dashboard mirror github URL` to a red build with its first error, its steps as sections."""
    failed_job(github)
    pull = github.add_run(500, event="pull_request", head_branch="fix", status="completed")
    job = github.add_job(50, pull["id"], "build", began_at=NOW)
    github.end_job(job, "success", ended_at=NOW + 9, log=log_line(NOW + 1, "fine"))
    with embedded_stack(tmp_path) as stack:
        url = f"{github.url}/llvm/torch-mlir"
        command = [sys.executable, "-m", "build_dashboard", "mirror", "github", url, "--spool", str(tmp_path / "spool")]
        mirror = subprocess.Popen(command, env=stack.agent_environment | {"GITHUB_TOKEN": TOKEN})
        try:
            token = stack.token()

            def builds() -> dict[str, dict[str, Any]]:
                rows = stack.get("/api/builds?project=torch-mlir", token)["items"]
                return {row["config"]: row for row in rows if row["status"] != "running"}

            wait_until(
                lambda: len(builds()) == 2 and all(row["verified"] for row in builds().values()), 40, "two builds"
            )
            wait_until(lambda: any(row.get("firstFailure") for row in builds().values()), 20, "a first error")
            red = builds()["CI / Build and Test (Linux, torch-nightly)"]
            assert "use of undeclared identifier" in red["firstFailure"]["message"]
            assert (61_000, "premerge") == (red["durationMs"], builds()["CI / build"]["origin"])
            sections = stack.get(f"/api/builds/{red['id']}", token)["sections"]
            assert [name for name, _, _ in STEPS] == [section["name"] for section in sections]
            text = stack.get_bytes(f"/api/builds/{red['id']}/logs?format=text", token).decode().rstrip("\n")
            assert [line.partition("Z ")[2] for line in LOG.rstrip("\n").split("\n")] == text.split("\n")
        finally:
            mirror.terminate()
            mirror.wait(15)
