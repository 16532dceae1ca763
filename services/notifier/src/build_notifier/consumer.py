"""Deliveries of `notifier.builds`: verdicts are folded into their branches' rows, then the batch is acked."""

from collections import defaultdict
from collections.abc import Sequence

from build_chassis.bus import Delivery
from build_chassis.errors import StoreUnavailable
from build_chassis.projects import Projects, config_of
from build_protocol.messages import BuildFailing, BuildVerdict, build_message

from build_notifier import ids
from build_notifier.branch import Branch
from build_notifier.delivery.notification import Notification
from build_notifier.incidents import apply
from build_notifier.messages import compose
from build_notifier.planning.recipients import repositories
from build_notifier.settings import Settings
from build_notifier.store import NotifierStore

RACES = 20
"""Tries to replace a row that other replicas are replacing too."""

NO_BRANCH = "(no branch)"


class Recorder:
    """Records what verdicts say."""

    def __init__(self, store: NotifierStore, projects: Projects, settings: Settings) -> None:
        self._store = store
        self._projects = projects
        self._settings = settings

    async def handle(self, deliveries: Sequence[Delivery], now_ms: int) -> int:
        """Record a batch; how many verdicts it had. Raises ValidationError for what can never be read."""
        messages = [build_message.validate_json(delivery.body) for delivery in deliveries]
        verdicts = [
            message.as_verdict() if isinstance(message, BuildFailing) else message
            for message in messages
            if isinstance(message, BuildVerdict | BuildFailing)
        ]
        await self.record(verdicts, now_ms)
        return len(verdicts)

    async def record(self, verdicts: Sequence[BuildVerdict], now_ms: int) -> None:
        """Record verdicts; repeated or reordered ones change nothing (build id, revision)."""
        ended = [verdict for verdict in verdicts if verdict.data.revision > 0]
        await self._store.claim([claim for verdict in ended for claim in self._statuses(verdict, now_ms)])
        by_branch: defaultdict[tuple[str, str], list[BuildVerdict]] = defaultdict(list)
        for verdict in verdicts:
            config = config_of(self._projects.get(verdict.project), verdict.data.config)
            # Local and premerge builds are their person's: they are no news about a branch.
            if verdict.data.origin == "ci" and config.state != "silent":
                by_branch[verdict.project, verdict.data.branch or NO_BRANCH].append(verdict)
        for (project, branch), told in by_branch.items():
            await self._fold(Branch(project=project, branch=branch), told, now_ms)

    async def _fold(self, unknown: Branch, verdicts: Sequence[BuildVerdict], now_ms: int) -> None:
        for _ in range(RACES):
            stored = (await self._store.branches([unknown.key])).get(unknown.key)
            before = stored.branch if stored else unknown
            after = before
            for verdict in verdicts:
                after = apply(after, verdict, now_ms=now_ms, quiet_ms=self._settings.quiet_ms)
            if after == before or await self._store.put_branch(after, stored.version if stored else 0):
                return
        raise StoreUnavailable("notifier", f"branch {unknown.branch} of {unknown.project} is contended")

    def _statuses(self, verdict: BuildVerdict, now_ms: int) -> list[Notification]:
        """A commit status per repository: of each build, because a commit's page lists builds, not incidents."""
        data = verdict.data
        if data.origin == "local" or data.commit is None or data.status not in ("succeeded", "failed"):
            return []
        message = compose.status(verdict, self._settings.dashboard_url.rstrip("/"), now_ms)
        transition = f"{data.revision}:{data.status}"
        return [
            Notification(
                id=ids.notification_id("commit_status", verdict.build_id, transition, repository),
                project=verdict.project,
                branch=data.branch or NO_BRANCH,
                rule="commit_status",
                incident=verdict.build_id,
                transition=transition,
                build_id=verdict.build_id,
                channel="github_status",
                recipient=repository,
                message=message,
                due_at=now_ms,
                created_at=now_ms,
            )
            for repository in repositories(self._projects.get(verdict.project))
        ]
