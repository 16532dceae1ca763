"""Agents that reach only the dashboard: their bytes go through this service, to a directory or a real S3."""

import secrets

import pytest
from build_chassis.auth import Principal

AGENT = Principal("ci-1", "developer", frozenset({"p"}), kind="key")
PART = 5 * 1024 * 1024


async def offered(service, offer):
    """The answer to an offer whose bytes are to come through the gateway."""
    body = offer.model_dump(mode="json", by_alias=True, exclude_none=True) | {"via": "gateway"}
    from_agent = (await service.call("POST", "/api/artifacts", AGENT, json=body)).raise_for_status()
    return from_agent.json()


@pytest.fixture(params=["directory", pytest.param("s3", marks=pytest.mark.s3)])
async def relaying(request, tmp_path, run_service, s3_settings):
    """The service on either storage."""
    settings = s3_settings() if request.param == "s3" else {}
    async with run_service(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, **settings) as service:
        service.is_elsewhere = request.param == "s3"
        yield service


@pytest.mark.parametrize("part", [None, PART], ids=["whole", "parts"])
async def test_bytes_come_through_the_gateway(relaying, offers, part):
    """Every address is the dashboard's; what arrives is verified as if it had come directly."""
    content = secrets.token_bytes(PART + 1000)
    offer = offers(content, part=part)
    plan = await offered(relaying, offer)

    assert all(put["url"].startswith("/api/artifacts/objects/") for put in plan["puts"])
    for put in plan["puts"]:
        assert (await relaying.put(put, content)).status_code == 204
    await relaying.publish(relaying.uploaded(offer))
    assert (await relaying.until(plan["artifactId"], "verified"))["sizeBytes"] == len(content)


@pytest.mark.parametrize("content", [b"other bytes!", b"fewer", b"many more bytes than were promised"])
async def test_other_bytes_than_promised_are_refused(relaying, offers, content):
    """By their hash or their length, on either storage."""
    plan = await offered(relaying, offers(b"these bytes."))
    put = {**plan["puts"][0], "offset": 0, "sizeBytes": len(content)}

    assert (await relaying.put(put, content)).status_code == 400


@pytest.mark.s3
async def test_a_store_that_only_the_service_reaches_is_named_to_nobody(tmp_path, run_service, s3_settings, offers):
    """With ARTIFACTS_S3_TRANSFER=gateway every address is the dashboard's, whether an agent asks for it or not."""
    content = secrets.token_bytes(PART + 1000)
    settings = s3_settings(s3_transfer="gateway")
    async with run_service(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, **settings) as service:
        offer = offers(content, part=PART)
        puts = (await service.offer(offer)).json()["puts"]
        artifact_id = await service.upload(offer, content)
        await service.until(artifact_id, "verified")
        redirect = await service.call("GET", f"/api/artifacts/{artifact_id}/download")
        download = await service.call("GET", redirect.headers["location"], None)
        destination = (await service.call("GET", "/api/artifacts/destination", AGENT)).json()

    assert {put["url"].split("/objects/")[0] for put in puts} == {"/api/artifacts"}
    assert (download.content, destination) == (content, {})


async def test_a_forged_relay_ticket_is_refused(relaying):
    """The relay is no open proxy: only what was signed here is passed on."""
    answer = await relaying.call("PUT", "/api/artifacts/objects/eyJ2ZXJiIjoicmVsYXkifQ.00", None, content=b"x")

    assert answer.status_code == 403


async def test_agents_may_ask_where_uploads_go(relaying):
    """The object store's address, or nothing where it is the dashboard's own."""
    answer = (await relaying.call("GET", "/api/artifacts/destination", AGENT)).raise_for_status().json()

    assert ("url" in answer) is relaying.is_elsewhere
    assert (await relaying.call("GET", "/api/artifacts/destination", None)).status_code == 401
