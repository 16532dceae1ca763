"""What a service of the system stores is held until that service releases it, whatever retention deletes."""

import pytest
from build_artifacts.kept_builds import judged
from build_artifacts.retention import Retention
from build_chassis.auth import Principal
from httpx import URL

DAY_MS = 86_400_000
NOON_AT = 1_700_000_000_000
INGEST = Principal("ingest", "developer", None, kind="service")
CONTENT = b"zstd" * 300


async def bring(service, offer, content=CONTENT):
    """Offer, PUT and verify as another service; the artifact."""
    plan = (await service.offer(offer, INGEST)).raise_for_status().json()
    for put in plan["puts"]:
        (await service.put(put, content)).raise_for_status()
    return (await service.call("POST", f"/api/artifacts/{plan['artifactId']}/verify", INGEST)).json()


async def tidy(service, now_ms):
    state = service.app.state.dependencies
    await Retention(state.store, state.objects, state.settings, state.metrics).forget_old(now_ms)


async def test_what_a_service_uploads_is_verified_and_shown(service, offers):
    """Without a record of the build; readers find it beside the build's own artifacts."""
    offer = offers(CONTENT, name="build.log.zst")

    brought = await bring(service, offer)
    again = await service.offer(offer, INGEST)

    listed = (await service.call("GET", f"/api/builds/{offer.build_id}/artifacts")).json()["items"]
    assert (brought["state"], again.json()["puts"]) == ("verified", [])
    assert [item["name"] for item in listed] == ["build.log.zst"]


async def test_bytes_that_never_came_are_refused_and_may_be_uploaded_again(service, offers):
    """Reporting too early verifies nothing."""
    offer = offers(CONTENT)
    (await service.offer(offer, INGEST)).raise_for_status()

    early = (await service.call("POST", f"/api/artifacts/{offer.artifact_id(None)}/verify", INGEST)).json()

    assert early["state"] == "refused"
    assert (await bring(service, offer))["state"] == "verified"


async def test_retention_leaves_what_is_held_and_takes_everything_else(service, offers, verdicts, tmp_path):
    """By age and by count; once its service releases it, row and bytes are deleted too."""
    for n in (1, 2):
        await bring(service, offers(CONTENT, n=n, name="build.log.zst"))
        await service.publish(verdicts(n, "failed", NOON_AT + n))
    own = offers(CONTENT, n=1, name="own")
    await service.until(await service.upload(own, CONTENT), "verified")

    await tidy(service, NOON_AT + 3650 * DAY_MS)
    shown = await service.call("GET", f"/api/builds/{own.build_id}/artifacts")
    assert [item["name"] for item in shown.json()["items"]] == ["build.log.zst"]

    for _ in range(2):
        gone = await service.call("DELETE", f"/api/artifacts/{shown.json()['items'][0]['id']}", INGEST)
        assert gone.status_code == 204
    await tidy(service, NOON_AT + 3650 * DAY_MS)
    kept = [path.name for path in (tmp_path / "bytes" / "objects").iterdir()]
    assert kept == [offers(CONTENT, n=2, name="build.log.zst").artifact_id(None)]


async def test_held_artifacts_take_no_builds_place(store, made, verdicts, fresh_note):
    """A build that has only a log archive counts neither as full nor against the number it may upload."""
    note = verdicts(1)
    archive = made(CONTENT).model_copy(update={"is_held": True})
    await store.add(archive, fresh_note(1))
    await store.change(archive.become("verified", NOON_AT))

    await store.note(judged(note))
    (kept_build,) = await store.kept_builds(judged(note).lane)
    assert not kept_build.is_full
    assert (await store.find(archive.id)).is_held
    await store.forget_notes([archive.build_id])
    assert await store.kept_builds(judged(note).lane) == []


async def test_no_limit_of_a_project_refuses_a_service(tmp_path, run_service, offers):
    """Neither size nor number; an agent's limits stay as they are beside it."""
    (tmp_path / "config.yaml").write_text("projects: {p: {artifact_max_bytes: 10}}")
    async with run_service(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, per_build=1) as service:
        assert (await bring(service, offers(CONTENT)))["state"] == "verified"
        codes = [(await service.offer(offers(b"x", name=name))).status_code for name in ("a", "b")]

    assert codes == [200, 409]


@pytest.mark.parametrize("caller", [Principal("d", "admin", None), Principal("ci", "developer", None, kind="key")])
async def test_nobody_else_releases_or_verifies(service, offers, caller):
    """For people and agents these paths do not exist; and a service releases its own only."""
    held, own = offers(CONTENT), offers(CONTENT, name="own")
    await bring(service, held)
    await service.upload(own, CONTENT)

    assert (await service.call("DELETE", f"/api/artifacts/{held.artifact_id(None)}", caller)).status_code == 404
    assert (await service.call("POST", f"/api/artifacts/{held.artifact_id(None)}/verify", caller)).status_code == 404
    assert (await service.call("DELETE", f"/api/artifacts/{own.artifact_id('ci-1')}", INGEST)).status_code == 404


@pytest.mark.s3
@pytest.mark.parametrize("transfer", ["direct", "gateway"])
async def test_services_upload_as_they_reach_the_store_and_read_from_here(
    tmp_path, run_service, s3_settings, offers, transfer
):
    """People get the public name, which a service may not even resolve; a store only services reach is never named."""
    settings = s3_settings(s3_public_endpoint="https://artifacts.example.com", s3_transfer=transfer)
    async with run_service(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, **settings) as service:
        (put,) = (await service.offer(offers(CONTENT), INGEST)).json()["puts"]
        brought = await bring(service, offers(CONTENT))
        links = [
            URL((await service.call("GET", f"/api/artifacts/{brought['id']}/link", caller)).json()["url"])
            for caller in (INGEST, Principal("ann", "viewer", None))
        ]
        read = await service.call("GET", str(links[0]), INGEST, headers={"Range": "bytes=4-7"})

    hosts = {"direct": ["127.0.0.1", "", "artifacts.example.com"], "gateway": ["", "", ""]}
    assert [URL(put["url"]).host, *(link.host for link in links)] == hosts[transfer]
    assert (brought["state"], read.status_code, read.content) == ("verified", 206, CONTENT[4:8])
