"""Composing: a branch's transition, a verdict or a list of incidents as a message. Pure."""

from collections import defaultdict
from collections.abc import Sequence

from build_protocol.messages import BuildVerdict
from build_protocol.project_config import Project

from build_notifier.messages.message import NO_BRANCH, LogLine, Message, StillRed, commits_url, source_url
from build_notifier.messages.text import one_line
from build_notifier.records.branch import Branch, Subject, Transition, evidence_of

COMMITS_KEPT = 20
"""Commits a message carries; it says how many there were."""

ITEMS_KEPT = 50


def news(branch: Branch, transition: Transition, project: Project, dashboard_url: str, now_ms: int) -> Message:
    """The message about a transition, still without its extract."""
    subject = branch.subject(transition.subject)
    suspects = subject.suspects
    return Message(
        kind=transition.kind,
        project=branch.project,
        branch=branch.branch,
        configs=subject.configs,
        at=now_ms,
        evidence=transition.evidence,
        suspects=None if suspects is None else suspects[:COMMITS_KEPT],
        suspect_count=len(suspects or ()),
        red_ms=max(0, transition.at - subject.opened_at) if transition.kind == "fixed" else None,
        dashboard_url=dashboard_url,
        source_url=source_url(project.source_url, transition.evidence),
        incident=subject.id if subject.kind == "break" else None,
        commits_url=commits_url(project.repo_url),
    )


def with_extract(message: Message, extract: Sequence[LogLine], fault: str | None) -> Message:
    """The message with its extract, or with why there is none."""
    return message.model_copy(update={"extract": list(extract), "extract_fault": fault})


def status(verdict: BuildVerdict, dashboard_url: str, now_ms: int) -> Message:
    """The result of one build, for its commit."""
    return Message(
        kind="status",
        project=verdict.project,
        branch=verdict.data.branch,
        configs=[verdict.data.config],
        at=now_ms,
        evidence=evidence_of(verdict),
        succeeded=verdict.data.status == "succeeded",
        is_premerge=verdict.data.origin == "premerge",
        dashboard_url=dashboard_url,
    )


def digest(project: str, red: Sequence[tuple[Branch, Subject]], dashboard_url: str, now_ms: int) -> Message:
    """What is still broken, the oldest first."""
    oldest = sorted(red, key=lambda pair: pair[1].opened_at)
    return Message(
        kind="digest",
        project=project,
        at=now_ms,
        items=[
            _item(branch, subject, subject.red_configs, now_ms - subject.opened_at)
            for branch, subject in oldest[:ITEMS_KEPT]
        ],
        dashboard_url=dashboard_url,
    )


def summary(branch: Branch, transitions: Sequence[Transition], dashboard_url: str, now_ms: int) -> Message:
    """What happened to a branch while nobody could be notified, an item an incident, the oldest first.

    Incidents beyond `ITEMS_KEPT` are for another summary.
    """
    by_subject: defaultdict[str, list[Transition]] = defaultdict(list)
    for transition in sorted(transitions, key=lambda transition: transition.at):
        by_subject[transition.subject].append(transition)
    items = []
    for subject_id, happened in list(by_subject.items())[:ITEMS_KEPT]:
        subject = branch.subject(subject_id)
        item = _item(branch, subject, subject.configs, happened[-1].at - subject.opened_at)
        kinds = dict.fromkeys(transition.kind for transition in happened)
        outcome = {
            "news": ", ".join(kinds),
            "transitions": [(transition.subject, transition.key) for transition in happened],
        }
        items.append(item.model_copy(update=outcome))
    return Message(
        kind="summary",
        project=branch.project,
        branch=branch.branch,
        at=now_ms,
        items=items,
        dashboard_url=dashboard_url,
    )


def _item(branch: Branch, subject: Subject, configs: Sequence[str], open_ms: int) -> StillRed:
    failure = subject.opening.failure
    return StillRed(
        branch=branch.branch or NO_BRANCH,
        configs=list(configs),
        message=one_line(failure.message if failure else subject.opening.error or "", 200),
        build_id=subject.opening.build_id,
        line=failure.first_line if failure else None,
        open_ms=max(0, open_ms),
    )
