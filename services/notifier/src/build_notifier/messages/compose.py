"""Writing: a branch's transition, a verdict or a list of open incidents as a message. Pure."""

from collections.abc import Sequence

from build_protocol.messages import BuildVerdict
from build_protocol.project_config import Project

from build_notifier.branch import Branch, Evidence, Incident, Transition
from build_notifier.messages.message import LogLine, Message, StillRed, source_url
from build_notifier.messages.text import one_line

COMMITS_KEPT = 20
"""Commits a message carries; it says how many there were."""

ITEMS_KEPT = 50


def news(branch: Branch, transition: Transition, project: Project, dashboard_url: str, now_ms: int) -> Message:
    """The message about a transition, still without its extract."""
    incident = branch.incident(transition.incident)
    suspects = incident.suspects
    return Message(
        kind=transition.kind,
        project=branch.project,
        branch=branch.branch,
        configs=list(incident.members),
        at=now_ms,
        evidence=transition.evidence,
        suspects=None if suspects is None else suspects[:COMMITS_KEPT],
        suspect_count=len(suspects or ()),
        red_ms=transition.since_at - incident.opened_at if transition.kind == "fixed" else None,
        dashboard_url=dashboard_url,
        source_url=source_url(project.source_url, transition.evidence),
    )


def with_extract(message: Message, extract: Sequence[LogLine], fault: str | None) -> Message:
    """The message with its extract, or with why there is none."""
    return message.model_copy(update={"extract": list(extract), "extract_fault": fault})


def status(verdict: BuildVerdict, dashboard_url: str, now_ms: int) -> Message:
    """What one build says about its commit."""
    return Message(
        kind="status",
        project=verdict.project,
        branch=verdict.data.branch or "",
        configs=[verdict.data.config],
        at=now_ms,
        evidence=Evidence.of(verdict),
        succeeded=verdict.data.status == "succeeded",
        dashboard_url=dashboard_url,
    )


def digest(project: str, red: Sequence[tuple[Branch, Incident]], dashboard_url: str, now_ms: int) -> Message:
    """What is still broken, the oldest first."""
    oldest = sorted(red, key=lambda pair: pair[1].opened_at)
    return Message(
        kind="digest",
        project=project,
        at=now_ms,
        items=[_still_red(branch.branch, incident, now_ms) for branch, incident in oldest[:ITEMS_KEPT]],
        dashboard_url=dashboard_url,
    )


def _still_red(branch: str, incident: Incident, now_ms: int) -> StillRed:
    failure = incident.opening.failure
    return StillRed(
        branch=branch,
        configs=incident.red_configs,
        message=one_line(failure.message if failure else incident.opening.error or "", 200),
        build_id=incident.opening.build_id,
        line=failure.first_line if failure else None,
        open_ms=now_ms - incident.opened_at,
    )
