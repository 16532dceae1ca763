"""An artifact: the build it belongs to, what its bytes must be, and its state."""

import hashlib
from typing import Annotated, Literal

from build_protocol.model import MAX_SAFE_INTEGER, BuildId, Count, EpochMs, ProjectName, Sha256, ShortText, WireModel
from pydantic import Field, StringConstraints, model_validator

State = Literal["pending", "uploading", "reported", "verified", "damaged", "refused", "expired"]
"""`reported`: its agent says it is here, and whose build it is, is not known yet. `damaged` was verified once, and
other bytes or none were found since. `expired` is being deleted: first its bytes, then its row."""

MIB = 1024 * 1024
SINGLE_BYTES = 64 * MIB
"""Up to this one request carries an artifact; above it parts do."""

PART_BYTES_MIN = 5 * MIB
"""S3's own limit for every part but the last."""

PARTS_MAX = 1000
"""One page of S3's ListParts."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class Content(WireModel):
    """What the bytes must be; parts are hashed by the agent, because S3 checks parts and not the whole."""

    size_bytes: Count
    sha256: Sha256
    part_size_bytes: Annotated[int, Field(ge=PART_BYTES_MIN, le=MAX_SAFE_INTEGER)] | None = None
    part_sha256: list[Sha256] = Field(default_factory=list, max_length=PARTS_MAX)

    @model_validator(mode="after")
    def _parts_cover_the_whole(self) -> "Content":
        if self.part_size_bytes is None:
            if self.part_sha256:
                raise ValueError("partSha256 needs partSizeBytes")
            if self.size_bytes > SINGLE_BYTES:
                raise ValueError(f"more than {SINGLE_BYTES} bytes come in parts: send partSizeBytes and partSha256")
            return self
        if -(-self.size_bytes // self.part_size_bytes) != len(self.part_sha256):
            raise ValueError(f"{self.size_bytes} bytes are not {len(self.part_sha256)} parts of {self.part_size_bytes}")
        return self

    @property
    def parts(self) -> list["Part"]:
        """The parts in order; none when one request carries everything."""
        size = self.part_size_bytes or 0
        return [
            Part(number=at + 1, offset=at * size, size_bytes=min(size, self.size_bytes - at * size), sha256=digest)
            for at, digest in enumerate(self.part_sha256)
        ]


class Part(WireModel):
    """One part, numbered from 1."""

    number: int
    offset: Count
    size_bytes: Count
    sha256: Sha256


class Offer(Content):
    """What an agent asks to upload. The name is data: it is shown and suggested, and is never a path."""

    build_id: BuildId
    project: ProjectName
    name: Name
    content_type: ShortText | None = None

    def artifact_id(self, agent: str | None) -> str:
        """32 hex digits: the same offer made again by this agent is the same artifact. None: a service offers it."""
        identity = f"{agent or ''}\n{self.project}\n{self.build_id}\n{self.sha256}\n{self.size_bytes}\n{self.name}"
        return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class Artifact(Offer):
    """An accepted offer. `version` counts its changes; `is_held`: only the service that stored it may release it.

    `agent` made the offer, no agent what is held. `is_owned`: ingest confirmed that the build is that agent's; what is
    neither that nor held is shown to nobody.

    `receipt`: what the storage called the bytes when they were verified; another receipt means other bytes.
    """

    id: str
    state: State = "pending"
    problem: str | None = None
    upload_id: str | None = None
    receipt: str | None = None
    is_held: bool = False
    agent: str | None = None
    is_owned: bool = False
    created_at: EpochMs
    updated_at: EpochMs
    version: int = 1

    @classmethod
    def of(cls, offer: Offer, now_ms: int, *, agent: str | None, is_owned: bool = False) -> "Artifact":
        """The new artifact of an agent's offer; without an agent of a service's, which holds it."""
        fields = offer.model_dump(include=set(Offer.model_fields))
        facts = {"id": offer.artifact_id(agent), "agent": agent, "is_owned": is_owned, "is_held": agent is None}
        return cls(**facts, created_at=now_ms, updated_at=now_ms, **fields)

    def become(
        self,
        state: State,
        now_ms: int,
        *,
        upload_id: str | None = None,
        problem: str | None = None,
        receipt: str | None = None,
    ) -> "Artifact":
        """The artifact's next version."""
        changed = {"state": state, "upload_id": upload_id, "problem": problem, "receipt": receipt}
        return self.model_copy(update={**changed, "updated_at": now_ms, "version": self.version + 1})
