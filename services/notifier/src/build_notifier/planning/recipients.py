"""Recipients: who is notified of a transition, through which channel, and when. Pure.

A config in state `staging` is news to its owner only; one that is `silent` to nobody.
"""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from build_chassis.projects import config_of
from build_protocol.project_config import NotifyOn, Project

from build_notifier.channels.contract import Recipient
from build_notifier.channels.mail import MAIL
from build_notifier.channels.registry import reached
from build_notifier.records.branch import NewsKind, Subject

SUSPECTS_NOTIFIED = 5
"""With more suspects than this a mail to each author is noise to nearly all of them."""

RULES: dict[NewsKind, NotifyOn] = {
    "opened": "broken",
    "changed": "new_signature",
    "reopened": "broken",
    "fixed": "fixed",
    "overridden": "fixed",
    "missing": "agent_missing",
    "returned": "agent_missing",
}

# Addresses of authors come from commits: only what cannot be read as more than one address is used.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*")
_HOURS = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})(?:\s+(\S+))?")


def recipients_of(project: Project, subject: Subject, kind: NewsKind) -> list[Recipient]:
    """Everybody who is to be notified of this transition, each once."""
    if RULES[kind] not in project.notify:
        return []
    configs = [config_of(project, name) for name in subject.configs]
    is_public = any(config.state == "production" for config in configs)
    owners = [config.owner for config in configs if config.owner and config.state != "silent"]
    recipients = _people(owners)
    if is_public:
        recipients = everybody(project) + recipients
        recipients += _people(_authors(project, subject))
        if subject.kind == "break" and len(subject.suspects or ()) == 1:
            recipients += reached(project, "changes")
    once = {(recipient.channel, recipient.address.lower()): recipient for recipient in reversed(recipients)}
    return list(once.values())[::-1]


def reason_of(project: Project, name: str, subject: Subject, recipient: Recipient) -> str:
    """Why this recipient is notified, by the rule that made them one."""
    address = recipient.address.lower()
    if recipient.channel != MAIL:
        return f"{name} names this room in its channels"
    if address in {known.lower() for known in project.notification_emails}:
        return f"you are in notification_emails of {name}"
    owned = [config for config in subject.configs if (config_of(project, config).owner or "").lower() == address]
    if owned:
        return f"you own the config {owned[0]} of {name}"
    if any((commit.author_email or "").lower() == address for commit in subject.suspects or ()):
        return "you wrote a commit that may have broken it"
    return f"{name} notifies you"


def everybody(project: Project) -> list[Recipient]:
    """Those who are notified of everything that concerns the whole project."""
    return [*_people(project.notification_emails), *reached(project, "rooms")]


def not_before(quiet_hours: str | None, now_ms: int) -> int:
    """When people may be notified: now, or the end of the quiet hours (`22:00-07:00 Europe/Berlin`) that now falls in.

    Hours nobody can read are no quiet hours.
    """
    match = _HOURS.fullmatch(quiet_hours.strip()) if quiet_hours else None
    if match is None:
        return now_ms
    try:
        zone = ZoneInfo(match[5] or "UTC")
        now = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone)
        begin, end = (
            now.replace(hour=int(match[n]), minute=int(match[n + 1]), second=0, microsecond=0) for n in (1, 3)
        )
    except (ZoneInfoNotFoundError, ValueError):
        return now_ms
    is_over_midnight = end <= begin
    is_quiet = (now >= begin or now < end) if is_over_midnight else begin <= now < end
    if not is_quiet:
        return now_ms
    if is_over_midnight and now >= begin:
        end += timedelta(days=1)
    return round(end.timestamp() * 1000)


def _authors(project: Project, subject: Subject) -> list[str]:
    suspects = subject.suspects or []
    if not project.notify_authors or subject.kind != "break" or len(suspects) > SUSPECTS_NOTIFIED:
        return []
    domains = author_domains(project)
    found = [commit.author_email for commit in suspects if commit.author_email]
    return [address for address in found if _domain(address) in domains]


def author_domains(project: Project) -> frozenset[str]:
    """The mail domains at which a build may have people notified: a commit names whatever its writer likes."""
    if project.author_domains is not None:
        return frozenset(domain.strip().lower().removeprefix("@") for domain in project.author_domains)
    owners = [config.owner for config in project.configs.values() if config.owner]
    return frozenset(_domain(person.address) for person in _people([*project.notification_emails, *owners]))


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _people(candidates: list[str]) -> list[Recipient]:
    addresses = [address for address in candidates if len(address) <= 254 and _ADDRESS.fullmatch(address)]
    return [Recipient(MAIL, address) for address in addresses]
