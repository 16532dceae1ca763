"""What an agent may send: projects of its key, builds of its own, each build's records without a gap."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from build_chassis.bus import Outgoing
from build_protocol.clock import now_ms
from build_protocol.frames import Refused, Stored
from build_protocol.limits import UNTRUSTED_BUILD_BYTES
from build_protocol.messages import BuildHeartbeat, BuildStart, Record
from build_protocol.topology import routing_key
from build_protocol.views import StoredBuild

from build_gateway.agents.decode import Admitted
from build_gateway.agents.owners import BuildOwners
from build_gateway.agents.pipeline import Batch
from build_gateway.agents.receipt import Receipt
from build_gateway.agents.window import BuildWindow, Run
from build_gateway.store.rows import Key

BUILDS_PER_SESSION = 5000
REFUSED_BUILDS = 10_000


@dataclass(slots=True)
class SessionBuild:
    """A build whose records this session sends. After `closed_after` only artifacts may follow.

    `is_own`: ingest has it as this agent's, or the session sent records of it; a HELLO that names it proves nothing.
    """

    project: str
    window: BuildWindow = field(default_factory=BuildWindow)
    closed_after: int | None = None
    is_own: bool = False


class Admission:
    """Decides over one session's records; each refusal is sent through `refuse`.

    `postpone` is called when another agent came with a build first and ingest, which decides, does not answer: nothing
    of the session is taken until it does.
    """

    def __init__(
        self,
        key: Key,
        owners: BuildOwners,
        builds: dict[str, SessionBuild],
        *,
        refuse: Callable[[Refused], None],
        met: Callable[[str], None],
        postpone: Callable[[], None],
    ) -> None:
        self._key = key
        self._owners = owners
        self._builds = builds
        self._refuse = refuse
        self._met = met
        self._postpone = postpone
        self._refused_builds: set[str] = set()
        self._gaps: set[str] = set()

    def welcome(self, build_id: str, project: str, known: StoredBuild | None) -> bool:
        """Whether a build that HELLO names is the agent's as ingest has it (`known`); a refusal is sent."""
        owner = self._owners.find(build_id)
        if known is None and owner is not None and owner.agent != self._key.name and self._key.may_use(project):
            return False  # whose it is gets decided when records come
        fault = self._fault(build_id, project)
        if fault is not None:
            self._refuse_build(build_id, fault)
            return False
        self._builds[build_id] = SessionBuild(project, is_own=known is not None)
        if known is not None and known.verified:
            self._builds[build_id].closed_after = known.stored
        return known is not None

    def stored(self, event: Stored) -> SessionBuild | None:
        """The session's build that ingest reports on; None when it has none, or ingest has another agent as owner."""
        build = self._builds.get(event.build_id)
        if build is None:
            return None
        self._owners.confirm(event.build_id, event.agent or None, event.project)
        fault = self._fault(event.build_id, build.project)
        if fault is not None:
            del self._builds[event.build_id]
            self._refuse_build(event.build_id, fault)
            return None
        build.is_own = True
        return build

    async def admit(self, records: Sequence[Admitted], receipt: Receipt) -> Batch | None:
        """The records of one frame that may be published, in order; None when there are none."""
        if not await self._meet(records):
            return None
        messages: list[Outgoing] = []
        runs: list[tuple[str, BuildWindow, Run]] = []
        open_runs: dict[str, Run] = {}
        size_bytes = 0
        for admitted in records:
            record = admitted.record
            build = self._builds.get(record.build_id)
            if build is None or not self._fits(record, build, len(admitted.body)):
                continue
            if not build.window.take(record.seq):
                self._gap(record, build)
                continue
            build.is_own = True
            run = open_runs.get(record.build_id)
            if run is not None and record.seq == run.last + 1:
                run.last = record.seq
            else:
                run = build.window.sent(record.seq, record.seq)
                open_runs[record.build_id] = run
                runs.append((record.build_id, build.window, run))
            if record.type == "BUILD_COMPLETE":  # type: ignore[attr-defined]  # every record has a type; the shared class leaves it to its subclasses
                build.closed_after = record.seq
            size_bytes += len(admitted.body)
            messages.append(self._outgoing(record, admitted.body, receipt))
        return Batch(messages, runs, size_bytes) if messages else None

    def heartbeats(self, build_ids: Sequence[str]) -> Batch | None:
        """Heartbeats of this session's builds."""
        messages: list[Outgoing] = []
        for build_id in build_ids:
            build = self._builds.get(build_id)
            if build is not None and build.is_own:
                beat = BuildHeartbeat(build_id=build_id, project=build.project, timestamp=now_ms())
                headers = {"agent": self._key.name, "build_id": build_id, "key_id": self._key.id}
                key = routing_key(beat.type, build_id, build.project)
                messages.append(Outgoing(key, beat.to_json().encode(), headers))
        return Batch(messages, (), sum(len(message.body) for message in messages)) if messages else None

    def refused(self, refused: Refused) -> None:
        """The decoder could not read a record: refuse it, and let nothing wait for it."""
        if refused.build_id is not None and refused.seq is not None and refused.build_id in self._builds:
            self._builds[refused.build_id].window.refuse(refused.seq)
        self._refuse(refused)

    def take_gaps(self) -> set[str]:
        """Builds with a gap since the last call: they are acknowledged with `resendFrom`."""
        gaps, self._gaps = self._gaps, set()
        return gaps

    async def _meet(self, records: Sequence[Admitted]) -> bool:
        """Take up the builds the session did not send before; False when it is not known yet whose one of them is."""
        unmet = {a.record.build_id: a.record.project for a in records if a.record.build_id not in self._builds}
        unknown = [
            build_id
            for build_id, project in unmet.items()
            if self._key.may_use(project) and not self._is_decided(build_id)
        ]
        answer = await self._owners.ask(unknown) if unknown else {}
        if answer is None and any(self._owners.find(build_id) is not None for build_id in unknown):
            self._postpone()
            return False
        known = answer or {}
        for build_id, project in unmet.items():
            fault = self._fault(build_id, project)
            if fault is not None:
                self._refuse_build(build_id, fault)
                continue
            if self._owners.find(build_id) is None:
                self._owners.claim(build_id, self._key.name, project)
            build = self._builds[build_id] = SessionBuild(project)
            stored = known.get(build_id)
            if stored is not None:
                build.window.store(stored.stored, None, None)
                build.closed_after = stored.stored if stored.verified else None
            self._met(build_id)
        return True

    def _is_decided(self, build_id: str) -> bool:
        """Whether ingest need not be asked: it has an owner, or this agent was first here (it checks again itself)."""
        owner = self._owners.find(build_id)
        return owner is not None and (owner.is_confirmed or owner.agent == self._key.name)

    def _fault(self, build_id: str, project: str) -> Refused | None:
        if not self._key.may_use(project):
            detail = f"this key is not for project {project}; ask an admin for one that is"
            return Refused(code="project_not_allowed", detail=detail, build_id=build_id)
        owner = self._owners.find(build_id)
        if owner is not None and (owner.agent not in (None, self._key.name) or owner.project != project):
            detail = "another agent started this build, or in another project: start a build of your own"
            return Refused(code="build_not_yours", detail=detail, build_id=build_id)
        if len(self._builds) >= BUILDS_PER_SESSION:
            detail = f"one session sends at most {BUILDS_PER_SESSION} builds"
            return Refused(code="build_unknown", detail=detail, build_id=build_id)
        return None

    def _refuse_build(self, build_id: str, refused: Refused) -> None:
        # Sent once: an agent that goes on regardless is not answered record by record.
        if build_id not in self._refused_builds and len(self._refused_builds) < REFUSED_BUILDS:
            self._refused_builds.add(build_id)
            self._refuse(refused)

    def _fits(self, record: Record, build: SessionBuild, size_bytes: int) -> bool:
        code, detail = None, ""
        if isinstance(record, BuildStart) and record.data.untrusted:
            self._owners.limit(record.build_id, UNTRUSTED_BUILD_BYTES)
        room = self._owners.room(record.build_id)
        if record.project != build.project:
            code, detail = "malformed", f"project: {record.project} differs from the build's, {build.project}"
        elif (
            build.closed_after is not None and record.seq > build.closed_after and record.type != "ARTIFACT_UPLOADED"  # type: ignore[attr-defined]  # as above
        ):
            code, detail = "closed", "the build is complete; only artifacts may follow"
        elif room is not None and not room.take(record.seq, size_bytes):
            code, detail = "too_large", f"an untrusted build sends at most {UNTRUSTED_BUILD_BYTES} bytes"
        if code is None:
            return True
        build.window.refuse(record.seq)
        self._refuse(Refused(code=code, detail=detail, build_id=record.build_id, seq=record.seq))
        return False

    def _gap(self, record: Record, build: SessionBuild) -> None:
        if record.build_id in self._gaps:
            return
        self._gaps.add(record.build_id)
        build.window.resend_from = build.window.next_seq
        detail = f"record {build.window.next_seq} is missing before {record.seq}: send from there again"
        self._refuse(Refused(code="sequence_gap", detail=detail, build_id=record.build_id, seq=record.seq))

    def _outgoing(self, record: Record, body: bytes, receipt: Receipt) -> Outgoing:
        headers = {
            "agent": self._key.name,
            "build_id": record.build_id,
            "seq": str(record.seq),
            "key_id": self._key.id,
            **receipt.headers,
        }
        kind: str = record.type  # type: ignore[attr-defined]  # as above
        if kind == "BUILD_START":
            headers |= receipt.clock_headers
        return Outgoing(routing_key(kind, record.build_id, record.project), body, headers)
