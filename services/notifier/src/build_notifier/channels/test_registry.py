"""Registry: which channels there are, and whom the URLs of config.yaml reach through them."""

from pathlib import Path

import pytest
from build_chassis.projects import Projects
from build_protocol.project_config import Project
from pydantic import SecretStr

from build_notifier.channels.registry import BY_NAME, label, lacking, open_channels, reached
from build_notifier.channels.rooms import room_name, room_url
from build_notifier.channels.smtp import SmtpChannel
from build_notifier.settings import Settings


def test_a_placeholder_is_no_credential(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Logged once at the start; mail goes another way where there is one, instead of to SendGrid for nothing."""
    settings = Settings(
        _env_file=None,
        sendgrid_api_key=SecretStr("your_enter_key"),
        github_token=SecretStr("your_github_token"),
        notification_email="builds@example.com",
        smtp_host="mail.example.com",
    )

    channels = open_channels(settings, Projects(tmp_path / "config.yaml"))

    assert "apprise" in channels
    assert not {"github_status", "github_comment"} & channels.keys()
    assert isinstance(channels["mail"], SmtpChannel)
    for variable in ("SECRET_API_KEY", "NOTIFIER_GITHUB_TOKEN"):
        assert f"{variable} is a placeholder from an example: it counts as not set" in caplog.text


def test_a_rooms_url_is_never_its_name() -> None:
    """Apprise URLs hold tokens: what people read is a name, from which only config.yaml leads back."""
    url = "slack://TOKEN-A/TOKEN-B/TOKEN-C"
    name = room_name(url)

    assert "TOKEN" not in name
    assert url == room_url(Project(channels=["json://x", url]), name)
    assert room_url(Project(), name) is None


def test_every_url_reaches_whom_it_is_for() -> None:
    """A repository's statuses and comments; any other URL is a room's. In the order in which config.yaml has them."""
    project = Project(channels=["slack://a/b/c", "github://llvm/torch-mlir/", "GitHub://llvm/llvm-project"])

    repositories = ["github://llvm/torch-mlir", "github://llvm/llvm-project"]
    assert [("github_status", each) for each in repositories] == reached(project, "commits")
    assert [("github_comment", each) for each in repositories] == reached(project, "changes")
    assert [("apprise", room_name("slack://a/b/c"))] == reached(project, "rooms")


def test_a_channel_that_is_gone_is_still_named() -> None:
    """Claims outlive their channel: they are shown under its name, and suppressed with the reason."""
    assert label("gone") == "gone"
    assert lacking("gone") == "no channel is called gone"


def test_every_channel_says_what_it_lacks() -> None:
    """A claim whose channel is not configured is suppressed with what to set."""
    assert all(lacking(name).startswith("no channel configured: ") for name in BY_NAME)
