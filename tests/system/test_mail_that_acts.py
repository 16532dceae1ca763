"""A mail of a broken build is enough to act on it: what broke, whose it is, how to see it, and links that act."""

import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any, NamedTuple

import pytest
from build_testkit.browser import chromium
from build_testkit.mailbox import Mailbox, mail_server
from build_testkit.repository import Repository
from build_testkit.stack import Stack, embedded_stack, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = 180
PROJECT = "kiln"
TEAM, AUTHOR = "team@example.com", "dev@example.com"
ERROR = "was not declared in this scope"
COMPILE = "g++ -c kiln.cpp -o kiln.o"


class Broken(NamedTuple):
    """A system whose one project is broken by one commit, and the mails about it."""

    stack: Stack
    tree: Repository
    mailbox: Mailbox
    commit: str
    incident: str

    def mail_to(self, address: str, at: int = 0) -> EmailMessage:
        return [mail for mail in self.mailbox.messages if mail["To"] == address][at]

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.stack.get(f"/api/incidents/{self.incident}")
        return found

    def build(self) -> None:
        options = ("--config-name", "release", "--origin", "ci", "--branch", "main", "--linger", "30")
        command = self.stack.agent_command(PROJECT, "sh", "-c", COMPILE, options=options)
        environment = self.stack.agent_environment
        subprocess.run(command, cwd=self.tree.path, env=environment, check=False, capture_output=True, timeout=120)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    directory = tmp_path_factory.mktemp("acting")
    tree = Repository(directory / "tree").create()
    config = directory / "config.yaml"
    config.write_text(
        f"projects:\n  {PROJECT}:\n    notification_emails: [{TEAM}]\n    notify_authors: true\n"
        f"    repo_url: https://github.com/kilns/{PROJECT}.git\n"
    )
    with mail_server() as mailbox:
        settings = {
            "BUILD_DASHBOARD_CONFIG": str(config),
            "NOTIFICATION_EMAIL": "Builds <builds@example.com>",
            "NOTIFIER_SMTP_HOST": "127.0.0.1",
            "NOTIFIER_SMTP_PORT": str(mailbox.port),
            "NOTIFIER_SMTP_TLS": "false",
            "NOTIFIER_QUIET_SECONDS": "0.2",
            "NOTIFIER_POLL_SECONDS": "0.1",
        }
        with embedded_stack(directory, settings) as stack:
            story = Broken(stack, tree, mailbox, "", "")
            (tree.path / "kiln.cpp").write_text("int fired() { return 1; }\n")
            tree.commit("Fire the kiln")
            story.build()
            (tree.path / "kiln.cpp").write_text("int fired() {\n  return heat;\n}\n")
            commit = tree.commit("Fire it hotter")
            story.build()
            wait_until(lambda: len(mailbox.messages) == 2, SECONDS, "the mails to the team and the author")
            (incident,) = stack.get(f"/api/incidents?project={PROJECT}")["items"]
            yield story._replace(commit=commit, incident=incident["id"])


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def link(mail: EmailMessage, label: str) -> str:
    found = re.search(rf"^{re.escape(label)}: (\S+)$", text_of(mail), re.M)
    assert found is not None, label
    return found[1]


def request(method: str, url: str) -> tuple[int, str]:
    """As a mail program does: no login, no token."""
    asked = urllib.request.Request(url, data=b"" if method == "POST" else None, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_mail_is_enough(broken: Broken) -> None:
    """The error is the first line; verdict, place, lines with the caret, repro, suspect with its link, and why me."""
    mail = broken.mail_to(TEAM)
    text = text_of(mail)

    assert ERROR in text.splitlines()[0]
    assert "New here" in text
    assert "at kiln.cpp:2" in text
    assert re.search(r"^> +\d+  error: .*" + ERROR, text, re.M)
    assert re.search(r"\| +\^~~~", text)
    assert f"git checkout {broken.commit}" in text
    assert f"https://github.com/kilns/{PROJECT}/commit/{broken.commit}" in text
    assert f"/incidents/{broken.incident}" in text
    assert f"you are in notification_emails of {PROJECT}" in text
    assert "you wrote a commit that may have broken it" in text_of(broken.mail_to(AUTHOR))
    for shown in (ERROR, "To see it again", "Mute until fixed", "New here"):
        assert shown in text_of(mail, "html")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    kept = broken.stack.get("/api/notifications")["items"][0]["id"]
    assert "/act/" not in broken.stack.get(f"/api/notifications/{kept}")["text"]


def test_following_a_link_changes_nothing(broken: Broken) -> None:
    """Scanners of mail follow all of them; what this dashboard did not sign opens nothing."""
    mail = broken.mail_to(TEAM)
    for label in ("I'm on it", "Mute until fixed", "Flaky", f"No more of {PROJECT}"):
        status, page = request("GET", link(mail, label))
        assert (status, '<form method="post">' in page, TEAM in page) == (200, True, True)
    assert broken.state().get("ownership") is None
    assert broken.stack.get("/api/notifications/mutes")["items"] == []
    url = link(mail, "I'm on it")
    forged = re.sub(r"/act/[^.]+\.", "/act/eyJhbGciOiJub25lIn0.", url)
    assert request("POST", forged)[0] == 404
    assert request("POST", url.removesuffix("take") + "rerun")[0] == 422
    assert broken.state().get("ownership") is None


@pytest.mark.browser
def test_two_taps_on_a_phone_mute_it_until_it_is_fixed(broken: Broken) -> None:
    """From the mail at 390 pixels: the link, then the button; everybody sees who did it."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.set_content(text_of(broken.mail_to(AUTHOR), "html"))
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        box = page.locator("h1").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 400
        page.get_by_role("link", name="Mute until fixed").click()
        page.get_by_role("button", name="Mute until fixed").click()
        page.get_by_role("status").wait_for()

    (mute,) = broken.stack.get("/api/notifications/mutes")["items"]
    assert (mute["createdBy"], mute["incident"], mute["untilFixed"]) == (AUTHOR, broken.incident, True)


def test_links_act_once_and_end_with_the_incident(broken: Broken) -> None:
    """Twice is once; an unsubscribed address gets no more; after the fix nothing is permitted, and the mute is over."""
    team, author = broken.mail_to(TEAM), broken.mail_to(AUTHOR)
    take = link(team, "I'm on it")
    assert [request("POST", take)[0] for _ in range(2)] == [200, 200]
    owned = broken.state()["ownership"]
    assert (owned["acknowledgedBy"], len(owned["events"])) == (TEAM, 1)
    unsubscribe = str(author["List-Unsubscribe"]).strip("<>")
    assert request("POST", unsubscribe)[0] == 200

    (broken.tree.path / "kiln.cpp").write_text("int fired() { return 2; }\n")
    broken.tree.commit("Fire it less hot")
    broken.build()
    wait_until(lambda: len(broken.mailbox.messages) == 3, SECONDS, "the mail of the fix")

    assert "fixed" in str(broken.mail_to(TEAM, 1)["Subject"])
    status, page = request("POST", take)
    assert (status, "is closed" in page) == (410, True)
    assert [mute["recipient"] for mute in broken.stack.get("/api/notifications/mutes")["items"]] == [AUTHOR]
    decided = broken.stack.get("/api/notifications?state=suppressed")["items"]
    assert [(row["recipient"], row["rule"]) for row in decided] == [(AUTHOR, "fixed")]
