"""Retention on the running service: what goes, what stays, and what was never finished."""

import asyncio
import hashlib
import sqlite3

import pytest
from build_artifacts.retention import Retention

DAY_MS = 86_400_000
CONTENT = b"x" * 1000


@pytest.fixture
def tidy(service):
    """One round of retention, now."""
    state = service.app.state.dependencies
    retention = Retention(state.store, state.objects, state.settings, state.metrics)
    return retention.forget_old


async def names(service, offers, *builds):
    return [
        item["name"]
        for n in builds
        for item in (await service.call("GET", f"/api/builds/{offers(b'', n=n).build_id}/artifacts")).json()["items"]
    ]


async def test_old_artifacts_go_and_the_last_good_builds_stay(service, offers, verdicts, tidy, tmp_path):
    """A year later only the last green build's are left, row and bytes."""
    at = 1_700_000_000_000
    for n, status in ((1, "succeeded"), (2, "succeeded"), (3, "failed")):
        offer = offers(CONTENT, n=n, name=f"of {n}")
        await service.upload(offer, CONTENT)
        await service.publish(verdicts(n, status, at + n))
        await service.until(offer.artifact_id("ci-1"), "verified")
    last = offers(CONTENT, n=4, name="marks the end")  # verdicts before it are noted by then
    await service.until(await service.upload(last, CONTENT), "verified")

    await tidy(at + 365 * DAY_MS)

    assert await names(service, offers, 1, 2, 3, 4) == ["of 2"]
    kept = [path.name for path in (tmp_path / "bytes" / "objects").iterdir()]
    assert kept == [offers(CONTENT, n=2, name="of 2").artifact_id("ci-1")]


async def test_an_upload_nobody_finished_is_taken_back(service, offers, tidy, tmp_path):
    """After a day row and parts are gone; the same offer then begins anew."""
    part = 5 * 1024 * 1024
    large = b"x" * (part + 1)
    offer = offers(large, part=part)
    puts = (await service.offer(offer)).json()["puts"]
    (await service.put(puts[0], large)).raise_for_status()

    await tidy(1_700_000_000_000 + DAY_MS + 1)

    assert (await service.call("GET", f"/api/artifacts/{offer.artifact_id('ci-1')}")).status_code == 404
    assert list((tmp_path / "bytes" / "parts").iterdir()) == []
    await service.until(await service.upload(offer, large), "verified")


async def test_retention_that_fails_ends_no_other_duty(run_service, tmp_path, offers, caplog):
    """A row that nobody can read fails its round; what is uploaded is verified all the same."""
    bus_url = f"sqlite:///{tmp_path}/bus.sqlite"
    async with run_service(bus_url, tmp_path):
        pass
    with sqlite3.connect(tmp_path / "artifacts.sqlite") as rows:
        rows.execute("insert into artifact_builds values ('build', 'digest', 'lane', 1, 'no time', null, 1)")
        rows.execute("update artifact_builds set lane_digest = ?", [hashlib.sha256(b"lane").hexdigest()])

    async with run_service(bus_url, tmp_path) as service:
        async with asyncio.timeout(20):
            while "failed to forget old artifacts" not in caplog.text:  # noqa: ASYNC110  the log has no event
                await asyncio.sleep(0.02)
        await service.until(await service.upload(offers(CONTENT), CONTENT), "verified")
