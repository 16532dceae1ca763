"""Which channels there are, by these settings; the one place that names them all."""

import logging
from collections.abc import Mapping

from build_chassis.projects import Projects
from build_chassis.secret_rules import is_placeholder
from pydantic import SecretStr

from build_notifier.channels.apprise import AppriseChannel
from build_notifier.channels.contract import Channel
from build_notifier.channels.github import GitHubComments, GitHubStatuses
from build_notifier.channels.github.api import GitHub
from build_notifier.channels.sendgrid import SendGridChannel
from build_notifier.channels.smtp import SmtpChannel
from build_notifier.channels.smtp.channel import Server
from build_notifier.planning.recipients import room_url
from build_notifier.records.notification import ChannelName
from build_notifier.settings import Settings

logger = logging.getLogger("notifier")
LACKING: Mapping[ChannelName, str] = {
    "mail": "no channel configured: set SECRET_API_KEY (SendGrid) or NOTIFIER_SMTP_HOST, and NOTIFICATION_EMAIL",
    "github_status": "no channel configured: set NOTIFIER_GITHUB_TOKEN",
    "github_comment": "no channel configured: set NOTIFIER_GITHUB_TOKEN",
    "apprise": "no channel configured",
}
"""The reason of a notification whose channel is not there."""


def open_channels(settings: Settings, projects: Projects) -> dict[ChannelName, Channel]:
    """The configured channels; they connect on first use."""
    channels: dict[ChannelName, Channel] = {
        "apprise": AppriseChannel(lambda project, name: room_url(projects.get(project), name))
    }
    mail = _mail(settings)
    if mail is not None:
        channels["mail"] = mail
    token = _credential("NOTIFIER_GITHUB_TOKEN", settings.github_token)
    if token:
        github = GitHub(token, settings.github_host)
        channels |= {"github_status": GitHubStatuses(github), "github_comment": GitHubComments(github)}
    return channels


def _mail(settings: Settings) -> Channel | None:
    sender, key = settings.notification_email, _credential("SECRET_API_KEY", settings.sendgrid_api_key)
    if sender and key:
        return SendGridChannel(key, sender, settings.sendgrid_host)
    if sender and settings.smtp_host:
        password = settings.smtp_password.get_secret_value()
        server = Server(
            settings.smtp_host, settings.smtp_port, settings.smtp_username, password, use_tls=settings.smtp_tls
        )
        return SmtpChannel(server, sender)
    return None


def _credential(variable: str, value: SecretStr) -> str:
    """The credential; empty where it still is the example's, which nobody would accept."""
    if not is_placeholder(value.get_secret_value()):
        return value.get_secret_value()
    logger.warning("%s is a placeholder from an example: it counts as not set", variable)
    return ""
