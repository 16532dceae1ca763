"""Planning: transitions that are due become claims, one per recipient, and are then taken off their branch.

A crash between the two is harmless: the same claims are decided again, under the same ids. Transitions that are read of
long after they happened, as after an outage, become one summary of their branch.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from build_chassis.failpoints import fail_at
from build_chassis.projects import Projects
from build_protocol.clock import HOUR_MS, Clock

from build_notifier.channels.contract import Recipient
from build_notifier.channels.mail import MAIL
from build_notifier.channels.registry import BY_NAME
from build_notifier.messages.context import Contexts
from build_notifier.messages.extract import Extracts, NoExtract
from build_notifier.messages.message import Message
from build_notifier.metrics import Metrics
from build_notifier.planning import compose
from build_notifier.planning.recipients import RULES, not_before, reason_of, recipients_of
from build_notifier.records import mutes
from build_notifier.records import notification as steps
from build_notifier.records.branch import Branch, Transition
from build_notifier.records.mutes import Mute
from build_notifier.records.notification import Notification, claim_on
from build_notifier.settings import Settings
from build_notifier.store import NotifierStore, StoredBranch
from build_notifier.store.branches import change_branch

log = logging.getLogger("notifier")

STALE_MS = 6 * HOUR_MS
"""A transition that was read of so long after it happened is summed up with others of its branch."""

PATIENCE_MS = 120_000
"""A message waits this long for its log extract; then it leaves without."""

RETRY_MS = 5_000
BRANCHES_PER_STEP = 20
NOBODY = Recipient(MAIL, "nobody")


@dataclass
class Planner:
    """Decides who is notified of what."""

    store: NotifierStore
    projects: Projects
    settings: Settings
    extracts: Extracts
    contexts: Contexts
    _: KW_ONLY
    metrics: Metrics
    clock: Clock

    async def plan_due(self) -> int:
        """Plan some transitions that are due; how many claims that made."""
        claims = 0
        for stored in await self.store.due_branches(self.clock(), BRANCHES_PER_STEP):
            claims += await self._plan(stored)
        return claims

    async def _plan(self, stored: StoredBranch) -> int:
        now_ms = self.clock()
        pending = stored.branch.pending
        muted = await self.store.mutes()
        restored_at = await self.store.noted_time("restored") or 0
        stale = [known for known in pending if _is_stale(known) and known.at >= restored_at]
        planned, claimed = await self._sum_up(stored.branch, stale, muted, now_ms)
        due = [known for known in pending if known.due_at <= now_ms and known not in stale]
        waiting: list[Transition] = []
        for transition in sorted(due, key=lambda transition: transition.at):
            notifications = await self._notifications(
                stored.branch, transition, muted, now_ms, is_of_before=transition.at < restored_at
            )
            if notifications is None:
                waiting.append(transition)
                continue
            new = await self.store.claim(notifications)
            fail_at("notifier.claimed")
            planned.append(transition)
            claimed += len(new)
            self.metrics.claimed.labels(RULES[transition.kind]).inc(len(new))
            log.info(
                "decided to notify of %s %s: %d messages",
                transition.kind,
                transition.subject,
                len(new),
                extra={"build_id": transition.evidence.build_id},
            )
        await self._replace(stored, planned, waiting, now_ms)
        return claimed

    async def _sum_up(
        self, branch: Branch, stale: Sequence[Transition], muted: Sequence[Mute], now_ms: int
    ) -> tuple[list[Transition], int]:
        """Claim one summary per recipient for all of these; which are claimed, and how many claims that made.

        A claim that a crashed planner made for fewer of them stands: the others get a summary of their own.
        """
        summaries: dict[str, Notification] = {}
        wanted: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        by_recipient: defaultdict[Recipient, list[Transition]] = defaultdict(list)
        for transition in stale:
            for recipient in self._recipients(branch, transition, muted, now_ms):
                by_recipient[recipient].append(transition)
        for recipient, happened in by_recipient.items():
            summary = self._summary(branch, recipient, happened, now_ms)
            summaries[summary.id] = summary
            for transition in happened:
                wanted[transition.subject, transition.key].add(summary.id)
        new = await self.store.claim(list(summaries.values()))
        fail_at("notifier.claimed")
        stored = await self.store.notifications(list(summaries)) if summaries else {}
        held = {
            summary.id: {pair for item in summary.message.items for pair in item.transitions}
            for summary in stored.values()
        }
        claimed = [
            transition
            for transition in stale
            if all(
                (transition.subject, transition.key) in held[claim]
                for claim in wanted[transition.subject, transition.key]
            )
        ]
        self.metrics.claimed.labels("summary").inc(len(new))
        return claimed, len(new)

    def _recipients(
        self, branch: Branch, transition: Transition, muted: Sequence[Mute], now_ms: int
    ) -> list[Recipient]:
        """Who gets a summary with this transition in it; what is edited in place is no place for one."""
        subject = branch.subject(transition.subject)
        if mutes.covering(muted, subject, branch.project, branch.branch, now_ms) is not None:
            return []
        project = self.projects.get(branch.project)
        return [
            known
            for known in recipients_of(project, subject, transition.kind)
            if not BY_NAME[known.channel].is_edited and mutes.left(muted, branch.project, known.address, now_ms) is None
        ]

    def _summary(
        self, branch: Branch, recipient: Recipient, happened: Sequence[Transition], now_ms: int
    ) -> Notification:
        first = min(happened, key=lambda transition: (transition.at, transition.subject, transition.key))
        key = f"summary:{first.key}"
        return claim_on(
            recipient,
            "summary",
            first.subject,
            key,
            compose.summary(branch, happened, self.settings.dashboard_url.rstrip("/"), now_ms),
            project=branch.project,
            branch=branch.branch,
            build_id=first.evidence.build_id,
            due_at=not_before(self.projects.get(branch.project).quiet_hours, now_ms),
            now_ms=now_ms,
        )

    async def _notifications(
        self, branch: Branch, transition: Transition, muted: Sequence[Mute], now_ms: int, *, is_of_before: bool
    ) -> list[Notification] | None:
        """The claims on notifying of this transition; None while its extract is waited for.

        `is_of_before`: it happened before the store was restored.
        """
        project = self.projects.get(branch.project)
        if RULES[transition.kind] not in project.notify:
            return []
        subject = branch.subject(transition.subject)
        recipients = recipients_of(project, subject, transition.kind)
        message = await self._message(branch, transition, now_ms)
        if message is None:
            return None
        mute = mutes.covering(muted, subject, branch.project, branch.branch, now_ms)
        reason = None
        if is_of_before:
            reason = steps.RESTORED
        elif mute is not None:
            reason = f"muted by {mute.created_by}" + (f": {mute.reason}" if mute.reason else "")
        elif not recipients:
            reason = f"config.yaml names nobody to notify for {branch.project}"
        return [
            self._notification(
                branch,
                transition,
                recipient,
                message.model_copy(update={"because": reason_of(project, branch.project, subject, recipient)}),
                suppressed=reason or mutes.left(muted, branch.project, recipient.address, now_ms),
                now_ms=now_ms,
            )
            for recipient in recipients or [NOBODY]
        ]

    async def _message(self, branch: Branch, transition: Transition, now_ms: int) -> Message | None:
        project = self.projects.get(branch.project)
        url = self.settings.dashboard_url.rstrip("/")
        message = compose.news(branch, transition, project, url, now_ms)
        if not message.is_break:
            return message
        context = await self.contexts.of(transition.evidence, branch.project)
        message = message.model_copy(update={"context": context})
        try:
            extract = await self.extracts.around(transition.evidence, branch.project)
        except NoExtract as error:
            waited_ms = now_ms - transition.received_at - self.settings.quiet_ms
            if not error.permanent and waited_ms < PATIENCE_MS:
                return None
            return compose.with_extract(message, [], str(error))
        return compose.with_extract(message, extract, None if extract else "the log is empty")

    def _notification(
        self,
        branch: Branch,
        transition: Transition,
        recipient: Recipient,
        message: Message,
        *,
        suppressed: str | None,
        now_ms: int,
    ) -> Notification:
        rule = RULES[transition.kind]
        is_edited = BY_NAME[recipient.channel].is_edited
        # Edited in place: each config that joins is worth another edit.
        key = f"{transition.key}:{len(message.configs)}" if is_edited else transition.key
        hours = None if is_edited else self.projects.get(branch.project).quiet_hours
        notification = claim_on(
            recipient,
            rule,
            transition.subject,
            key,
            message,
            project=branch.project,
            branch=branch.branch,
            build_id=transition.evidence.build_id,
            due_at=not_before(hours, now_ms),
            now_ms=now_ms,
        )
        if suppressed is None:
            return notification
        return steps.suppressed(notification, now_ms, suppressed)

    async def _replace(
        self, stored: StoredBranch, planned: Sequence[Transition], waiting: Sequence[Transition], now_ms: int
    ) -> None:
        """Take off what was planned, put off what waits, and keep what verdicts changed meanwhile."""
        put_off = {
            (transition.subject, transition.key): transition.model_copy(update={"due_at": now_ms + RETRY_MS})
            for transition in waiting
        }

        def settled(branch: Branch) -> Branch:
            left = branch.without(list(planned))
            pending = [put_off.get((transition.subject, transition.key), transition) for transition in left.pending]
            return left.model_copy(update={"pending": pending})

        await change_branch(self.store, stored.branch, settled, read=stored)


def _is_stale(transition: Transition) -> bool:
    return transition.received_at - transition.at > STALE_MS
