"""Deliveries of `notifier.builds`: what they report is noted in their branches' rows, then the batch is acked.

history decides what happened to a branch (INCIDENT_CHANGED). A verdict is noted only for what its one build shows: the
status of its commit, and whether its agent is there.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial, reduce

from build_chassis.bus import Delivery
from build_chassis.projects import Projects, config_of
from build_protocol.incidents import IncidentChanged, IncidentState
from build_protocol.messages import BuildVerdict, build_message

from build_notifier.channels.registry import BY_NAME, reached
from build_notifier.planning import compose, missing
from build_notifier.records.branch import Branch, apply_incident
from build_notifier.records.notification import Notification, claim_on
from build_notifier.settings import Settings
from build_notifier.store import NotifierStore
from build_notifier.store.branches import change_branch

JUDGED_AFTER_MS = 1_500
"""History reads of a build when we do, and has judged it a moment later."""

Step = Callable[[Branch], Branch]


class Recorder:
    """Records what incidents and verdicts report."""

    def __init__(self, store: NotifierStore, projects: Projects, settings: Settings) -> None:
        self._store = store
        self._projects = projects
        self._settings = settings

    async def handle(self, deliveries: Sequence[Delivery], now_ms: int) -> int:
        """Record a batch; how many messages of ours it had. Raises ValidationError for what can never be read."""
        messages = [_read(delivery) for delivery in deliveries]
        ours = [message for message in messages if message is not None]
        await self.record(ours, now_ms)
        return len(ours)

    async def record(self, messages: Sequence[IncidentChanged | BuildVerdict], now_ms: int) -> None:
        """Record messages in their order; repeated or overtaken ones change nothing.

        Key: incident id and revision, build id and revision.
        """
        verdicts = [message for message in messages if isinstance(message, BuildVerdict)]
        await self._store.claim([claim for verdict in verdicts for claim in self._statuses(verdict, now_ms)])
        steps: defaultdict[tuple[str, str | None], list[Step]] = defaultdict(list)
        for message in messages:
            if isinstance(message, IncidentChanged):
                steps[message.project, message.data.branch].append(self._incident(message, now_ms))
            elif self._is_of_branch(message):
                steps[message.project, message.data.branch].append(self._verdict(message, now_ms))
        for (project, branch), due in steps.items():
            await change_branch(self._store, Branch(project=project, branch=branch), partial(_taken, due), makes=True)
        await self._end_mutes([message.data for message in messages if isinstance(message, IncidentChanged)])

    async def _end_mutes(self, states: Sequence[IncidentState]) -> None:
        """End the mutes that were to last until these incidents are fixed."""
        if any(state.state == "closed" for state in states):
            for mute in await self._store.mutes():
                if any(mute.ends_with(state) for state in states):
                    await self._store.drop_mute(mute.id)

    def _incident(self, message: IncidentChanged, now_ms: int) -> Step:
        return lambda branch: apply_incident(branch, message, now_ms=now_ms, quiet_ms=self._settings.quiet_ms)

    def _verdict(self, verdict: BuildVerdict, now_ms: int) -> Step:
        return lambda branch: missing.note_verdict(branch, verdict, now_ms=now_ms, quiet_ms=self._settings.quiet_ms)

    def _is_of_branch(self, verdict: BuildVerdict) -> bool:
        """Whether it is of a branch: not local or premerge builds, silent configs, or what was over long before."""
        config = config_of(self._projects.get(verdict.project), verdict.data.config)
        return verdict.data.origin == "ci" and not verdict.data.backfill and config.state != "silent"

    def _statuses(self, verdict: BuildVerdict, now_ms: int) -> list[Notification]:
        """Commit statuses wherever the project has its commits.

        Of each build, because a commit's page lists builds, not incidents.
        """
        data = verdict.data
        if data.origin == "local" or data.backfill or data.commit is None or data.status not in ("succeeded", "failed"):
            return []
        message = compose.status(verdict, self._settings.dashboard_url.rstrip("/"), now_ms)
        transition = f"{data.revision}:{data.status}"
        return [
            claim_on(
                recipient,
                "commit_status",
                verdict.build_id,
                transition,
                message,
                project=verdict.project,
                branch=data.branch,
                build_id=verdict.build_id,
                now_ms=now_ms,
                due_at=now_ms + (JUDGED_AFTER_MS if BY_NAME[recipient.channel].is_judged else 0),
            )
            for recipient in reached(self._projects.get(verdict.project), "commits")
        ]


def _taken(steps: Sequence[Step], branch: Branch) -> Branch:
    """The branch after these steps."""
    return reduce(lambda known, step: step(known), steps, branch)


def _read(delivery: Delivery) -> IncidentChanged | BuildVerdict | None:
    """The message, where it is one that is acted on; the routing key names its kind."""
    if delivery.routing_key.split(".")[1:2] == ["INCIDENT_CHANGED"]:
        return IncidentChanged.model_validate_json(delivery.body)
    message = build_message.validate_json(delivery.body)
    return message if isinstance(message, BuildVerdict) else None
