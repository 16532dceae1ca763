"""Check runs: conclusion, annotation, owners, one per build; and an app's tokens, at a real HTTP server."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from build_testkit.web import Web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jose import jwt

from build_notifier.channels.contract import NotSent
from build_notifier.channels.github.api import GitHub
from build_notifier.channels.github.app_tokens import AppTokens, OneToken
from build_notifier.channels.github.check import GitHubChecks, path_in
from build_notifier.messages.context import BuildContext
from build_notifier.records.notification import Notification

Claim = Callable[..., Notification]

REPOSITORY = "github://llvm/torch-mlir"
HOME = "/repos/llvm/torch-mlir"


@pytest.fixture
async def checks(web: Web) -> Any:
    channel = GitHubChecks(GitHub(OneToken("token"), web.url))
    yield channel
    await channel.close()


@pytest.fixture
def judged(claim: Claim) -> Callable[..., Notification]:
    """Makes the claim on a failed build's check run, of this verdict, whose first error is in this file."""

    def make(verdict: str | None, *, file: str | None = "../lib/a.cpp", succeeded: bool = False) -> Notification:
        message = claim().message
        assert message.evidence is not None
        assert message.evidence.failure is not None
        failure = message.evidence.failure.model_copy(update={"file": file, "line": 7})
        evidence = message.evidence.model_copy(update={"failure": None if succeeded else failure})
        context = BuildContext(verdict=verdict, verdict_evidence=["build 12 of c0ffee passed"] if verdict else [])
        facts = {"kind": "status", "succeeded": succeeded, "evidence": evidence, "context": context}
        return claim(recipient=REPOSITORY, channel="github_check", message=message.model_copy(update=facts))

    return make


def answer_as_github(web: Web, sha: str, known: list[dict[str, Any]] | None = None) -> None:
    """The routes of a repository without CODEOWNERS, whose commit has these check runs."""
    web.routes = {
        f"GET {HOME}/commits/{sha}/check-runs": (200, {"total_count": 0, "check_runs": known or []}),
        f"POST {HOME}/check-runs": (201, {"id": 5}),
        f"PATCH {HOME}/check-runs/5": (200, {"id": 5}),
    }


@pytest.mark.parametrize(
    ("verdict", "conclusion", "level", "title"),
    [
        ("new", "failure", "failure", "New here"),
        ("already_red", "neutral", "warning", "It was red before"),
        ("flaky", "neutral", "warning", "Looks flaky"),
        ("infra", "neutral", "warning", "Looks like the machine's fault"),
        ("unknown", "neutral", "warning", "Nobody can tell yet whose it is"),
        ("of-a-later-release", "neutral", "warning", "of-a-later-release"),
        (None, "neutral", "warning", "failed, and nobody can tell whose it is"),
    ],
)
async def test_only_what_the_commit_brought_blocks_it(
    checks: GitHubChecks, web: Web, judged: Any, builds: Any, *, verdict: str, conclusion: str, level: str, title: str
) -> None:
    """The verdict is the title, the first error stands at its line, and what nobody knows is neutral."""
    answer_as_github(web, builds.sha(2))

    sent = await checks.send(judged(verdict))

    body = web.seen[-1][2]
    assert sent == "5"
    assert (conclusion, "completed", "build-dashboard/release") == (body["conclusion"], body["status"], body["name"])
    assert body["output"]["title"].startswith(title)
    (annotation,) = body["output"]["annotations"]
    assert ("lib/a.cpp", 7, level) == (annotation["path"], annotation["start_line"], annotation["annotation_level"])
    assert annotation["message"] == "error s"
    assert body["details_url"].endswith(f"/builds/{builds.id(2)}#L120")


async def test_a_build_that_passed_is_a_success(checks: GitHubChecks, web: Web, judged: Any, builds: Any) -> None:
    """No annotation, and CODEOWNERS is not asked."""
    answer_as_github(web, builds.sha(2))

    await checks.send(judged(None, succeeded=True))

    body = web.seen[-1][2]
    assert (body["conclusion"], body["output"]["title"]) == ("success", "passed in 30 min")
    assert "annotations" not in body["output"]
    assert not [path for _, path, _ in web.seen if "CODEOWNERS" in path]


async def test_a_build_has_one_check_run(checks: GitHubChecks, web: Web, judged: Any, builds: Any) -> None:
    """Sent again, as after a crash or a later verdict, it is changed; that of another build of the commit stays."""
    mine = {"id": 5, "external_id": builds.id(2)}
    answer_as_github(web, builds.sha(2), [{"id": 4, "external_id": "another"}, mine])

    await checks.send(judged("flaky"))

    assert web.seen[-1][:2] == ("PATCH", f"{HOME}/check-runs/5")


