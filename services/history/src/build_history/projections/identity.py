"""Identity: which published incident a break is, and what became of it since it was published last. Pure.

An incident gets its id once, when it is first published. Later folds are matched to it by the red builds they share:
the break that holds its opening build is the incident, else the oldest that holds any build it was known by. Two
published incidents in one break: the one published first goes on, the other is `merged` into it. An incident whose
builds are in no break any more has ended: `overridden` where a person called its failures infra, `withdrawn` otherwise.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from build_protocol.incidents import End, Transition, TransitionKind
from build_protocol.model import BuildId, Count, EpochMs, WireModel
from pydantic import Field

from build_history.builds.fact import Fact
from build_history.builds.index_keys import digest
from build_history.projections.incidents import Break

ANCHORS_MAX = 40
"""Builds an incident is recognised by."""

NEWS: Mapping[TransitionKind, Literal["open", "ended"]] = {
    "opened": "open",
    "joined": "open",
    "changed": "open",
    "reopened": "open",
    "fixed": "ended",
    "overridden": "ended",
}
"""What people believe of an incident once they were notified of such a transition; of the others nobody is."""


class Record(WireModel):
    """The identity of one incident and everything that became of it: source data, in the branch's row."""

    id: str
    opened_by: BuildId
    first_started_at: EpochMs
    anchors: list[BuildId] = Field(default_factory=list)
    red: dict[str, BuildId] = Field(default_factory=dict, description="Newest red build by config, while it is red.")
    configs: list[str] = Field(default_factory=list)
    signatures: list[str] = Field(default_factory=list)
    revision: Count = 0
    ended_as: End | None = None
    ended_at: EpochMs | None = None
    closing_started_at: EpochMs | None = None
    merged_into: str | None = None
    absorbed: list[str] = Field(default_factory=list)
    believed: Literal["nothing", "open", "ended"] = Field("nothing", description="By those who were notified.")
    transitions: list[Transition] = Field(default_factory=list)
    fingerprint: str = ""


@dataclass(slots=True)
class Matching:
    """Breaks and the records they are, in the breaks' order; None for one that was never published."""

    found: list[tuple[Break, Record | None]]
    merged: list[tuple[Record, Record]] = field(default_factory=list)
    """Records that turned out to be part of another."""
    gone: list[Record] = field(default_factory=list)
    """Records whose builds are in no break."""


def match(breaks: Sequence[Break], records: Sequence[Record], *, since_at: int) -> Matching:
    """Which record each break is. Records from before `since_at` are settled unless a break carries them on."""
    by_id = {record.id: record for record in records}
    taken: dict[int, Record] = {
        at: by_id[found.carried.id]
        for at, found in enumerate(breaks)
        if found.carried is not None and found.carried.id in by_id
    }
    carried = {record.id for record in taken.values()}
    matching = Matching([])
    # One that was merged or withdrawn comes back only where no living one claims the break.
    for record in sorted(records, key=lambda record: record.ended_as in ("merged", "withdrawn")):
        if record.id in carried:
            continue
        at = _home_of(record, breaks)
        if at is None:
            if record.first_started_at >= since_at and record.ended_as not in ("merged", "withdrawn"):
                matching.gone.append(record)
        elif at not in taken:
            taken[at] = record
        elif record.ended_as != "merged":
            matching.merged.append((record, taken[at]))
    matching.found = [(found, taken.get(at)) for at, found in enumerate(breaks)]
    return matching


def vanished(matching: Matching) -> set[BuildId]:
    """The builds whose facts say why they count no more."""
    builds = {build for record in matching.gone for build in (record.opened_by, *record.red.values())}
    for found, record in matching.found:
        if record is not None and found.is_over and record.ended_as is None:
            builds |= _lost(found, record)
    return builds


