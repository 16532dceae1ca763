"""A branch: what notifier keeps of it, replaced as a whole.

Its incidents as history published them last, the agents and configs that went silent, and the transitions nobody was
notified of yet. What is lost of it comes again: the claims on notifying remember what was sent.
"""

from collections.abc import Mapping
from typing import Literal

from build_protocol.clock import DAY_MS
from build_protocol.incidents import Evidence, IncidentChanged, IncidentState, TransitionKind
from build_protocol.messages import BuildVerdict, Commit
from build_protocol.model import BuildId, Count, EpochMs, WireModel
from pydantic import Field

from build_notifier.records import ids

NewsKind = Literal["opened", "changed", "reopened", "fixed", "overridden", "missing", "returned"]

NEWS: Mapping[TransitionKind, NewsKind] = {
    "opened": "opened",
    # Under the key of `opened`: whoever was notified is not again, the owner of the config that joins is.
    "joined": "opened",
    "changed": "changed",
    "reopened": "reopened",
    "fixed": "fixed",
    "overridden": "overridden",
}
"""What people are notified of by history's transitions; of the others nobody is."""

ENDS = frozenset({"fixed", "overridden"})
CLOSED_KEPT = 20
IDLE_MS = 90 * DAY_MS
"""A config without a verdict for so long is gone: nobody waits for it any more."""


class NewestVerdict(WireModel):
    """The newest verdict of a config, whatever its status."""

    build_id: BuildId
    revision: Count
    started_at: EpochMs
    received_at: EpochMs = Field(description="By our clock.")


class Subject(WireModel):
    """What people are notified of: an incident of history's, or one agent (or config) that went silent."""

    id: str
    kind: Literal["break", "missing"] = "break"
    revision: Count = Field(0, description="Of history's state that this was copied from.")
    noted: list[str] = Field(default_factory=list, description="Keys of the transitions read so far.")
    is_open: bool = True
    opened_at: EpochMs
    opening: Evidence
    configs: list[str] = Field(description="As they joined.")
    red_configs: list[str]
    suspects: list[Commit] | None = Field(None, description="Commits any of which may be to blame; absent = unknown.")
    absorbed: list[str] = Field(default_factory=list, description="Incidents that were merged into it.")
    merged_into: str | None = None
    is_withdrawn: bool = False
    is_read_as_over: bool = Field(False, description="The last news of its own is an end.")
    signature: str = ""


class Transition(WireModel):
    """One change of a subject that people may be notified of; (subject, key) is its identity for ever."""

    kind: NewsKind
    subject: str
    key: str
    at: EpochMs = Field(description="When it happened.")
    received_at: EpochMs = Field(description="By our clock.")
    due_at: EpochMs = Field(description="Until then more configs may join the message.")
    evidence: Evidence


class Branch(WireModel):
    """The row of one branch."""

    project: str
    branch: str | None = None
    newest_verdicts: dict[str, NewestVerdict] = Field(default_factory=dict, description="By config.")
    subjects: list[Subject] = Field(default_factory=list, description="Open ones and the last closed ones.")
    pending: list[Transition] = Field(default_factory=list)
    touched_at: EpochMs = 0

    @property
    def key(self) -> str:
        """The row's key."""
        return ids.branch_key(self.project, self.branch)

    @property
    def due_at(self) -> int | None:
        """When the first pending transition is due; None when nothing is."""
        return min((transition.due_at for transition in self.pending), default=None)

    def subject(self, subject_id: str) -> Subject:
        """The subject of this id; a pending transition's is always there."""
        return next(subject for subject in self.subjects if subject.id == subject_id)

    def open_subjects(self, kind: str) -> list[Subject]:
        """Open subjects of a kind, oldest first."""
        return [subject for subject in self.subjects if subject.is_open and subject.kind == kind]

    def without(self, transitions: list[Transition]) -> "Branch":
        """The branch once these transitions are claimed; one that was noted anew meanwhile stays."""
        return self.model_copy(update={"pending": [kept for kept in self.pending if kept not in transitions]})

    def putting(self, subject: Subject) -> "Branch":
        """The branch with this state of the subject; without the closed ones it need not remember."""
        subjects = [subject if known.id == subject.id else known for known in self.subjects]
        if subject not in subjects:
            subjects.append(subject)
        waiting = {transition.subject for transition in self.pending}
        closed = [known.id for known in subjects if not known.is_open and known.id not in waiting]
        forgotten = set(closed[: max(0, len(closed) - CLOSED_KEPT)]) - {subject.id}
        return self.model_copy(update={"subjects": [known for known in subjects if known.id not in forgotten]})

    def noting(self, transition: Transition) -> "Branch":
        """The branch with this transition waiting; one that is waiting already keeps its time."""
        if any((known.subject, known.key) == (transition.subject, transition.key) for known in self.pending):
            return self
        return self.model_copy(update={"pending": [*self.pending, transition]})

    def hurrying(self, subject_id: str, now_ms: int) -> "Branch":
        """The branch with what waits about this subject due now: news that follow must not overtake it."""
        return self.model_copy(
            update={
                "pending": [
                    known.model_copy(update={"due_at": min(now_ms, known.due_at)})
                    if known.subject == subject_id
                    else known
                    for known in self.pending
                ]
            }
        )

    def without_void(self) -> "Branch":
        """The branch without news that wait of what never was: see `_is_void`; they are news again if it comes back."""
        waiting: dict[str, set[str]] = {}
        for known in self.pending:
            waiting.setdefault(known.subject, set()).add(known.key)
        void = {subject.id for subject in self.subjects if subject.id in waiting and self._is_void(subject)}
        if not void:
            return self
        subjects = [
            subject.model_copy(
                update={"noted": [key for key in subject.noted if _claimed_under(key) not in waiting[subject.id]]}
            )
            if subject.id in void
            else subject
            for subject in self.subjects
        ]
        return self.model_copy(
            update={"subjects": subjects, "pending": [known for known in self.pending if known.subject not in void]}
        )

    def _is_void(self, subject: Subject) -> bool:
        """Whether nobody need be notified of it any more: it was withdrawn, or goes on in one that people know is open.

        Where people read that the other one is over, this one's news are the only ones that say otherwise.
        """
        if subject.is_withdrawn:
            return True
        other = next((known for known in self.subjects if known.id == subject.merged_into), None)
        return other is not None and not other.is_read_as_over

    def withdrawing(self, subject_id: str, key: str) -> "Branch":
        """The branch without this transition of a subject, where it waits."""
        kept = [known for known in self.pending if (known.subject, known.key) != (subject_id, key)]
        return self.model_copy(update={"pending": kept})


