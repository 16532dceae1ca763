"""config.yaml: the projects, as the founding document writes them, plus optional fields."""

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from build_protocol.branches import branch_fault
from build_protocol.model import ProjectName
from build_protocol.trusted_ci import TrustedCi

NotifyOn = Literal["broken", "fixed", "new_signature", "still_red", "agent_missing"]


Gate = Literal["release", "bump"]
"""What may wait for configs: a release, or a bump of the pin of whoever builds on the project."""


def _branch(name: str) -> str:
    if fault := branch_fault(name):
        raise ValueError(fault)
    return name


BranchName = Annotated[str, AfterValidator(_branch)]
QuietHours = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        pattern=r"^([01]?\d|2[0-3]):[0-5]\d\s*-\s*([01]?\d|2[0-3]):[0-5]\d(\s+[A-Za-z0-9_+/-]+)?$",
    ),
]
ParameterName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=64)]


class Websocket(BaseModel):
    """How the agent reconnects."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reconnect_attempts: int = Field(5, ge=0, description="Tries before the agent reports itself offline; it goes on.")
    reconnect_interval: int = Field(1000, gt=0, description="First back-off window, milliseconds.")


class BuildConfig(BaseModel):
    """What is built how (`release`, `asan`): Buildbot calls it a builder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    owner: str | None = Field(None, description="Mail address notified when this config breaks.")
    tags: list[str] = Field(default_factory=list, description="Free words, by which pages group.")
    cadence_minutes: int | None = Field(None, gt=0, description="A build is expected this often.")
    gates: tuple[Gate, ...] = Field(
        (), description="What waits until it passed: a `release`, a `bump` of whoever is pinned to the project."
    )
    state: Literal["production", "staging", "silent"] = Field(
        "production",
        description="Only `production` opens incidents; `staging` is its owner's business, `silent` nobody's.",
    )


class QuarantinedTest(BaseModel):
    """A test that is known to fail: it still runs and shows, and while its time lasts opens no incident.

    A build that failed otherwise, too, counts as ever, without this test; after its last day the test counts again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    test: str = Field(
        pattern=r"[^*\s]",
        min_length=1,
        max_length=512,
        description="Its id as a build's page shows it; `*` stands for any characters.",
    )
    owner: str = Field(min_length=3, max_length=200, description="Mail address of whoever repairs it.")
    issue: Annotated[str, StringConstraints(pattern=r"^https?://", max_length=2000)] = Field(
        description="Where that is followed."
    )
    expires: date = Field(description="The last day (UTC) whose builds it keeps out of incidents.")
    since: date | None = Field(None, description="The first such day; absent: builds before it was written, too.")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "QuarantinedTest":
        if self.since is not None and self.since > self.expires:
            raise ValueError("since is after expires: no build would be in quarantine")
        return self


class Project(BaseModel):
    """One project."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repo_url: str | None = Field(None, description="What the agent's daemon clones; pages link to it.")
    build_command: str | None = Field(None, description="What it runs, by the shell.")
    build_dir: str | None = Field(None, description="Where it runs it, relative to the checkout.")
    branch: BranchName | None = Field(None, description="The remote's default where left out.")
    poll_seconds: int = Field(60, gt=0, description="How often the branch is looked at.")
    every_commit: bool = Field(False, description="Build each new commit, not only the newest.")
    cancel_superseded: bool = Field(False, description="End a running build when its branch moves on.")
    stop_failing: bool = Field(
        False, description="End a CI or premerge build as soon as one of its steps certainly failed."
    )
    clean: bool = Field(False, description="Remove everything that is not in the repository before each build.")
    parameters: dict[ParameterName, tuple[str, ...]] = Field(
        default_factory=dict, description="What a trigger may choose besides: environment variable -> allowed values."
    )
    notification_emails: list[str] = Field(default_factory=list, description="Who is notified of its incidents.")
    notify: tuple[NotifyOn, ...] = Field(("broken", "fixed", "new_signature"), description="Of what they are notified.")
    notify_authors: bool = Field(False, description="Notify the authors of suspect commits, too.")
    author_domains: list[str] | None = Field(
        None, description="Authors at these mail domains only; absent: at those of notification_emails and owners."
    )
    channels: list[str] = Field(default_factory=list, description="Apprise URLs.")
    quiet_hours: QuietHours | None = Field(None, description="e.g. `22:00-07:00 UTC`.")
    websocket: Websocket = Field(Websocket(), description="How the agent reconnects.")
    configs: dict[str, BuildConfig] = Field(default_factory=dict, description="What is built how, by name.")
    quarantine: tuple[QuarantinedTest, ...] = Field(
        (), max_length=500, description="Tests that are known to fail, each with an owner, an issue and a last day."
    )
    source_url: str | None = Field(None, description="Link template with {commit}, {file}, {line}.")
    groups: dict[str, Literal["viewer", "developer", "maintainer"]] = Field(
        default_factory=dict, description="What members of a group may do in this project, beside what they may anyway."
    )
    public: bool = Field(
        False,
        description="Read by whoever comes, without a login; mail addresses, machines, environment left out.",
    )
    public_badge: bool = Field(False, description="`/api/projects/{project}/badge.svg` is shown without a login.")
    log_max_bytes: int = Field(
        2 * 1024**3,
        gt=0,
        description="A build's log keeps so much text; further lines are counted, and shown as a gap.",
    )
    logs_max_bytes: int | None = Field(
        None, ge=0, description="Logs of all its builds keep so much together; then new ones are cut. Absent: no limit."
    )
    artifact_max_bytes: int = Field(2 * 1024**3, gt=0, description="The largest artifact that is taken.")
    artifacts_max_bytes: int | None = Field(
        None, ge=0, description="Artifacts of all its builds are so large together at most. Absent: no limit."
    )

    @model_validator(mode="after")
    def _wishes_do_not_contradict(self) -> "Project":
        if self.every_commit and self.cancel_superseded:
            raise ValueError("every_commit and cancel_superseded exclude each other: no commit is superseded then")
        return self


class MirroredCi(BaseModel):
    """A CI that exists already and is shown here, read-only; its name is part of its builds' ids: never change it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["buildbot", "github"] = Field(description="What it is.")
    url: Annotated[str, StringConstraints(pattern=r"^https?://", max_length=2000)] = Field(
        description="Its base address, e.g. `https://lab.llvm.org/buildbot`; of GitHub the repository's page."
    )
    projects: dict[str, str] = Field(
        description="To which project a builder (`workflow / job`) belongs: pattern of names or `tag:NAME` -> project; "
        "the first that matches, `*` last; `-` as project leaves it out."
    )
    backfill_days: float = Field(1.0, ge=0, description="How far back builds that ended are shown.")


class ConfigFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    projects: dict[ProjectName, Project] = Field(description="The projects, by name.")
    trusted_ci: tuple[TrustedCi, ...] = Field(
        (), max_length=200, description="Jobs of a CI that need no key; of several entries that fit, the first."
    )
    mirrors: dict[Annotated[str, StringConstraints(min_length=1, max_length=200)], MirroredCi] = Field(
        default_factory=dict,
        description="CIs that are shown without an agent on their machines, by name; `build-dashboard up` follows "
        "them, elsewhere `build-dashboard mirror config` does.",
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_project_is_default(cls, value: object) -> object:
        # `torch-mlir:` alone is YAML for null: a project with every default.
        if isinstance(value, dict) and isinstance(value.get("projects"), dict):
            return {**value, "projects": {name: project or {} for name, project in value["projects"].items()}}
        return value