def published(
    project: str, branch: str, found: Break, record: Record | None, facts: Mapping[str, Fact], *, now_ms: int
) -> Record:
    """The record of a break as it is now; equal to the one before where nothing changed."""
    is_new = record is None
    if record is None:
        opening = found.opening
        named = digest("incident", project, branch, opening.build_id)[:16]
        record = Record(id=named, opened_by=opening.build_id, first_started_at=opening.started_at)
    notes = _Notes(record, now_ms)
    # One that was overtaken before anybody could be notified of it is no news.
    is_stale = is_new and found.is_over and not _was_current(found)
    was_open = is_new or record.ended_as is None
    if is_new:
        first = found.members[found.opening.config]
        notes.add("opened", "opened", found.opening.known_at, first.first_build, first.config, news=first.is_news)
    _note_joins(notes, found, record, is_quiet=is_stale or (found.is_over and not was_open))
    _note_faces(notes, found, record, is_quiet=is_stale or not was_open)
    if is_stale:
        notes.silence()
    ended_as = record.ended_as
    if found.is_over:
        ended_as = _note_end(notes, found, record, facts, was_open=was_open)
    elif not was_open or notes.believed == "ended":
        _note_reopening(notes, found, record, was_open=was_open)
        ended_as = None
    return _recorded(record, found, notes, ended_as)


def ended(record: Record, ended_as: End, *, now_ms: int, at: int | None = None, into: Record | None = None) -> Record:
    """The record once its incident has ended without a break; one that had ended so stays as it is."""
    if record.ended_as == ended_as and (into is None or record.merged_into == into.id):
        return record
    notes = _Notes(record, now_ms)
    # Who was notified of an end already is not notified of another.
    is_news = record.ended_as is None and ended_as in NEWS
    config = next(iter(record.red), next(iter(record.configs), ""))
    notes.add(ended_as, notes.unique(ended_as), at or now_ms, record.opened_by, config, news=is_news)
    return record.model_copy(
        update={
            "ended_as": ended_as,
            "ended_at": min(now_ms, at or now_ms),
            "merged_into": into.id if into else None,
            "believed": notes.believed,
            "transitions": notes.transitions,
            "fingerprint": "",
        }
    )


def absorbing(record: Record, other: Record) -> Record:
    """The record once another one turned out to be part of it: who believed that one open waits for its end."""
    if other.id in record.absorbed:
        return record
    believed = "open" if other.believed == "open" else record.believed
    absorbed = [*record.absorbed, other.id, *(gone for gone in other.absorbed if gone not in record.absorbed)]
    return record.model_copy(update={"absorbed": absorbed, "believed": believed})


def end_of(builds: Collection[BuildId], facts: Mapping[str, Fact]) -> tuple[End, int | None]:
    """Why these red builds count no more, and when that came to be where a person did it."""
    known = [facts[build] for build in builds if build in facts]
    overridden = [o.at for fact in known for o in fact.overrides.values() if o.verdict == "infra"]
    if overridden:
        return "overridden", max(overridden)
    # A build that was seen to fail and ended green after all: who was notified is notified that it is fine.
    if known and all(fact.status == "succeeded" for fact in known):
        return "fixed", max((fact.ended_at or fact.started_at) for fact in known)
    return "withdrawn", None


class _Notes:
    """The transitions of a record while more are noted."""

    def __init__(self, record: Record, now_ms: int) -> None:
        self.transitions = list(record.transitions)
        self.believed = record.believed
        self._before = (list(record.transitions), record.believed)
        self._now_ms = now_ms

    def add(self, kind: TransitionKind, key: str, at: int | None, build_id: str, config: str, *, news: bool) -> None:
        """Note one, as of now where `at` is unknown; an end is news only to those who believe that it is open."""
        if NEWS.get(kind) == "ended":
            news = news and self.believed == "open"
        noted = Transition(
            key=key,
            kind=kind,
            at=min(self._now_ms if at is None else at, self._now_ms),
            news=news,
            build_id=build_id,
            config=config,
        )
        self.transitions.append(noted)
        if news:
            self.believed = NEWS[kind]

    def unique(self, kind: str) -> str:
        """A key for one more transition of this kind."""
        count = sum(transition.kind == kind for transition in self.transitions)
        return f"{kind}:{count + 1}" if count else kind

    def silence(self) -> None:
        """None of those noted since is news."""
        before, self.believed = self._before
        fresh = [noted.model_copy(update={"news": False}) for noted in self.transitions[len(before) :]]
        self.transitions = [*before, *fresh]


