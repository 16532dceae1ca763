"""A branch while a verdict changes it: what the folds of `incidents` and `missing` write on."""

from collections.abc import Sequence
from dataclasses import dataclass

from build_protocol.messages import BuildVerdict

from build_notifier import ids
from build_notifier.branch import Branch, Evidence, Incident, Lane, Member, Transition, TransitionKind

CLOSED_KEPT = 20
"""Closed incidents a branch remembers, so that builds which were still under way then are known to be of them."""

IDLE_MS = 90 * 24 * 3600 * 1000
"""A config without a verdict for so long is gone: it can no longer keep an incident open."""


@dataclass(slots=True)
class Draft:
    """The parts of a branch, open to change."""

    branch: Branch
    lanes: dict[str, Lane]
    incidents: dict[str, Incident]
    pending: dict[tuple[str, str], Transition]
    now_ms: int
    quiet_ms: int

    @classmethod
    def of(cls, branch: Branch, now_ms: int, quiet_ms: int) -> "Draft":
        """A draft that says what the branch says."""
        return cls(
            branch,
            dict(branch.lanes),
            {incident.id: incident for incident in branch.incidents},
            {(transition.incident, transition.key): transition for transition in branch.pending},
            now_ms,
            quiet_ms,
        )

    def open_incidents(self, kind: str) -> list[Incident]:
        """Open incidents of a kind, oldest first."""
        return [incident for incident in self.incidents.values() if incident.is_open and incident.kind == kind]

    def breaks_showing(self, signatures: Sequence[str]) -> list[Incident]:
        """Open breaks that show one of these signatures, oldest first."""
        return [i for i in self.open_incidents("break") if not set(signatures).isdisjoint(i.signatures)]

    def open(self, signature: str, verdict: BuildVerdict, *, is_told: bool) -> Incident:
        """Open the break this build is the first to show."""
        evidence = Evidence.of(verdict)
        incident = Incident(
            id=ids.incident_id(self.branch.project, self.branch.branch, signature, evidence.build_id),
            signatures=[signature],
            is_told=is_told,
            opened_at=self.now_ms,
            opening=evidence,
            members={evidence.config: Member(config=evidence.config, build_id=evidence.build_id)},
            suspects=verdict.data.commits,
        )
        self.put(incident)
        return incident

    def put(self, incident: Incident) -> None:
        """Keep this state of the incident."""
        self.incidents[incident.id] = incident

    def say(self, kind: TransitionKind, incident: Incident, evidence: Evidence, key: str | None = None) -> None:
        """Note a transition; one that is still waiting keeps its time, so joins cannot put it off for ever."""
        identity = (incident.id, key or kind)
        if identity not in self.pending:
            self.pending[identity] = Transition(
                kind=kind,
                incident=incident.id,
                key=identity[1],
                since_at=self.now_ms,
                due_at=self.now_ms + self.quiet_ms,
                evidence=evidence,
            )

    def withdraw(self, incident: Incident, key: str) -> bool:
        """Take back a transition nobody was told of; False when it is not waiting any more."""
        return self.pending.pop((incident.id, key), None) is not None

    def hurry(self, incident: Incident) -> None:
        """Let what waits about this incident be told now: news that follows must not overtake it."""
        for identity, transition in self.pending.items():
            if transition.incident == incident.id:
                self.pending[identity] = transition.model_copy(update={"due_at": self.now_ms})

    def result(self) -> Branch:
        """The branch as it now is, without what it need not remember."""
        self._forget_idle()
        waiting = {transition.incident for transition in self.pending.values()}
        closed = [incident for incident in self.incidents.values() if not incident.is_open]
        closed.sort(key=lambda incident: incident.closed_at or 0)
        forgotten = {incident.id for incident in closed[: max(0, len(closed) - CLOSED_KEPT)]} - waiting
        return self.branch.model_copy(
            update={
                "lanes": self.lanes,
                "incidents": [incident for incident in self.incidents.values() if incident.id not in forgotten],
                "pending": list(self.pending.values()),
                "touched_at": self.now_ms,
            }
        )

    def _forget_idle(self) -> None:
        idle = {config for config, lane in self.lanes.items() if lane.heard_at < self.now_ms - IDLE_MS}
        if not idle:
            return
        self.lanes = {config: lane for config, lane in self.lanes.items() if config not in idle}
        for incident in [*self.open_incidents("break"), *self.open_incidents("missing")]:
            members = {config: member for config, member in incident.members.items() if config not in idle}
            update: dict[str, object] = {"members": members}
            if all(member.is_recovered for member in members.values()):
                update |= {"is_open": False, "closed_at": self.now_ms}
            self.put(incident.model_copy(update=update))
