"""A CI's jobs exchange its token for an agent's key that is good for a short time."""

from build_chassis.access_log import note_caller
from build_protocol.model import RequestModel, WireModel
from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict, Field

from build_gateway.ci.jobs import TOKEN_CHARACTERS
from build_gateway.dependencies import Needs

router = APIRouter(prefix="/api/auth", tags=["auth"])


class CiToken(RequestModel):
    """An OpenID Connect token that the CI gave to one job."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=1, max_length=TOKEN_CHARACTERS)


class LentKey(WireModel):
    """An agent's key, good for so many seconds, for these projects."""

    access_token: str
    expires_in: int
    agent: str
    projects: list[str]
    token_type: str = "Bearer"  # noqa: S105  the scheme's name


@router.post("/ci-token")
async def exchange_ci_token(body: CiToken, request: Request, response: Response, needs: Needs) -> LentKey:
    """An agent's key for a job that `trusted_ci` in config.yaml trusts; repeating it gives another one."""
    job = await needs.jobs.read(body.token)
    seconds = needs.settings.ci_token_seconds
    key, value = await needs.keys.lend(job.agent, projects=job.projects, subject=job.subject, seconds=seconds)
    note_caller(request, f"ci {job.subject}")
    await needs.audit.note(f"ci {job.subject}", "exchange ci token", key.id, f"agent {job.agent}")
    response.headers["Cache-Control"] = "no-store"
    return LentKey(access_token=value, expires_in=seconds, agent=job.agent, projects=list(job.projects))