def apply_incident(branch: Branch, message: IncidentChanged, *, now_ms: int, quiet_ms: int) -> Branch:
    """The branch once history published this of an incident; an old or repeated message changes nothing.

    Of a baseline all transitions are taken as known: what of them still waits to be planned goes on waiting.
    """
    state = message.data
    known = next((subject for subject in branch.subjects if subject.id == state.id), None)
    if known is not None and known.revision >= state.revision:
        return branch
    noted = set(known.noted if known else ())
    after = branch.model_copy(update={"touched_at": now_ms})
    for published in state.transitions:
        if message.is_baseline or published.key in noted or not published.news or published.kind not in NEWS:
            continue
        kind = NEWS[published.kind]
        transition = Transition(
            kind=kind,
            subject=state.id,
            key=_claimed_under(published.key),
            at=published.at,
            received_at=now_ms,
            due_at=now_ms + quiet_ms,
            evidence=_evidence(state, published.build_id),
        )
        after = after.noting(transition)
        if kind in ENDS:
            after = after.hurrying(state.id, now_ms)
    return after.putting(_copy(state)).without_void()


def evidence_of(verdict: BuildVerdict) -> Evidence:
    """The evidence that a verdict has of its build."""
    data = verdict.data
    return Evidence(
        build_id=verdict.build_id,
        config=data.config,
        started_at=verdict.timestamp if data.began_at is None else data.began_at,
        ended_at=data.over_at,
        duration_ms=data.duration_ms,
        commit=data.commit,
        agent=data.agent,
        exit_code=data.exit_code,
        error=data.error,
        log_lines=data.log_lines,
        failure=data.first_failure or next(iter(data.failures), None),
    )


def _claimed_under(key: str) -> str:
    """Whoever was notified of the break is not notified of a config that joins it."""
    return "opened" if key.startswith("joined:") else key


def _copy(state: IncidentState) -> Subject:
    """The incident as it stands."""
    news = [published.kind for published in state.transitions if published.news and published.kind in NEWS]
    return Subject(
        id=state.id,
        revision=state.revision,
        noted=[published.key for published in state.transitions],
        is_open=state.state == "open",
        opened_at=state.opened_at,
        opening=state.opening,
        configs=[member.config for member in state.members],
        red_configs=state.red_configs,
        suspects=state.suspects,
        absorbed=list(state.absorbed),
        merged_into=state.merged_into,
        is_withdrawn=state.ended_as == "withdrawn" or (state.ended_as == "merged" and state.merged_into is None),
        is_read_as_over=bool(news) and news[-1] in ENDS,
    )


def _evidence(state: IncidentState, build_id: str) -> Evidence:
    """Of the build a transition points at, as far as the incident has it; else of the one that opened it."""
    found = [face.evidence for face in state.faces] + ([state.closing] if state.closing else [])
    return next((evidence for evidence in found if evidence.build_id == build_id), state.opening)