def _note_joins(notes: _Notes, found: Break, record: Record, *, is_quiet: bool) -> None:
    joined = sorted(found.members.values(), key=lambda member: (member.joined_at, member.config))
    for member in joined:
        if member.config in record.configs or (not record.configs and member.config == found.opening.config):
            continue
        # After an end that people counted of, only a break that goes on is news: see `_note_reopening`.
        news = member.is_news and not is_quiet and notes.believed != "ended"
        key = f"joined:{member.config}"[:512]
        notes.add("joined", key, found.known_at[member.config], member.last_build, member.config, news=news)


def _note_faces(notes: _Notes, found: Break, record: Record, *, is_quiet: bool) -> None:
    known = record.signatures or [found.opening.signature]
    for face in found.faces:
        if face.signature in known:
            continue
        # Another failure of a build that people know of already is no second news.
        news = face.is_news and not is_quiet and face.build_id not in record.anchors and notes.believed != "ended"
        key = f"changed:{digest('face', face.signature)[:12]}"
        notes.add("changed", key, face.known_at, face.build_id, face.config, news=news)


def _note_end(notes: _Notes, found: Break, record: Record, facts: Mapping[str, Fact], *, was_open: bool) -> End | None:
    lost = _lost(found, record)
    ended_as: End = "fixed"
    at = found.closing.known_at if found.closing else None
    if was_open and lost:
        reason, since = end_of(lost, facts)
        if reason != "fixed":
            ended_as, at = reason, since
    if not was_open and record.ended_as in ("fixed", "overridden") and notes.believed != "open":
        return record.ended_as
    build_id, config = found.opening.build_id, found.opening.config
    if found.closing is not None:
        build_id, config = found.closing.id, found.closing.config
    notes.add(
        ended_as,
        notes.unique(ended_as),
        at,
        build_id,
        config,
        news=ended_as in NEWS,
    )
    return ended_as


def _note_reopening(notes: _Notes, found: Break, record: Record, *, was_open: bool) -> None:
    """A break that goes on after its end: news once a build shows it that started after that end."""
    after_ms = record.closing_started_at if record.closing_started_at is not None else (record.ended_at or 0)
    last = max(
        (member for member in found.members.values() if member.recovered_at is None),
        key=lambda member: (member.last_red_at, member.config),
    )
    is_news = notes.believed == "ended" and last.last_red_at > after_ms
    if not was_open or is_news:
        at = found.known_at[last.config]
        notes.add("reopened", notes.unique("reopened"), at, last.last_build, last.config, news=is_news)


def _recorded(record: Record, found: Break, notes: _Notes, ended_as: End | None) -> Record:
    members = sorted(found.members.values(), key=lambda member: (member.joined_at, member.config))
    anchors = dict.fromkeys([record.opened_by, *(m.first_build for m in members), *(m.last_build for m in members)])
    update: dict[str, object] = {
        "anchors": list(anchors)[:ANCHORS_MAX],
        "red": {m.config: m.last_build for m in members if m.recovered_at is None},
        "configs": list(dict.fromkeys([*record.configs, *(m.config for m in members)])),
        "signatures": list(dict.fromkeys([*record.signatures, *found.signatures])),
        "first_started_at": found.opening.started_at,
        "believed": notes.believed,
        "transitions": notes.transitions,
        "ended_as": ended_as,
        "merged_into": None,
        "fingerprint": found.fingerprint,
    }
    if ended_as is None:
        update["ended_at"] = None
    elif record.ended_as != ended_as:
        update["ended_at"] = notes.transitions[-1].at
        update["closing_started_at"] = found.closing.started_at if found.closing else None
    if ended_as == "fixed" and found.closing is not None:
        update["ended_at"] = found.closing.known_at
    return record.model_copy(update=update)


def _home_of(record: Record, breaks: Sequence[Break]) -> int | None:
    """Which break holds the incident's opening build, else the oldest one that holds a build it was known by."""
    for build_ids in ({record.opened_by}, set(record.anchors)):
        for at, found in enumerate(breaks):
            if not found.builds.isdisjoint(build_ids):
                return at
    return None


def _lost(found: Break, record: Record) -> set[BuildId]:
    """Red builds of configs that were in the incident and are no longer."""
    return {build for config, build in record.red.items() if config not in found.members}


def _was_current(found: Break) -> bool:
    """Whether the break was over only after its opening build had ended: people would have counted of both in time."""
    if found.closing is None or found.closing.ended_at is None:
        return False
    return found.opening.known_at < found.closing.ended_at
