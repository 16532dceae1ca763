"""Routes of artifacts for a caller of the gateway: offer, list, show, link, download."""

from collections.abc import Sequence
from typing import Annotated

from build_chassis.auth import Caller, Principal
from build_chassis.errors import Conflict, Forbidden, Gone, NotFound, TooLarge
from build_protocol.model import BuildId
from fastapi import APIRouter, Path, Response
from fastapi.responses import RedirectResponse
from pydantic import ConfigDict

from build_artifacts import ticket_routes
from build_artifacts.artifact import Artifact, Offer
from build_artifacts.dependencies import Dependencies, Needs
from build_artifacts.downloads import HANDED_OUT, Damaged
from build_artifacts.settings import Settings
from build_artifacts.upload_planner import Limits, Refused
from build_artifacts.views import ArtifactList, ArtifactView, Destination, Link, UploadPlan

router = APIRouter(tags=["artifacts"])


def routers(settings: Settings) -> Sequence[APIRouter]:
    """Every route of the service. The directory's bytes pass through here; S3's only for agents out of its reach."""
    arrivals = ticket_routes.relayed if settings.s3_bucket else ticket_routes.directory
    return arrivals, ticket_routes.downloads, router


_KINDS = {"too_large": TooLarge, "too_many": Conflict, "conflict": Conflict, "not_yours": Forbidden}


ArtifactId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]


class OfferVia(Offer):
    """An offer, and the way its bytes take: `gateway` where the object store is out of the agent's reach."""

    model_config = ConfigDict(strict=True)  # as a RequestModel

    via: str | None = None


@router.post("/api/artifacts", response_model_exclude_none=True)
async def offer_artifact(offer: OfferVia, caller: Caller, needs: Needs) -> UploadPlan:
    """Ask to upload to a build of the agent's own; the same offer again continues. A refusal is 403, 409 or 413."""
    if caller.kind == "user":
        raise Forbidden("this needs the key of the agent whose build it is")
    caller.require(offer.project, "developer")
    now, settings = needs.clock(), needs.settings
    is_relayed = "gateway" in (offer.via, settings.s3_transfer)
    try:
        if caller.kind == "service":
            planned = await needs.upload_planner.hold(offer, now)
        else:
            project = needs.projects.get(offer.project)
            limits = Limits(project.artifact_max_bytes, project.artifacts_max_bytes)
            planned = await needs.upload_planner.answer(offer, caller.name, limits, now, is_inside=is_relayed)
    except Refused as refused:
        needs.metrics.offers.labels(refused.reason).inc()
        raise _KINDS[refused.reason](str(refused)) from refused
    needs.metrics.offers.labels("planned").inc()
    return UploadPlan(
        artifact_id=planned.artifact.id,
        state=planned.artifact.state,
        puts=[needs.relay.relayed(planned.artifact, put) for put in planned.puts] if is_relayed else planned.puts,
        expires_at=now + settings.upload_seconds * 1000,
    )


@router.get("/api/builds/{build_id}/artifacts", response_model_exclude_none=True)
async def list_artifacts(build_id: BuildId, caller: Caller, needs: Needs) -> ArtifactList:
    """The artifacts of a build; of a project the caller may not see there are none."""
    found = [artifact for artifact in await needs.store.of_build(build_id) if _is_shown(artifact, caller)]
    return ArtifactList(items=[ArtifactView.of(artifact) for artifact in found])


@router.get("/api/artifacts/destination", response_model_exclude_none=True)
async def get_destination(caller: Caller, needs: Needs) -> Destination:  # noqa: ARG001  (only who is known may ask)
    """Where uploads go, for agents that diagnose their connection."""
    return Destination(url=needs.objects.address)


@router.get("/api/artifacts/{artifact_id}", response_model_exclude_none=True)
async def get_artifact(artifact_id: ArtifactId, caller: Caller, needs: Needs) -> ArtifactView:
    """One artifact."""
    return ArtifactView.of(await _artifact(artifact_id, caller, needs))


@router.post("/api/artifacts/{artifact_id}/verify", response_model_exclude_none=True, include_in_schema=False)
async def verify_held(artifact_id: ArtifactId, caller: Caller, needs: Needs) -> ArtifactView:
    """Another service made every request of its plan: the artifact, verified or refused."""
    held = await _held(artifact_id, caller, needs)
    if held is None:
        raise NotFound("no such artifact")
    await needs.consumer.verify(held)
    return ArtifactView.of(await _artifact(artifact_id, caller, needs))


@router.delete("/api/artifacts/{artifact_id}", status_code=204, include_in_schema=False)
async def expire(artifact_id: ArtifactId, caller: Caller, needs: Needs) -> Response:
    """Another service no longer needs it: the next round of retention deletes it. Repeating changes nothing."""
    while (held := await _held(artifact_id, caller, needs)) is not None and held.state != "expired":
        await needs.store.change(held.become("expired", needs.clock(), upload_id=held.upload_id))
    return Response(status_code=204)


@router.get("/api/artifacts/{artifact_id}/link")
async def link_artifact(artifact_id: ArtifactId, caller: Caller, needs: Needs) -> Link:
    """Where a browser may download it for a minute: a page cannot send its token along with a click. 410: damaged."""
    url = await _link(artifact_id, caller, needs)
    return Link(url=url, expires_at=needs.clock() + needs.settings.download_seconds * 1000)


@router.get("/api/artifacts/{artifact_id}/download", status_code=307, response_class=RedirectResponse)
async def download_artifact(artifact_id: ArtifactId, caller: Caller, needs: Needs) -> Response:
    """The bytes, by a redirect that is good for a minute. 410: they are no longer those that were verified."""
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
    return RedirectResponse(await _link(artifact_id, caller, needs), 307, headers)


async def _link(artifact_id: str, caller: Principal, needs: Dependencies) -> str:
    artifact = await _artifact(artifact_id, caller, needs)
    if artifact.state not in HANDED_OUT:
        raise Conflict(f"this artifact is {artifact.state}: only verified bytes are handed out")
    try:
        return await needs.downloads.link(artifact, is_inside=caller.kind == "service")
    except Damaged as error:
        raise Gone(str(error)) from error


async def _artifact(artifact_id: str, caller: Principal, needs: Dependencies) -> Artifact:
    artifact = await needs.store.find(artifact_id)
    if artifact is None or not _is_shown(artifact, caller):
        raise NotFound("no such artifact")
    return artifact


async def _held(artifact_id: str, caller: Principal, needs: Dependencies) -> Artifact | None:
    """What is held for a service; None when it is gone. For everybody else these paths do not exist."""
    artifact = await needs.store.find(artifact_id)
    if caller.kind != "service" or (artifact is not None and not artifact.is_held):
        raise NotFound("no such artifact")
    return artifact


def _is_shown(artifact: Artifact, caller: Principal) -> bool:
    is_proven = artifact.is_owned or artifact.is_held
    return is_proven and artifact.state != "expired" and caller.may_see(artifact.project)
