"""Whose build an artifact is of: only the build's own agent adds to it, and nobody else takes its place."""

import asyncio

import pytest
from build_artifacts.consumer import NOT_YOURS
from build_chassis.auth import Principal
from build_protocol.clock import HOUR_MS
from build_protocol.ids import shard_of
from build_protocol.messages import build_message
from build_protocol.topology import ingest_queue

CONTENT = b"\x7fELF" * 100
OWNER = Principal("ci-1", "developer", None, kind="key")
OTHER = Principal("ci-2", "developer", None, kind="key")


async def listed(service, offer):
    answer = await service.call("GET", f"/api/builds/{offer.build_id}/artifacts")
    return [item["name"] for item in answer.json()["items"]]


async def bring(service, offer, agent):
    """Offer, PUT and report as this agent; the artifact's id."""
    plan = (await service.offer(offer, agent)).raise_for_status().json()
    for put in plan["puts"]:
        (await service.put(put, CONTENT)).raise_for_status()
    artifact_id = plan["artifactId"]
    report = service.uploaded(offer)
    report = report.model_copy(update={"data": report.data.model_copy(update={"artifact_id": artifact_id})})
    await service.publish(report, agent=agent.name)
    return artifact_id


async def state_of(service, artifact_id):
    return (await service.app.state.dependencies.store.find(artifact_id)).state


async def until(service, artifact_id, state):
    async with asyncio.timeout(10):
        while await state_of(service, artifact_id) != state:  # noqa: ASYNC110  the store has no event for it
            await asyncio.sleep(0.02)


async def test_nobody_adds_to_anothers_build(service, offers):
    """An offer for a build that ingest knows as another agent's, or in another project, is 403 and leaves nothing."""
    offer = offers(CONTENT, name="planted")
    answers = [await service.offer(offer, OTHER), await service.offer(offers(CONTENT, project="q"), OWNER)]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert await service.app.state.dependencies.store.of_build(offer.build_id) == []


@pytest.mark.parametrize("role", ["viewer", "developer", "admin"])
async def test_a_person_uploads_nothing(service, offers, role):
    """A build's artifacts are its agent's."""
    assert (await service.offer(offers(CONTENT), Principal("ann", role, None))).status_code == 403


async def test_what_is_not_known_to_be_of_the_build_is_shown_to_nobody(service, offers):
    """Before ingest knows the build: neither in its list nor by id, to its own agent included."""
    offer = offers(CONTENT, name="early")
    service.ingest.owners[offer.build_id] = None
    artifact_id = await bring(service, offer, OTHER)
    await until(service, artifact_id, "reported")

    assert await listed(service, offer) == []
    for tail in ("", "/link", "/download"):
        assert (await service.call("GET", f"/api/artifacts/{artifact_id}{tail}", OTHER)).status_code == 404


async def test_squatters_take_neither_quota_nor_name(tmp_path, run_service, offers):
    """Another agent's offers before ingest knows the build do not count against it, and never become its artifacts."""
    async with run_service(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, per_build=2) as service:
        mine = offers(CONTENT, name="mine")
        service.ingest.owners[mine.build_id] = None
        planted = await bring(service, mine, OTHER)
        codes = [(await service.offer(offers(CONTENT, name=name), OTHER)).status_code for name in "ab"]
        assert codes == [200, 409]
        await until(service, planted, "reported")

        service.ingest.owners[mine.build_id] = ("ci-1", "p")
        own = await bring(service, mine, OWNER)
        await until(service, own, "verified")
        await until(service, planted, "refused")

        assert own != planted
        assert (await service.app.state.dependencies.store.find(planted)).problem == NOT_YOURS
        assert await listed(service, mine) == ["mine"]


@pytest.mark.parametrize("is_away", [True, False], ids=["ingest away", "build not stored yet"])
async def test_what_is_reported_early_is_verified_and_announced_later(service, offers, is_away):
    """As soon as ingest answers with the build; builds that it knows do not wait behind it."""
    early, other = offers(CONTENT, n=1), offers(CONTENT, n=2)
    service.ingest.is_away = is_away
    service.ingest.owners[early.build_id] = None
    async with service.bus.consume(ingest_queue(shard_of(early.build_id))) as consumer:
        artifact_id = await bring(service, early, OWNER)
        await until(service, artifact_id, "reported")
        service.ingest.is_away = False
        await service.until(await bring(service, other, OWNER), "verified")

        service.ingest.owners[early.build_id] = ("ci-1", "p")
        await service.until(artifact_id, "verified")
        ready = []
        async with asyncio.timeout(10):
            while artifact_id not in ready:
                deliveries = await consumer.fetch(10)
                messages = [build_message.validate_json(delivery.body) for delivery in deliveries]
                ready += [message.data.artifact_id for message in messages if message.type == "ARTIFACT_READY"]
                await consumer.ack(deliveries)


async def test_a_build_that_never_comes_ends_the_wait(service, offers):
    """A day later the upload is refused with the reason."""
    offer = offers(CONTENT)
    service.ingest.owners[offer.build_id] = None
    artifact_id = await bring(service, offer, OTHER)
    await until(service, artifact_id, "reported")

    service.later(24 * HOUR_MS + 1)
    await until(service, artifact_id, "refused")


async def test_only_its_agent_reports_an_artifact(service, offers):
    """Anybody else's report of it, or a report without an agent, verifies nothing."""
    mine, last = offers(CONTENT, name="mine"), offers(CONTENT, name="last")
    (await service.offer(mine, OWNER)).raise_for_status()
    await service.publish(service.uploaded(mine), agent=OTHER.name)
    await service.publish(service.uploaded(mine), agent="")
    await service.until(await bring(service, last, OWNER), "verified")

    assert await state_of(service, mine.artifact_id(OWNER.name)) == "uploading"


async def test_a_keys_unfinished_uploads_are_bounded(tmp_path, run_service, offers):
    """Over all builds, made up or not; a finished one makes room, and another key's are not affected."""
    async with run_service(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, per_key=3) as service:
        for n in range(6):
            service.ingest.owners[offers(b"x", n=n).build_id] = None if n else ("ci-1", "p")
        codes = [(await service.offer(offers(CONTENT, n=n), OWNER)).status_code for n in range(4)]
        assert codes == [200, 200, 200, 409]
        assert (await service.offer(offers(CONTENT, n=5), OTHER)).status_code == 200

        await service.until(await bring(service, offers(CONTENT, n=0), OWNER), "verified")
        assert (await service.offer(offers(CONTENT, n=4), OWNER)).status_code == 200
