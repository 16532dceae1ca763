"""Projects: what config.yaml names, as far as the caller may see."""

from build_protocol.model import WireModel
from build_protocol.project_config import BuildConfig
from fastapi import APIRouter

from build_gateway.dependencies import Needs
from build_gateway.public_view import VISITOR, without_private
from build_gateway.visitors import PersonOrVisitor

router = APIRouter(prefix="/api/projects", tags=["projects"])


class ProjectView(WireModel):
    """One project of config.yaml."""

    name: str
    repo_url: str | None = None
    branch: str | None = None
    source_url: str | None = None
    configs: dict[str, BuildConfig]


class ProjectList(WireModel):
    """Projects by name. `fault`: why the file as it stands now is not in force."""

    items: list[ProjectView]
    next_cursor: str | None = None
    fault: str | None = None


@router.get("")
async def list_projects(needs: Needs, caller: PersonOrVisitor) -> ProjectList:
    """The projects of config.yaml; the file is read again when it changed. Visitors see the public ones."""
    known = needs.projects.current()
    projects = ProjectList(
        items=[
            ProjectView(
                name=name,
                repo_url=project.repo_url,
                branch=project.branch,
                source_url=project.source_url,
                configs=project.configs,
            )
            for name, project in sorted(known.items())
            if caller.may_see(name)
        ],
        fault=needs.projects.fault if caller.is_full_admin else None,
    )
    if caller.name == VISITOR:
        return ProjectList.model_validate(without_private(projects.model_dump(by_alias=True)))
    return projects
