"""Only verified bytes are served: what replaced them since is detected, reported, and never served as verified."""

import asyncio
import hashlib
import secrets

import httpx
import pytest
from build_artifacts.artifact import Offer
from build_artifacts.downloads import Damaged, span_of
from build_artifacts.kept_builds import judged
from build_artifacts.retention import Retention
from build_chassis.auth import Principal
from prometheus_client import generate_latest

PART = 5 * 1024 * 1024
CONTENT = b"\x7fELF" + bytes(range(256)) * 40
LARGE = secrets.token_bytes(1024) * (11 * 1024)
INGEST = Principal("ingest", "developer", None, kind="service")
OTHERS = {"same length": CONTENT[:-1] + b"x", "shorter": CONTENT[:-1], "longer": CONTENT + b"x", "none": None}


@pytest.fixture(params=["directory", *(pytest.param(name, marks=pytest.mark.s3) for name in ("direct", "gateway"))])
async def keeping(request, tmp_path, run_service, s3_settings):
    """The service on a directory, and on a real S3 with either way to the bytes."""
    settings = {} if request.param == "directory" else s3_settings(s3_transfer=request.param)
    async with run_service(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, **settings) as service:
        service.is_direct = request.param == "direct"
        yield service


async def verified(service, offer, content):
    artifact_id = await service.upload(offer, content)
    await service.until(artifact_id, "verified")
    return artifact_id


async def link(service, artifact_id, *caller):
    return await service.call("GET", f"/api/artifacts/{artifact_id}/link", *caller)


async def get(service, url, **headers):
    if url.startswith("/"):
        return await service.call("GET", url, None, headers=headers)
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(url, headers=headers)


async def damaged_count(service):
    metrics = generate_latest(service.app.state.dependencies.registry).decode()
    return float(next(line for line in metrics.splitlines() if line.startswith("artifacts_damaged_total")).split()[1])


@pytest.mark.parametrize("other", OTHERS)
async def test_overwritten_bytes_are_not_handed_out_and_everybody_sees_why(keeping, offers, other):
    """410 for link and download; the build's list shows `damaged` and the reason, the metric counts it once."""
    artifact_id = await verified(keeping, offers(CONTENT), CONTENT)
    keeping.overwrite(artifact_id, OTHERS[other])

    for path in ("link", "download", "link"):
        refused = await keeping.call("GET", f"/api/artifacts/{artifact_id}/{path}")
        assert refused.status_code == 410
        assert "no longer the bytes that were verified" in refused.json()["detail"]

    (item,) = (await keeping.call("GET", f"/api/builds/{offers(CONTENT).build_id}/artifacts")).json()["items"]
    assert (item["state"], "no longer the bytes" in item["problem"]) == ("damaged", True)
    assert await damaged_count(keeping) == 1


async def test_bytes_put_back_are_handed_out_again(keeping, offers):
    """Who restores the object store need not report it."""
    artifact_id = await verified(keeping, offers(CONTENT), CONTENT)
    keeping.overwrite(artifact_id, None)
    assert (await link(keeping, artifact_id)).status_code == 410

    keeping.overwrite(artifact_id, CONTENT)

    url = (await link(keeping, artifact_id)).raise_for_status().json()["url"]
    assert (await get(keeping, url)).content == CONTENT
    assert (await keeping.until(artifact_id, "verified")).get("problem") is None


@pytest.mark.parametrize("part", [None, PART], ids=["whole", "parts"])
async def test_a_damaged_artifact_offered_again_is_uploaded_again(keeping, offers, part):
    """The plan asks for the bytes, and their verification makes it whole."""
    content = LARGE if part else CONTENT
    offer = offers(content, part=part)
    artifact_id = await verified(keeping, offer, content)
    keeping.overwrite(artifact_id, content[:-1] + b"x")
    assert (await link(keeping, artifact_id)).status_code == 410

    await verified(keeping, offer, content)

    url = (await link(keeping, artifact_id)).raise_for_status().json()["url"]
    assert (await get(keeping, url)).content == content


async def test_bytes_replaced_after_the_link_was_given_are_not_served(keeping, offers):
    """Through the dashboard each request is checked anew, ranges too; other services always read this way."""
    artifact_id = await verified(keeping, offers(CONTENT), CONTENT)
    # A store's own address answers with whatever is there, for as long as it is good.
    callers = [(INGEST,)] if keeping.is_direct else [(INGEST,), ()]
    urls = [(await link(keeping, artifact_id, *caller)).json()["url"] for caller in callers]
    assert all(url.startswith("/") for url in urls)
    assert [(await get(keeping, url)).content for url in urls] == [CONTENT for _ in urls]

    keeping.overwrite(artifact_id, OTHERS["same length"])

    for url in urls:
        assert (await get(keeping, url)).status_code == 410
        assert (await get(keeping, url, Range="bytes=0-9")).status_code == 410
    await keeping.until(artifact_id, "damaged")


