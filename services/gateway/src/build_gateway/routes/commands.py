"""Commands to agents: cancel a build, trigger a project, drain or resume an agent."""

from typing import Literal

from build_chassis.auth import Principal
from build_chassis.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from build_protocol.branches import branch_fault
from build_protocol.ids import short_id
from build_protocol.model import BuildId, ProjectName, RequestModel, ShortText, WireModel
from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

from build_gateway.caller import Person
from build_gateway.dependencies import Needs
from build_gateway.store.rows import CommandRow, CommandView

router = APIRouter(prefix="/api/commands", tags=["commands"])


class NewCommand(RequestModel):
    """An order: `cancel` names a build, `trigger` a project (and an agent, if it matters which)."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["cancel", "trigger", "drain", "resume"]
    build_id: BuildId | None = None
    project: ProjectName | None = None
    agent: ShortText | None = None
    args: dict[ShortText, ShortText] = Field(default_factory=dict, max_length=32)


class CommandList(WireModel):
    """Commands, newest first."""

    items: list[CommandView]
    next_cursor: str | None = None


@router.post("", status_code=202)
async def order(body: NewCommand, needs: Needs, caller: Person) -> CommandView:
    """Store a command and send it to its agent; its state shows how far it came. A build is cancelled once."""
    if body.kind == "cancel":
        row = await _cancel(body, needs, caller)
    else:
        agent, project = await _addressee(body, needs, caller)
        row = await needs.commands.order(
            body.kind, agent=agent, requested_by=caller.name, project=project, args=body.args
        )
    await needs.audit.note(caller.name, body.kind, row.build_id or row.project or row.agent, f"command {row.id}")
    return _view(row)


@router.get("")
async def list_commands(
    needs: Needs,
    caller: Person,
    build_id: str | None = Query(None, alias="buildId", max_length=64),
    agent: str | None = Query(None, max_length=512),
) -> CommandList:
    """The newest commands of the projects the caller may see."""
    rows = await needs.store.list_commands(agent=agent, build_id=build_id)
    return CommandList(items=[_view(row) for row in rows if _may_see(caller, row)])


@router.get("/{command_id}")
async def get_command(command_id: str, needs: Needs, caller: Person) -> CommandView:
    """One command."""
    row = await needs.store.find_command(command_id)
    if row is None or not _may_see(caller, row):
        raise NotFound(f"no command {command_id[:64]}")
    return _view(row)


async def _addressee(body: NewCommand, needs: Needs, caller: Principal) -> tuple[str, str | None]:
    """The agent a command is for, and its project. Raises a ServiceError."""
    if body.kind == "trigger":
        return await _builder(body, needs, caller)
    if not caller.is_full_admin:
        raise Forbidden("only an admin with access to all projects drains or resumes agents")
    if body.agent is None:
        raise Invalid(f"agent: name the agent to {body.kind}")
    return body.agent, body.project


async def _cancel(body: NewCommand, needs: Needs, caller: Principal) -> CommandRow:
    """The order to end a build that may still run; `lost` may: its agent is silent. Raises a ServiceError."""
    if body.build_id is None:
        raise Invalid("buildId: name the build to cancel")
    known = await needs.ingest.stored([body.build_id])
    if known is None:
        raise Unavailable("builds cannot be read now: try again", {"Retry-After": "5"})
    build = known.get(body.build_id)
    if build is None or build.agent is None or not caller.may_see(build.project):
        raise NotFound(f"no build {body.build_id}")
    caller.require(build.project, "developer")
    if build.complete:
        ended = (build.status or "over").replace("_", " ")
        raise Conflict(f"build {short_id(body.build_id)} is already {ended}: nothing to cancel")
    by = caller.name
    return await needs.commands.cancel(body.build_id, agent=build.agent, project=build.project, requested_by=by)


async def _builder(body: NewCommand, needs: Needs, caller: Principal) -> tuple[str, str | None]:
    if body.project is None:
        raise Invalid("project: name the project to trigger")
    caller.require(body.project, "developer")
    if fault := branch_fault(body.args.get("branch", "main")):
        raise Invalid(f"args.branch: {fault}")
    agents = [
        agent
        for agent in await needs.store.list_agents()
        if agent.connected and body.project in agent.serves and body.agent in (None, agent.name)
    ]
    if not agents:
        raise Conflict(f"no connected agent builds {body.project}: start `build-dashboard agent` for it")
    return agents[0].name, body.project


def _may_see(caller: Principal, row: CommandRow) -> bool:
    return caller.is_full_admin if row.project is None else caller.may_see(row.project)


def _view(row: CommandRow) -> CommandView:
    return CommandView(**row.model_dump(exclude={"session"}))
