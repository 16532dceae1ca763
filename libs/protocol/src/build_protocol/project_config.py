"""config.yaml: the projects, as the founding document writes them, plus optional fields."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from build_protocol.branches import branch_fault
from build_protocol.model import ProjectName

NotifyOn = Literal["broken", "fixed", "new_signature", "still_red", "agent_missing"]


def _branch(name: str) -> str:
    if fault := branch_fault(name):
        raise ValueError(fault)
    return name


BranchName = Annotated[str, AfterValidator(_branch)]
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
    tags: list[str] = Field(default_factory=list)
    cadence_minutes: int | None = Field(None, gt=0, description="A build is expected this often.")
    state: Literal["production", "staging", "silent"] = "production"


class Project(BaseModel):
    """One project."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repo_url: str | None = None
    build_command: str | None = None
    build_dir: str | None = None
    branch: BranchName | None = Field(None, description="The remote's default where left out.")
    poll_seconds: int = Field(60, gt=0)
    every_commit: bool = Field(False, description="Build each new commit, not only the newest.")
    cancel_superseded: bool = Field(False, description="End a running build when its branch moves on.")
    clean: bool = Field(False, description="Remove everything that is not in the repository before each build.")
    parameters: dict[ParameterName, tuple[str, ...]] = Field(
        default_factory=dict, description="What a trigger may choose besides: environment variable -> allowed values."
    )
    notification_emails: list[str] = Field(default_factory=list)
    notify: tuple[NotifyOn, ...] = ("broken", "fixed", "new_signature")
    notify_authors: bool = False
    author_domains: list[str] | None = Field(
        None, description="Authors at these mail domains only; absent: at those of notification_emails and owners."
    )
    channels: list[str] = Field(default_factory=list, description="Apprise URLs.")
    quiet_hours: str | None = Field(None, description="e.g. `22:00-07:00 UTC`.")
    websocket: Websocket = Websocket()
    configs: dict[str, BuildConfig] = Field(default_factory=dict)
    source_url: str | None = Field(None, description="Link template with {commit}, {file}, {line}.")
    public_badge: bool = Field(False, description="`/api/projects/{project}/badge.svg` is shown without a login.")
    artifact_max_bytes: int = Field(2 * 1024**3, gt=0)

    @model_validator(mode="after")
    def _wishes_do_not_contradict(self) -> "Project":
        if self.every_commit and self.cancel_superseded:
            raise ValueError("every_commit and cancel_superseded exclude each other: no commit is superseded then")
        return self


class ConfigFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    projects: dict[Annotated[str, ProjectName], Project]

    @model_validator(mode="before")
    @classmethod
    def _empty_project_is_default(cls, value: object) -> object:
        # `torch-mlir:` alone is YAML for null: a project with every default.
        if isinstance(value, dict) and isinstance(value.get("projects"), dict):
            return {**value, "projects": {name: project or {} for name, project in value["projects"].items()}}
        return value