async def test_bytes_that_rotted_under_the_stores_own_mark_are_cut_before_their_end(keeping, offers):
    """Whatever the store reports of them: a small artifact is 410, of a large one the last bytes never come."""
    for content in (CONTENT, LARGE):
        artifact_id = await verified(keeping, offers(content, part=PART if content is LARGE else None), content)
        keeping.overwrite(artifact_id, content[:-1] + bytes([content[-1] ^ 1]))
        state = keeping.app.state.dependencies
        artifact = await state.store.find(artifact_id)
        # As if the store still gave the mark it gave at sealing.
        with pytest.raises(Exception, match="SHA-256"):
            await state.objects.check(artifact)
        stale = artifact.become("damaged", 1, receipt="")
        rotten = offers(content[:-1] + bytes([content[-1] ^ 1]))
        same = stale.model_copy(update={"sha256": rotten.sha256, "part_sha256": []})
        lying = artifact.become("verified", 1, receipt=await state.objects.check(same))
        assert await state.store.change(lying)
        url = (await link(keeping, artifact_id, INGEST)).json().get("url") if not keeping.is_direct else None
        if url is None:
            url = "/api/artifacts/objects/" + state.downloads.tickets.issue("get", lying.id, lying, 60)

        if content is CONTENT:
            assert (await get(keeping, url)).status_code == 410
        else:
            with pytest.raises(Damaged):
                await get(keeping, url)
        await keeping.until(artifact_id, "damaged")


@pytest.mark.s3
async def test_parts_that_do_not_make_the_whole_are_not_served_through_the_dashboard(
    tmp_path, run_service, s3_settings, offers
):
    """S3 knows the parts' hashes and not the whole's: it is hashed while it is read."""
    honest = offers(LARGE, part=PART)
    lie = Offer(**{**honest.model_dump(), "sha256": hashlib.sha256(b"another file").hexdigest()})
    settings = s3_settings(s3_transfer="gateway")
    async with run_service(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, **settings) as service:
        artifact_id = await verified(service, lie, LARGE)
        url = (await link(service, artifact_id)).json()["url"]

        with pytest.raises(Damaged):
            await get(service, url)
        assert (await link(service, artifact_id)).status_code == 410


async def test_an_artifact_of_an_earlier_release_is_checked_at_its_first_download(keeping, offers):
    """It has no receipt: what is there is compared with its SHA-256, once."""
    good, bad = offers(CONTENT, name="good"), offers(CONTENT, name="bad")
    for offer in (good, bad):
        await verified(keeping, offer, CONTENT)
        artifact = await keeping.app.state.dependencies.store.find(offer.artifact_id("ci-1"))
        assert artifact.receipt
        assert await keeping.app.state.dependencies.store.change(artifact.become("verified", 1))
    keeping.overwrite(bad.artifact_id("ci-1"), OTHERS["same length"])

    answers = [(await link(keeping, offer.artifact_id("ci-1"))).status_code for offer in (good, bad)]

    assert answers == [200, 410]
    assert (await keeping.app.state.dependencies.store.find(good.artifact_id("ci-1"))).receipt


async def test_ranges_are_answered_as_http_has_it(service, offers):
    """A part with its place, 416 behind the end, everything for another version of the file."""
    artifact_id = await verified(service, offers(CONTENT), CONTENT)
    url = (await link(service, artifact_id)).json()["url"]

    part = await get(service, url, Range="bytes=4-13")
    assert (part.status_code, part.content) == (206, CONTENT[4:14])
    assert part.headers["content-range"] == f"bytes 4-13/{len(CONTENT)}"
    behind = await get(service, url, Range=f"bytes={len(CONTENT)}-")
    assert (behind.status_code, behind.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")
    same = {"If-Range": part.headers["etag"], "Range": "bytes=4-13"}
    assert (await get(service, url, **same)).status_code == 206
    assert (await get(service, url, **{**same, "If-Range": '"another"'})).content == CONTENT


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None),
        ("bytes=0-", (0, 100)),
        ("bytes=10-19", (10, 20)),
        ("bytes=90-999", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-999", (0, 100)),
        ("bytes=0-1,5-6", None),
        ("bytes=9-3", None),
        ("bytes=-", None),
        ("lines=1-2", None),
    ],
)
def test_one_range_is_understood_and_every_other_header_means_everything(header, span):
    """As RFC 9110 allows."""
    assert span_of(header, 100) == span


async def test_retention_takes_what_is_damaged(service, offers, verdicts):
    """It expires with everything else of its build, and does not make the build count as one with artifacts."""
    artifact_id = await verified(service, offers(CONTENT), CONTENT)
    await service.publish(verdicts(1))
    service.overwrite(artifact_id, None)
    assert (await link(service, artifact_id)).status_code == 410
    state = service.app.state.dependencies
    async with asyncio.timeout(20):
        while not (kept_builds := await state.store.kept_builds(judged(verdicts(1)).lane)):  # noqa: ASYNC110  the consumer's work
            await asyncio.sleep(0.02)
    (kept_build,) = kept_builds

    await Retention(state.store, state.objects, state.settings, state.metrics).forget_old(10**14)

    assert not kept_build.is_full
    assert (await service.call("GET", f"/api/artifacts/{artifact_id}")).status_code == 404
