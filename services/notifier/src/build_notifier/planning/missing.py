"""Missing agents and overdue configs: subjects about silence. Pure.

An agent is missing when a build of its own is lost, and back with its next verdict that is anything else. A config is
overdue when its `cadence_minutes` passed twice without a verdict.
"""

from collections.abc import Mapping

from build_protocol.incidents import Evidence
from build_protocol.messages import BuildVerdict
from build_protocol.project_config import BuildConfig

from build_notifier.records import ids
from build_notifier.records.branch import IDLE_MS, Branch, NewestVerdict, NewsKind, Subject, Transition, evidence_of

OVERDUE_CADENCES = 2


def note_verdict(branch: Branch, verdict: BuildVerdict, *, now_ms: int, quiet_ms: int) -> Branch:
    """The branch once this verdict came in: an agent fell silent, or a silent agent or config is back.

    A repeated verdict, or one of a build that a later one of its config followed, changes nothing.
    """
    evidence = evidence_of(verdict)
    newest = NewestVerdict(
        build_id=verdict.build_id,
        revision=verdict.data.revision,
        started_at=evidence.started_at,
        received_at=now_ms,
    )
    last = branch.newest_verdicts.get(evidence.config)
    if last is not None and not _follows(newest, last):
        return branch
    recent = {
        config: known for config, known in branch.newest_verdicts.items() if known.received_at >= now_ms - IDLE_MS
    }
    update = {"newest_verdicts": {**recent, evidence.config: newest}, "touched_at": now_ms}
    branch = branch.model_copy(update=update)
    for subject in branch.open_subjects("missing"):
        if branch.newest_verdicts.keys().isdisjoint(subject.configs):
            branch = branch.putting(subject.model_copy(update={"is_open": False, "red_configs": []}))
    agent = _agent_signature(evidence)
    if verdict.data.status == "lost":
        return _miss(branch, agent, evidence, now_ms=now_ms, quiet_ms=quiet_ms)
    for subject in branch.open_subjects("missing"):
        if subject.signature in (agent, _config_signature(evidence.config)):
            branch = _return(branch, subject, evidence, now_ms=now_ms, quiet_ms=quiet_ms)
    return branch


def overdue(branch: Branch, configs: Mapping[str, BuildConfig], *, now_ms: int, quiet_ms: int) -> Branch:
    """The branch with a subject for each config from which nothing came for twice its cadence."""
    for config, settings in configs.items():
        last = branch.newest_verdicts.get(config)
        if last is None or settings.cadence_minutes is None or settings.state == "silent":
            continue
        if now_ms - last.received_at <= OVERDUE_CADENCES * settings.cadence_minutes * 60_000:
            continue
        evidence = Evidence(build_id=last.build_id, config=config, started_at=last.started_at)
        branch = _miss(branch, _config_signature(config), evidence, now_ms=now_ms, quiet_ms=quiet_ms)
    return branch


def _follows(newest: NewestVerdict, last: NewestVerdict) -> bool:
    if newest.build_id == last.build_id:
        return newest.revision > last.revision
    return (newest.started_at, newest.build_id) > (last.started_at, last.build_id)


def _miss(branch: Branch, signature: str, evidence: Evidence, *, now_ms: int, quiet_ms: int) -> Branch:
    known = next((subject for subject in branch.open_subjects("missing") if subject.signature == signature), None)
    if known is not None:
        if evidence.config in known.configs:
            return branch
        configs = [*known.configs, evidence.config]
        return branch.putting(known.model_copy(update={"configs": configs, "red_configs": configs}))
    subject = Subject(
        id=ids.silence_id(branch.project, branch.branch, signature, evidence.build_id),
        kind="missing",
        signature=signature,
        opened_at=now_ms,
        opening=evidence,
        configs=[evidence.config],
        red_configs=[evidence.config],
    )
    return branch.putting(subject).noting(_transition("missing", subject, evidence, now_ms, quiet_ms))


def _return(branch: Branch, subject: Subject, evidence: Evidence, *, now_ms: int, quiet_ms: int) -> Branch:
    is_unannounced = any((known.subject, known.key) == (subject.id, "missing") for known in branch.pending)
    branch = branch.withdrawing(subject.id, "missing").putting(
        subject.model_copy(update={"is_open": False, "red_configs": []})
    )
    return branch if is_unannounced else branch.noting(_transition("returned", subject, evidence, now_ms, quiet_ms))


def _transition(kind: NewsKind, subject: Subject, evidence: Evidence, now_ms: int, quiet_ms: int) -> Transition:
    return Transition(
        kind=kind,
        subject=subject.id,
        key=kind,
        at=now_ms,
        received_at=now_ms,
        due_at=now_ms + quiet_ms,
        evidence=evidence,
    )


def _agent_signature(evidence: Evidence) -> str:
    # Builds of agents too old to name themselves do not make each other missing.
    return f"agent:{evidence.agent or evidence.build_id}"


def _config_signature(config: str) -> str:
    return f"config:{config}"
