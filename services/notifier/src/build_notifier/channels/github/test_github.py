"""GitHub: statuses and comments, at a real HTTP server on this machine."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from build_testkit.web import Web

from build_notifier.channels.contract import NotApplicable, NotSent
from build_notifier.channels.github import GitHubComments, GitHubStatuses
from build_notifier.channels.github.api import GitHub
from build_notifier.channels.github.app_tokens import OneToken
from build_notifier.records.notification import Notification

Claim = Callable[..., Notification]

REPOSITORY = "github://llvm/torch-mlir"


@pytest.fixture
async def github(web: Web) -> AsyncIterator[GitHub]:
    api = GitHub(OneToken("token"), web.url)
    yield api
    await api.close()


async def test_a_commit_gets_a_status_per_config(github: GitHub, web: Web, claim: Claim, builds: Any) -> None:
    """State, link to the log line, and a context that a later build of the config replaces."""
    path = f"/repos/llvm/torch-mlir/statuses/{builds.sha(2)}"
    web.routes[f"POST {path}"] = (201, {"id": 7})
    message = claim().message.model_copy(update={"kind": "status", "succeeded": False})

    sent = await GitHubStatuses(github).send(claim(recipient=REPOSITORY, message=message))

    ((_, _, body),) = web.seen
    assert sent == "7"
    assert (body["state"], body["context"]) == ("failure", "build-dashboard/release")
    assert body["target_url"].endswith(f"/builds/{builds.id(2)}#L120")
    assert body["description"] == "failed in 30 min: error s"


async def test_a_pull_request_gets_one_comment_edited_in_place(
    github: GitHub, web: Web, claim: Claim, builds: Any
) -> None:
    """The first message writes it, the next edits it; other people's comments are left alone."""
    home = "/repos/llvm/torch-mlir"
    other = {"id": 1, "body": "<!-- build-dashboard incident incident-2 -->"}
    web.routes = {
        f"GET {home}/commits/{builds.sha(2)}/pulls": (200, [{"number": 12}]),
        f"GET {home}/issues/12/comments": (200, [other]),
        f"POST {home}/issues/12/comments": (201, {"id": 5}),
        f"PATCH {home}/issues/comments/5": (200, {"id": 5}),
    }
    comments = GitHubComments(github)

    await comments.send(claim(recipient=REPOSITORY))
    written = web.seen[-1][2]["body"]
    web.routes[f"GET {home}/issues/12/comments"] = (200, [other, {"id": 5, "body": written}])
    await comments.send(claim(recipient=REPOSITORY, kind="fixed"))

    assert [method for method, _, _ in web.seen if method != "GET"] == ["POST", "PATCH"]
    assert "is fixed on" in web.seen[-1][2]["body"]


async def test_a_commit_without_a_pull_request_gets_no_comment(
    github: GitHub, web: Web, claim: Claim, builds: Any
) -> None:
    """Pushed straight to the branch: there is nowhere to comment, and nothing failed."""
    web.routes[f"GET /repos/llvm/torch-mlir/commits/{builds.sha(2)}/pulls"] = (200, [])

    with pytest.raises(NotApplicable):
        await GitHubComments(github).send(claim(recipient=REPOSITORY))


@pytest.mark.parametrize(
    ("status", "headers", "permanent", "wait"),
    [
        (404, {}, True, None),
        (422, {}, True, None),
        (502, {}, False, None),
        (429, {"Retry-After": "60"}, False, 60),
        (403, {"Retry-After": "30", "X-RateLimit-Remaining": "0"}, False, 30),
    ],
)
async def test_github_shows_whether_trying_again_helps(
    github: GitHub,
    web: Web,
    claim: Claim,
    builds: Any,
    *,
    status: int,
    headers: dict[str, str],
    permanent: bool,
    wait: float | None,
) -> None:
    """A limit is waited out, an outage too, a refusal is final."""
    web.routes[f"POST /repos/llvm/torch-mlir/statuses/{builds.sha(2)}"] = (status, {})
    web.headers = headers

    with pytest.raises(NotSent) as caught:
        await GitHubStatuses(github).send(claim(recipient=REPOSITORY))

    assert (permanent, wait, False) == (
        caught.value.permanent,
        caught.value.retry_after_seconds,
        caught.value.ambiguous,
    )