async def test_the_owners_of_the_file_are_named(checks: GitHubChecks, web: Web, judged: Any, builds: Any) -> None:
    """By the first CODEOWNERS that is there; the mention notifies nobody."""
    answer_as_github(web, builds.sha(2))
    web.routes[f"GET {HOME}/contents/CODEOWNERS"] = (200, b"lib/ @llvm/lib-owners\n")

    await checks.send(judged("new"))

    assert "Owners of its file: @\u200bllvm/lib-owners" in web.seen[-1][2]["output"]["summary"]


@pytest.mark.parametrize(
    ("file", "path"),
    [
        ("lib/a.cpp", "lib/a.cpp"),
        ("./../lib/a.cpp", "lib/a.cpp"),
        ("/home/runner/work/torch-mlir/torch-mlir/lib/a.cpp", "lib/a.cpp"),
        ("/actions-runner/_work/torch-mlir/torch-mlir/lib/a.cpp", "lib/a.cpp"),
        ("D:\\a\\_work\\torch-mlir\\torch-mlir\\lib\\a.cpp", "lib/a.cpp"),
        ("/home/runner/work/other/other/lib/a.cpp", None),
        ("/usr/include/c++/12/vector", None),
        ("C:\\src\\a.cpp", None),
        ("..", ".."),
        (None, None),
    ],
)
def test_a_place_is_only_named_where_it_is_known(judged: Any, file: str | None, path: str | None) -> None:
    """From the repository's root; a path of the machine is none of the repository."""
    assert path == path_in("llvm/torch-mlir", judged("new", file=file).message)


# --- an app ---


@pytest.fixture(scope="module")
def key() -> Any:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: Any) -> str:
    """The key as GitHub gives it to whoever makes an app."""
    form = serialization.PrivateFormat.TraditionalOpenSSL
    text: bytes = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return text.decode()


async def test_an_app_has_a_token_of_each_repository(web: Web, key: Any) -> None:
    """Its claim is signed by its key and short; a token is used until shortly before its end, then made anew."""
    now = [time.time()]
    ends_at = datetime.fromtimestamp(now[0] + 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    web.routes = {
        f"GET {HOME}/installation": (200, {"id": 77}),
        "POST /app/installations/77/access_tokens": (201, {"token": "ghs_1", "expires_at": ends_at}),
        f"GET {HOME}/x": (200, {}),
    }
    github = GitHub(AppTokens("1234", pem(key), lambda: now[0]), web.url)
    try:
        for _ in range(2):
            await github.call("GET", f"{HOME}/x")
        now[0] += 3400
        await github.call("GET", f"{HOME}/x")
    finally:
        await github.close()

    asked = [path.rpartition("/")[2] for _, path, _ in web.seen]
    assert asked == ["installation", "access_tokens", "x", "x", "installation", "access_tokens", "x"]
    assert [words for words in web.authorized if words == "Bearer ghs_1"] == ["Bearer ghs_1"] * 3
    claim = web.authorized[0].removeprefix("Bearer ")
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    claims = jwt.decode(claim, public.decode(), algorithms=["RS256"])
    assert claims["iss"] == "1234"
    assert claims["exp"] - claims["iat"] <= 600


async def test_a_token_that_was_taken_back_is_made_anew(web: Web, key: Any) -> None:
    """A 401 is final for that try; the next one asks for a token."""
    web.routes = {
        f"GET {HOME}/installation": (200, {"id": 77}),
        "POST /app/installations/77/access_tokens": (201, {"token": "a", "expires_at": "2099-01-01T00:00:00Z"}),
        f"GET {HOME}/x": (401, {}),
    }
    github = GitHub(AppTokens("1234", pem(key)), web.url)
    try:
        for _ in range(2):
            with pytest.raises(NotSent) as caught:
                await github.call("GET", f"{HOME}/x")
            assert not caught.value.permanent
    finally:
        await github.close()

    assert [path for _, path, _ in web.seen].count(f"{HOME}/installation") == 2


@pytest.mark.parametrize(("status", "permanent"), [(404, True), (403, True), (502, False), (429, False)])
async def test_an_app_that_is_not_installed_is_a_reason(web: Web, key: Any, *, status: int, permanent: bool) -> None:
    """What cannot get better is final; an outage is waited out."""
    web.routes = {f"GET {HOME}/installation": (status, {})}
    github = GitHub(AppTokens("1234", pem(key)), web.url)
    with pytest.raises(NotSent) as caught:
        await github.call("GET", f"{HOME}/x")
    await github.close()

    assert permanent == caught.value.permanent
    assert ("not installed" in str(caught.value)) == (status == 404)


async def test_a_key_that_is_none_says_so(web: Web) -> None:
    """The setting is named, and the key is not shown."""
    github = GitHub(AppTokens("1234", "no-pem"), web.url)
    with pytest.raises(NotSent, match="NOTIFIER_GITHUB_APP_KEY") as caught:
        await github.call("GET", f"{HOME}/x")
    await github.close()

    assert "no-pem" not in str(caught.value)
