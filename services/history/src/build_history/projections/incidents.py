"""Incidents: the breaks of a branch, as its builds show them. Pure.

| a build, in its lane's order                  | the branch                                                       |
|-----------------------------------------------|------------------------------------------------------------------|
| red, shows a signature of an open break       | joins that one, or those                                         |
| red, shows none, but its config is in a break | that break shows another face: one signature more                |
| red, else                                     | opens a break, under its first failure's signature               |
| green                                         | its config recovers; the last one to do so closes the break      |

A running build that cannot end green any more counts as red until its verdict replaces it. A break is one while no
green lies between. Which published incident a break is, `identity` decides. What only builds show that were long over
when they were sent (`backfill`) is none: it is one, since its first build, once a build shows it as it runs.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from build_protocol.incidents import Evidence, Face, IncidentOverride, IncidentState, Member
from build_protocol.messages import Commit
from build_protocol.model import BuildId, EpochMs, WireModel

from build_history.builds.fact import UNCLASSIFIED, Fact, Point
from build_history.builds.index_keys import digest

FACES_MAX = 50
"""A break that changes its face more often than this is no longer news."""


class Sighting(WireModel):
    """The first build that showed one face of a break."""

    signature: str
    build_id: BuildId
    config: str
    commit: str | None = None
    after: str | None = None
    """The commit its config was red at before; the commits up to that one are not suspect."""
    started_at: EpochMs
    known_at: EpochMs
    is_news: bool = True
    """False: its build was long over when it was sent."""


@dataclass(slots=True, eq=False)
class Break:
    """One break, still without an identity unless `carried` from before the builds at hand."""

    faces: list[Sighting] = field(default_factory=list)
    members: dict[str, Member] = field(default_factory=dict)
    builds: set[str] = field(default_factory=set)
    """Its red builds."""
    commits: dict[str, str | None] = field(default_factory=dict)
    """The commit each of its configs was last red at."""
    known_at: dict[str, int] = field(default_factory=dict)
    """When each of its configs was last known to be red."""
    is_of_the_past: bool = True
    """Whether all of its builds were long over when they were sent."""
    closing: Point | None = None
    carried: IncidentState | None = None

    @property
    def is_over(self) -> bool:
        """Whether every config that showed it has recovered."""
        return all(member.recovered_at is not None for member in self.members.values())

    @property
    def signatures(self) -> list[str]:
        """Of all its faces."""
        return [face.signature for face in self.faces]

    @property
    def opening(self) -> Sighting:
        """The build that opened it."""
        return self.faces[0]

    @property
    def fingerprint(self) -> str:
        """Stands for everything its builds show: equal means that nothing changed."""
        members = (member.to_json() for _, member in sorted(self.members.items()))
        closing = self.closing.id if self.closing and self.is_over else ""
        return digest(*(face.to_json() for face in self.faces), *members, closing)[:16]

    def shows(self, signatures: Iterable[str]) -> bool:
        """Whether one of these is a face of it."""
        return not set(self.signatures).isdisjoint(signatures)

    def has_red(self, config: str) -> bool:
        """Whether the config is in it and has not recovered."""
        return config in self.members and self.members[config].recovered_at is None

    def show(self, point: Point, signature: str | None, *, staging: bool, is_news: bool) -> None:
        """Note that a build shows it; `signature` where that is another face."""
        if signature is not None and len(self.faces) < FACES_MAX:
            face = Sighting(
                signature=signature,
                build_id=point.id,
                config=point.config,
                commit=point.commit,
                after=self.commits.get(point.config),
                started_at=point.started_at,
                known_at=point.known_at,
                is_news=not point.backfill,
            )
            self.faces.append(face)
        known = self.members.get(point.config)
        self.members[point.config] = Member(
            config=point.config,
            state="staging" if staging else "production",
            first_build=known.first_build if known else point.id,
            first_commit=known.first_commit if known else point.commit,
            joined_at=known.joined_at if known else point.started_at,
            last_build=point.id,
            last_red_at=point.started_at,
            is_news=known.is_news if known else is_news,
        )
        self.is_of_the_past = self.is_of_the_past and point.backfill
        self.builds.add(point.id)
        self.commits[point.config] = point.commit
        self.known_at[point.config] = point.known_at

    def recover(self, point: Point) -> bool:
        """Note a green build; whether it is the one that ends the break."""
        if not self.has_red(point.config):
            return False
        update = {"recovered_at": point.started_at, "recovered_by": point.id}
        self.members[point.config] = self.members[point.config].model_copy(update=update)
        self.closing = point
        return self.is_over


def fold(
    points: Sequence[Point],
    earlier: Iterable[IncidentState] = (),
    *,
    since_at: int = 0,
    staging: Collection[str] = (),
) -> list[Break]:
    """Every break that these builds of one branch show, oldest first; `points` as `effective` puts them in order.

    `earlier` are incidents that builds before `since_at` opened: those that were open then go on. Where `since_at` is
    not 0 older builds are known of, so that no config's first build at hand is its first ever.
    """
    running = [_carried(state, since_at) for state in earlier if _was_open_at(state, since_at)]
    finished: list[Break] = []
    coloured: set[str] = set()
    for point in points:
        if point.is_red:
            is_news = (since_at > 0 or point.config in coloured) and not point.backfill
            _show(running, point, staging=point.config in staging, is_news=is_news)
        elif point.colour == "green":
            over = [found for found in running if found.recover(point)]
            finished += over
            running = [found for found in running if found not in over] if over else running
        if point.colour != "none":
            coloured.add(point.config)
    present = [found for found in (*finished, *running) if not found.is_of_the_past]
    return sorted(present, key=lambda found: (found.opening.started_at, found.opening.build_id))


def _show(running: list[Break], point: Point, *, staging: bool, is_news: bool) -> None:
    signatures = point.signatures or point.failing or (UNCLASSIFIED,)
    shown = [found for found in running if found.shows(signatures)]
    face = None
    if not shown:
        face = signatures[0]
        shown = [found for found in running if found.has_red(point.config)][:1]
    if not shown:
        shown = [Break()]
        running += shown
    for found in shown:
        found.show(point, face, staging=staging, is_news=is_news)


def _was_open_at(state: IncidentState, moment_at: int) -> bool:
    return state.first_started_at < moment_at and any(
        member.recovered_at is None or member.recovered_at >= moment_at for member in state.members
    )


def _carried(state: IncidentState, moment_at: int) -> Break:
    """The incident as builds that started before this moment left it."""
    found = Break(carried=state, is_of_the_past=False)
    for face in state.faces:
        if face.evidence.started_at < moment_at:
            seen = face.evidence
            found.faces.append(
                Sighting(
                    signature=face.signature,
                    build_id=seen.build_id,
                    config=seen.config,
                    commit=seen.commit,
                    started_at=seen.started_at,
                    known_at=seen.ended_at or seen.started_at,
                )
            )
    for member in state.members:
        if member.joined_at < moment_at:
            undone: dict[str, object] = {}
            if member.recovered_at is not None and member.recovered_at >= moment_at:
                undone |= {"recovered_at": None, "recovered_by": None}
            found.members[member.config] = member.model_copy(update=undone)
            found.builds |= {member.first_build, member.last_build}
            found.commits[member.config] = member.first_commit
            found.known_at[member.config] = member.last_red_at
    return found


def described(found: Break, facts: Mapping[str, Fact], known: IncidentState | None) -> list[Face]:
    """The faces of a break with their evidence and suspects, from the facts of the builds that first showed them.

    What `known` says of a face stays where the fact is gone.
    """
    before = {face.signature: face for face in known.faces} if known else {}
    return [_face(seen, found, facts, before.get(seen.signature)) for seen in found.faces]


def evidence_of(fact: Fact, signature: str | None = None) -> Evidence:
    """What a build says for itself; with the failure of this signature, else its first."""
    named = [f for f in fact.failures if (f.signature or UNCLASSIFIED) == signature]
    return Evidence(
        build_id=fact.id,
        failure=next(iter(named or fact.failures), None),
        **{name: getattr(fact, name) for name in _AS_KNOWN},
    )


_AS_KNOWN = Evidence.model_fields.keys() & Fact.model_fields.keys()
"""What the evidence has just as the fact has it."""


def override_of(found: Break, facts: Mapping[str, Fact]) -> IncidentOverride | None:
    """The last verdict a person gave on one of its faces, at a build that first showed it."""
    given = [
        kept
        for member in found.members.values()
        if (fact := facts.get(member.first_build))
        for signature, kept in fact.overrides.items()
        if signature in found.signatures
    ]
    last = max(given, key=lambda kept: kept.at, default=None)
    return IncidentOverride(verdict=last.verdict, reason=last.reason, by=last.by, at=last.at) if last else None


def suspects_of(facts: Sequence[Fact], opening: Fact | None) -> list[Commit] | None:
    """Commits that every config with a known range suspects; None when no range is known.

    When no commit is in all ranges (two breaks that look alike) the opening build's own range is the answer.
    """
    ranges = [fact.commits for fact in facts if fact.commits]
    if not ranges:
        return None
    shared = set.intersection(*({commit.sha for commit in known} for known in ranges))
    if shared:
        return [commit for commit in min(ranges, key=len) if commit.sha in shared]
    return opening.commits if opening and opening.commits else ranges[0]


def _face(seen: Sighting, found: Break, facts: Mapping[str, Fact], known: Face | None) -> Face:
    fact = facts.get(seen.build_id)
    if fact is None:
        if known is not None:
            return known
        bare = Evidence(build_id=seen.build_id, config=seen.config, started_at=seen.started_at, commit=seen.commit)
        return Face(signature=seen.signature, evidence=bare)
    if seen is found.opening:
        firsts = [facts[member.first_build] for member in found.members.values() if member.first_build in facts]
        alike = [first for first in firsts if seen.signature in (first.signatures or first.failing)]
        suspects = suspects_of(alike, fact)
    else:
        suspects = _since(fact.commits, seen.after)
    return Face(signature=seen.signature, evidence=evidence_of(fact, seen.signature), suspects=suspects)


def _since(commits: Sequence[Commit] | None, after: str | None) -> list[Commit] | None:
    """The commits of a range, newest first, down to the one that its config was already built at."""
    if commits is None:
        return None
    fresh: list[Commit] = []
    for commit in commits:
        if commit.sha == after:
            break
        fresh.append(commit)
    return fresh
