"""Agents: who is connected now, who was, and what each runs."""

from build_chassis.auth import Principal
from build_protocol.frames import SourceHealth, UnbuildableProject
from build_protocol.limits import DISCONNECTED_SECONDS
from build_protocol.model import WireModel
from fastapi import APIRouter
from pydantic import Field

from build_gateway.caller import Person
from build_gateway.dependencies import Needs
from build_gateway.store.rows import AgentProcess, AgentRow

router = APIRouter(prefix="/api/agents", tags=["agents"])


class AgentView(AgentProcess):
    """An agent process, as last reported; times are milliseconds since the Unix epoch."""

    builds: list[str]
    serves: list[str]
    unbuildable: list[UnbuildableProject] = Field(description="Projects it serves and cannot check out now.")
    sources: list[SourceHealth] = Field(description="The CIs that it shows builds of, and how well it follows them.")


class AgentList(WireModel):
    """Agent processes, seen last first."""

    items: list[AgentView]
    next_cursor: str | None = None


@router.get("")
async def list_agents(needs: Needs, caller: Person) -> AgentList:
    """Agents of the caller's projects, connected now or seen lately, with what they serve and build of these."""
    now_ms = needs.clock()
    agents = [agent for agent in await needs.store.list_agents() if _is_shown(agent, caller)]
    return AgentList(items=[_view(agent, caller, now_ms) for agent in agents])


def _is_shown(agent: AgentRow, caller: Principal) -> bool:
    return caller.projects is None or any(caller.may_see(project) for project in agent.projects)


def _view(agent: AgentRow, caller: Principal, now_ms: int) -> AgentView:
    # A gateway that died did not record that its agents disconnected: their age shows it.
    is_recent = now_ms - agent.last_seen_at < DISCONNECTED_SECONDS * 1000
    own = {"key_id", "gateway", "session", "connected", "builds", "serves", "projects", "unbuildable", "sources"}
    return AgentView(
        **agent.model_dump(exclude=own),
        connected=agent.connected and is_recent,
        builds=[build_id for build_id, project in agent.builds.items() if caller.may_see(project)],
        serves=[project for project in agent.serves if caller.may_see(project)],
        unbuildable=[each for each in agent.unbuildable if caller.may_see(each.project)],
        sources=_seen_sources(agent, caller),
    )


def _seen_sources(agent: AgentRow, caller: Principal) -> list[SourceHealth]:
    """Those that have a project of the caller's, with these projects only."""
    seen = [(each, [name for name in each.projects if caller.may_see(name)]) for each in agent.sources]
    return [each.model_copy(update={"projects": projects}) for each, projects in seen if projects]
