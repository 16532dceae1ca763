"""Missing agents and overdue configs: incidents about silence. Pure.

An agent is missing when a build of its own is lost, and back with its next verdict that is anything else. A config is
overdue when its `cadence_minutes` passed twice without a verdict.
"""

from collections.abc import Mapping

from build_protocol.messages import BuildVerdict
from build_protocol.project_config import BuildConfig

from build_notifier import ids
from build_notifier.branch import Branch, Evidence, Incident, Member
from build_notifier.draft import Draft

OVERDUE_CADENCES = 2


def note_agent(draft: Draft, verdict: BuildVerdict) -> None:
    """Note that a build's agent fell silent, or that a silent agent or config is heard again."""
    evidence = Evidence.of(verdict)
    agent = _agent_signature(evidence)
    if verdict.data.status == "lost":
        _miss(draft, agent, evidence)
        return
    for incident in draft.open_incidents("missing"):
        if incident.signatures[0] in (agent, _config_signature(evidence.config)):
            _hear(draft, incident, evidence)


def overdue(branch: Branch, configs: Mapping[str, BuildConfig], *, now_ms: int, quiet_ms: int) -> Branch:
    """The branch with an incident for each config from which nothing came for twice its cadence."""
    draft = Draft.of(branch, now_ms, quiet_ms)
    touched = False
    for config, settings in configs.items():
        lane = branch.lanes.get(config)
        if lane is None or settings.cadence_minutes is None or settings.state == "silent":
            continue
        if now_ms - lane.heard_at <= OVERDUE_CADENCES * settings.cadence_minutes * 60_000:
            continue
        evidence = Evidence(build_id=lane.last.build_id, config=config, started_at=lane.last.started_at)
        touched |= _miss(draft, _config_signature(config), evidence)
    return draft.result().model_copy(update={"touched_at": branch.touched_at}) if touched else branch


def _miss(draft: Draft, signature: str, evidence: Evidence) -> bool:
    known = next((i for i in draft.open_incidents("missing") if i.signatures[0] == signature), None)
    member = Member(config=evidence.config, build_id=evidence.build_id)
    if known is not None:
        if evidence.config in known.members:
            return False
        draft.put(known.model_copy(update={"members": {**known.members, evidence.config: member}}))
        return True
    incident = Incident(
        id=ids.incident_id(draft.branch.project, draft.branch.branch, signature, evidence.build_id),
        kind="missing",
        signatures=[signature],
        is_told=True,
        opened_at=draft.now_ms,
        opening=evidence,
        members={evidence.config: member},
    )
    draft.put(incident)
    draft.say("missing", incident, evidence)
    return True


def _hear(draft: Draft, incident: Incident, evidence: Evidence) -> None:
    draft.put(incident.model_copy(update={"is_open": False, "closed_at": draft.now_ms, "closing": evidence}))
    if not draft.withdraw(incident, "missing"):
        draft.say("returned", incident, evidence)


def _agent_signature(evidence: Evidence) -> str:
    # Builds of agents too old to say who they are do not make each other missing.
    return f"agent:{evidence.agent or evidence.build_id}"


def _config_signature(config: str) -> str:
    return f"config:{config}"
