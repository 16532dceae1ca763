"""Channels: mail by SMTP, rooms by Apprise and GitHub, each against a real server on this machine."""

import asyncio
import json
import threading
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller
from build_chassis.projects import Projects
from build_notifier.channels import NotApplicable, NotSent
from build_notifier.channels.apprise import AppriseChannel
from build_notifier.channels.github import GitHubComments, GitHubStatuses
from build_notifier.channels.github.api import GitHub
from build_notifier.channels.registry import open_channels
from build_notifier.channels.smtp import SmtpChannel
from build_notifier.channels.smtp.channel import Server
from build_notifier.settings import Settings

REPOSITORY = "github://llvm/torch-mlir"


class Mailbox:
    """What an SMTP server took, and what it answers: `refuse` at RCPT, `hang` or a reply after DATA."""

    def __init__(self):
        self.messages, self.rcpt, self.data = [], "250 OK", "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802  aiosmtpd's name
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  aiosmtpd's name
        self.messages.append(message_from_bytes(envelope.content, policy=default))
        if self.data == "hang":
            await asyncio.sleep(30)
        if self.data == "cut":
            server.transport.abort()
        return self.data


@pytest.fixture
def mailbox():
    return Mailbox()


@pytest.fixture
def smtp(mailbox):
    """A channel to a real SMTP server."""
    from build_testkit.stack import free_port

    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield SmtpChannel(
        Server("127.0.0.1", controller.port, use_tls=False), "Builds <builds@example.com>", send_seconds=1
    )
    controller.stop(no_assert=True)


async def test_smtp_takes_a_mail_with_both_parts_in_its_thread(smtp, mailbox, claim):
    """Plain text and HTML; the incident's Message-ID first, later mails answer it."""
    first = await smtp.send(claim(1))
    await smtp.send(claim(2, kind="fixed", rule="fixed"))

    broken, fixed = mailbox.messages
    assert (broken["To"], broken["From"]) == ("team@example.com", "Builds <builds@example.com>")
    assert ["text/plain", "text/html"] == [part.get_content_type() for part in broken.iter_parts()]
    assert "a.cpp:7: error s" in broken.get_body(("plain",)).get_content()
    assert first == broken["Message-ID"] == fixed["In-Reply-To"] == fixed["References"]
    assert first == "<incident.incident-1@example.com>"
    assert fixed["Message-ID"] != first


@pytest.mark.parametrize(
    ("stage", "reply", "permanent", "ambiguous"),
    [
        ("rcpt", "550 no such user", True, False),
        ("rcpt", "451 greylisted", False, False),
        ("data", "554 spam", True, False),
        ("data", "452 full", False, False),
        ("data", "hang", False, True),
        ("data", "cut", False, True),
    ],
)
async def test_smtp_shows_whether_trying_again_helps(smtp, mailbox, claim, stage, *, reply, permanent, ambiguous):
    """5yz: for good. 4yz: for now. No answer after DATA: nobody knows."""
    setattr(mailbox, stage, reply)

    with pytest.raises(NotSent) as caught:
        await smtp.send(claim(1))

    assert (permanent, ambiguous) == (caught.value.permanent, caught.value.ambiguous)


async def test_smtp_that_is_down_took_nothing(claim):
    """A refused connection is neither permanent nor ambiguous."""
    with pytest.raises(NotSent) as caught:
        await SmtpChannel(Server("127.0.0.1", 9, use_tls=False), "b@example.com").send(claim(1))

    assert (False, False) == (caught.value.permanent, caught.value.ambiguous)


async def test_smtp_never_falls_back_to_plain_text(mailbox, claim, smtp):
    """Asked for STARTTLS and not offered: nothing is sent, least of all the password."""
    server = Server("127.0.0.1", smtp._server.port, "ann", "secret", use_tls=True)

    with pytest.raises(NotSent):
        await SmtpChannel(server, "b@example.com", send_seconds=1).send(claim(1))

    assert mailbox.messages == []


class Web:
    """An HTTP server: `routes` maps `METHOD path` to (status, JSON); requests are noted."""

    def __init__(self):
        self.routes, self.seen, self.headers = {}, [], {}
        web = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.partition("?")[0]
                web.seen.append((self.command, path, json.loads(body) if body else None))
                status, answer = web.routes.get(f"{self.command} {path}", (404, {}))
                content = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in web.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = answer  # noqa: N815  the names http.server calls

            def log_message(self, *arguments):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"


@pytest.fixture
def web():
    server = Web()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


@pytest.fixture
async def github(web):
    api = GitHub("token", web.url)
    yield api
    await api.close()


async def test_a_commit_gets_a_status_per_config(github, web, claim, builds):
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


async def test_a_pull_request_gets_one_comment_edited_in_place(github, web, claim, builds):
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

    assert ["POST", "PATCH"] == [method for method, _, _ in web.seen if method != "GET"]
    assert "is fixed on" in web.seen[-1][2]["body"]


async def test_a_commit_without_a_pull_request_gets_no_comment(github, web, claim, builds):
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
async def test_github_shows_whether_trying_again_helps(github, web, claim, builds, *, status, headers, permanent, wait):
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


async def test_a_room_is_notified_through_apprise(web, claim):
    """Title and text arrive; the URL is found by the room's name."""
    web.routes["POST /hook"] = (200, {})
    channel = AppriseChannel(lambda project, name: web.url.replace("http", "json") + "/hook")

    await channel.send(claim(channel="apprise", recipient="json:abc"))

    ((_, _, body),) = web.seen
    assert body["title"].startswith("[p] main is broken on release")
    assert "Suspects: 1 commit" in body["message"]


@pytest.mark.parametrize(
    ("status", "permanent", "ambiguous"), [(404, True, False), (429, False, False), (500, False, True)]
)
async def test_a_room_that_refuses_shows_whether_trying_again_helps(web, claim, *, status, permanent, ambiguous):
    """By the status Apprise met."""
    web.routes["POST /hook"] = (status, {})
    channel = AppriseChannel(lambda project, name: web.url.replace("http", "json") + "/hook")

    with pytest.raises(NotSent) as caught:
        await channel.send(claim(channel="apprise"))

    assert (permanent, ambiguous) == (caught.value.permanent, caught.value.ambiguous)


async def test_a_room_that_is_gone_from_the_config_is_final(claim):
    """The name leads nowhere any more."""
    with pytest.raises(NotSent, match="no longer has the room") as caught:
        await AppriseChannel(lambda project, name: None).send(claim(channel="apprise", recipient="json:abc"))

    assert caught.value.permanent


def test_a_placeholder_is_no_credential(tmp_path, caplog):
    """Logged once at the start; mail goes another way where there is one, instead of to SendGrid for nothing."""
    placeholders = {"sendgrid_api_key": "your_enter_key", "github_token": "your_github_token"}
    mail = {"notification_email": "builds@example.com", "smtp_host": "mail.example.com"}
    settings = Settings(_env_file=None, **mail, **placeholders)

    channels = open_channels(settings, Projects(tmp_path / "config.yaml"))

    assert {"apprise", "mail"} == channels.keys()
    assert isinstance(channels["mail"], SmtpChannel)
    for variable in ("SECRET_API_KEY", "NOTIFIER_GITHUB_TOKEN"):
        assert f"{variable} is a placeholder from an example: it counts as not set" in caplog.text
