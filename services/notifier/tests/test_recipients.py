"""Recipients: who is notified, and when."""

from datetime import UTC, datetime

import pytest
from build_notifier.channels.contract import Recipient
from build_notifier.planning.recipients import not_before, recipients_of
from build_notifier.records.branch import Branch, apply_incident
from build_protocol.project_config import BuildConfig, Project


@pytest.fixture
def incident_of(broken):
    """An incident of these configs, as notifier keeps it."""

    def make(configs=("release",), commits=None):
        message = broken(configs=configs, commits=commits).message()
        return apply_incident(Branch(project="p", branch="main"), message, now_ms=0, quiet_ms=0).subjects[0]

    return make


def addresses(project, incident, kind="opened"):
    return [recipient.address for recipient in recipients_of(project, incident, kind)]


def test_the_project_and_every_owner_are_notified_once(incident_of):
    """Notification addresses and owners of all configs the incident hits; nobody twice, whatever their case."""
    project = Project(
        notification_emails=["team@example.com", "Ann@example.com"],
        configs={"asan": BuildConfig(owner="ann@example.com"), "tsan": BuildConfig(owner="tom@example.com")},
    )

    notified = addresses(project, incident_of(["release", "asan", "tsan"]))

    assert sorted(["team@example.com", "Ann@example.com", "tom@example.com"]) == sorted(notified)


@pytest.mark.parametrize(("count", "notified"), [(1, 1), (5, 5), (6, 0)])
def test_authors_are_notified_when_they_are_few(builds, incident_of, count, notified):
    """At most five suspects: each author is notified; more would be noise to nearly all of them."""
    incident = incident_of(commits=builds.commits(*range(10, 10 + count)))

    assert notified == len(addresses(Project(notify_authors=True, author_domains=["example.com"]), incident))
    assert addresses(Project(notify_authors=False), incident) == []


@pytest.mark.parametrize(
    "address", ["a@example.com\r\nBcc: b@example.com", "a@example.com,b@example.com", "Ann <a@example.com>", "ann", ""]
)
def test_an_author_who_is_no_address_is_not_notified(builds, incident_of, address):
    """Commits carry whatever somebody wrote: only one plain address is one."""
    commits = [builds.commits(10)[0].model_copy(update={"author_email": address})]

    project = Project(notify_authors=True, author_domains=["example.com", "ann", ""])
    assert addresses(project, incident_of(commits=commits)) == []


@pytest.mark.parametrize(
    ("facts", "notified"),
    [
        ({}, False),
        ({"author_domains": []}, False),
        ({"author_domains": ["example.com"]}, True),
        ({"author_domains": ["@Example.COM "]}, True),
        ({"author_domains": ["com", "mail.example.com", "xample.com"]}, False),
        ({"notification_emails": ["team@EXAMPLE.com"]}, True),
        ({"notification_emails": ["team@example.org"]}, False),
        ({"notification_emails": ["team@example.com"], "author_domains": ["example.org"]}, False),
        ({"configs": {"asan": BuildConfig(owner="tom@example.com")}}, True),
    ],
)
def test_an_author_elsewhere_is_not_notified(builds, incident_of, facts, notified):
    """Whoever names an address in a commit cannot have it mailed: only domains of the project's own, or listed ones."""
    commits = [builds.commits(10)[0].model_copy(update={"author_email": "Zoe@Example.com"})]
    project = Project(notify_authors=True, **facts)

    assert ("Zoe@Example.com" in addresses(project, incident_of(commits=commits))) == notified


def test_a_staging_config_is_news_to_its_owner_only(incident_of):
    """The project is notified as soon as a production config is hit too."""
    configs = {"new": BuildConfig(owner="ann@example.com", state="staging")}
    project = Project(notification_emails=["team@example.com"], configs=configs)

    assert addresses(project, incident_of(["new"])) == ["ann@example.com"]
    assert len(addresses(project, incident_of(["new", "release"]))) == 2


def test_what_the_project_does_not_want_is_not_sent(incident_of):
    """`notify: [fixed]`: only fixes."""
    project = Project(notification_emails=["team@example.com"], notify=("fixed",))
    incident = incident_of()

    assert [[], ["team@example.com"]] == [addresses(project, incident, kind) for kind in ("opened", "fixed")]


def test_a_pull_request_is_commented_when_one_commit_is_suspect(builds, incident_of):
    """With two suspects nobody knows which pull request it was."""
    project = Project(channels=["github://llvm/torch-mlir", "slack://a/b/c"])
    one = recipients_of(project, incident_of(commits=builds.commits(2)), "opened")
    two = recipients_of(project, incident_of(commits=builds.commits(3, 2)), "opened")

    assert Recipient("github_comment", "github://llvm/torch-mlir") in one
    assert {recipient.channel for recipient in two} == {"apprise"}


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        ("22:00-07:00 UTC", "2026-03-01 23:10", "2026-03-02 07:00"),
        ("22:00-07:00 UTC", "2026-03-02 06:59", "2026-03-02 07:00"),
        ("22:00-07:00", "2026-03-02 07:00", "2026-03-02 07:00"),
        ("22:00-07:00", "2026-03-02 21:59", "2026-03-02 21:59"),
        ("12:00-13:00 UTC", "2026-03-02 12:30", "2026-03-02 13:00"),
        ("22:00-07:00 Europe/Berlin", "2026-03-01 22:30", "2026-03-02 06:00"),
        ("22:00-07:00 Mars/Olympus", "2026-03-01 23:10", "2026-03-01 23:10"),
        ("all night", "2026-03-01 23:10", "2026-03-01 23:10"),
        ("25:00-99:00", "2026-03-01 23:10", "2026-03-01 23:10"),
        (None, "2026-03-01 23:10", "2026-03-01 23:10"),
    ],
)
def test_people_are_notified_after_their_quiet_hours(hours, now, until):
    """Over midnight, in any time zone; hours nobody can read are no quiet hours."""
    now_ms, until_at = (
        round(datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp() * 1000) for text in (now, until)
    )

    assert until_at == not_before(hours, now_ms)
