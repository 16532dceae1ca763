"""What a killed object store costs: time, and nothing else."""

import asyncio

import httpx
import pytest

pytestmark = pytest.mark.s3

PART = 5 * 1024 * 1024
LARGE = bytes(range(256)) * (11 * 4096)


@pytest.fixture
async def service(tmp_path, run_service, s3_settings):
    """The service on an embedded bus, its bytes in a real S3."""
    async with run_service(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, **s3_settings()) as service:
        yield service


async def test_the_bytes_never_pass_the_service(service, offers):
    """Every address of plan and download is the store's own, unless an agent asks for the relay."""
    offer = offers(LARGE, part=PART)
    puts = (await service.offer(offer)).json()["puts"]
    artifact_id = await service.upload(offer, LARGE)
    await service.until(artifact_id, "verified")
    location = (await service.call("GET", f"/api/artifacts/{artifact_id}/download")).headers["location"]

    assert {httpx.URL(put["url"]).host for put in puts} == {"127.0.0.1"} == {httpx.URL(location).host}
    assert (await service.call("PUT", "/api/artifacts/objects/x", None)).status_code == 403
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(location)).content == LARGE


async def test_a_store_killed_in_mid_multipart_loses_no_part(service, seaweedfs, offers):
    """kill -9 after one part; offers meanwhile are 503; afterwards the plan asks for the others only."""
    offer = offers(LARGE, part=PART, name="killed")
    puts = (await service.offer(offer)).json()["puts"]
    (await service.put(puts[0], LARGE)).raise_for_status()

    seaweedfs.kill()
    during = await service.offer(offer)
    await asyncio.to_thread(seaweedfs.start)

    assert during.status_code == 503
    assert [2, 3] == [put["part"] for put in (await service.offer(offer)).json()["puts"]]
    await service.until(await service.upload(offer, LARGE), "verified")


async def test_an_upload_reported_while_the_store_is_down_is_verified_later(service, seaweedfs, offers):
    """The consumer leaves its queue until the store answers: nothing is refused for an outage."""
    offer = offers(LARGE, part=PART, name="reported")
    for put in (await service.offer(offer)).json()["puts"]:
        (await service.put(put, LARGE)).raise_for_status()

    seaweedfs.kill()
    await service.publish(service.uploaded(offer))
    ready = await service.call("GET", "/readyz", None)
    state = (await service.call("GET", f"/api/artifacts/{offer.artifact_id('ci-1')}")).json()["state"]
    await asyncio.to_thread(seaweedfs.start)

    assert (ready.status_code, ready.json()["missing"], state) == (503, ["objects"], "uploading")
    await service.until(offer.artifact_id("ci-1"), "verified")
