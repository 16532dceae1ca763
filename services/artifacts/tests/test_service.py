"""The whole service on an embedded bus: from an agent's offer to a download, for callers of any scope."""

import asyncio
from typing import Any

import pytest
from build_chassis.auth import Principal
from build_protocol.ids import shard_of
from build_protocol.messages import build_message
from build_protocol.topology import ingest_queue

CONTENT = b"\x7fELF" + bytes(range(256)) * 300
PART = 5 * 1024 * 1024
LARGE = b"wheel" * (12 * 1024 * 1024 // 5)
STRANGER = Principal("q", "developer", frozenset({"q"}), kind="key")
VIEWER = Principal("v", "viewer", frozenset({"p"}))


async def test_what_an_agent_uploads_is_downloaded_equal(service, offers):
    """Offer, PUT, report, verified; the redirect's address serves the same bytes, to be saved and never displayed."""
    artifact_id = await service.upload(offers(CONTENT), CONTENT)
    await service.until(artifact_id, "verified")

    redirect = await service.call("GET", f"/api/artifacts/{artifact_id}/download")
    assert (redirect.status_code, redirect.headers["x-content-type-options"]) == (307, "nosniff")
    answer = await service.call("GET", redirect.headers["location"], None)

    assert answer.content == CONTENT
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith('attachment; filename="mlir-opt"')
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_ready_is_announced_after_every_report(service, offers):
    """A redelivered ARTIFACT_UPLOADED changes nothing and announces the same artifact again."""
    offer = offers(CONTENT)
    async with service.bus.consume(ingest_queue(shard_of(offer.build_id))) as consumer:
        await service.upload(offer, CONTENT)
        await service.publish(service.uploaded(offer))
        announced: list[Any] = []
        async with asyncio.timeout(20):
            while len(announced) < 2:
                deliveries = await consumer.fetch(10)
                messages = [build_message.validate_json(delivery.body) for delivery in deliveries]
                announced += [message for message in messages if message.type == "ARTIFACT_READY"]
                await consumer.ack(deliveries)

    assert [("ARTIFACT_READY", offer.artifact_id("ci-1"), offer.sha256)] * 2 == [
        (message.type, message.data.artifact_id, message.data.sha256) for message in announced
    ]


async def test_a_multipart_upload_continues_where_it_stopped(service, offers):
    """The same offer again asks for the missing parts only; the joined bytes are the file."""
    offer = offers(LARGE, part=PART)
    puts = (await service.offer(offer)).json()["puts"]
    assert [1, 2, 3] == [put["part"] for put in puts]
    for put in (puts[2], puts[0]):
        (await service.put(put, LARGE)).raise_for_status()

    artifact_id = await service.upload(offer, LARGE)  # as the agent does after it was killed
    await service.until(artifact_id, "verified")

    link = (await service.call("GET", f"/api/artifacts/{artifact_id}/link")).json()
    assert (await service.call("GET", link["url"], None)).content == LARGE
    assert (await service.offer(offer)).json()["puts"] == []


async def test_reporting_too_early_is_refused_and_fixed_by_uploading(service, offers):
    """ARTIFACT_UPLOADED without the bytes verifies nothing; uploading after the offer is made again does."""
    offer = offers(LARGE, part=PART)
    (await service.offer(offer)).raise_for_status()
    await service.publish(service.uploaded(offer))
    refused = await service.until(offer.artifact_id("ci-1"), "refused")
    assert "3 of 3 parts never arrived" in refused["problem"]
    assert (await service.call("GET", f"/api/artifacts/{offer.artifact_id('ci-1')}/download")).status_code == 409

    await service.upload(offer, LARGE)

    await service.until(offer.artifact_id("ci-1"), "verified")


@pytest.mark.parametrize("wrong", [CONTENT[:-1], CONTENT + b"x", CONTENT[:-1] + b"x"], ids=["short", "long", "other"])
async def test_other_bytes_than_promised_are_refused_and_leave_nothing(service, offers, tmp_path, wrong):
    """Size and SHA-256 are signed with the address: 400, and no file of it stays."""
    put = (await service.offer(offers(CONTENT))).json()["puts"][0]

    answer = await service.call("PUT", put["url"], None, content=wrong)

    assert answer.status_code == 400
    assert [path for path in (tmp_path / "bytes").rglob("*") if path.is_file()] == []


async def test_a_changed_or_swapped_ticket_is_refused(service, offers):
    """A ticket signs its verb and everything else: neither edits nor the other method pass."""
    put = (await service.offer(offers(CONTENT))).json()["puts"][0]
    payload, _, signature = put["url"].rpartition(".")

    for url in (f"{payload}x.{signature}", f"{payload}.{'0' * 64}", f"{payload}.", payload):
        assert (await service.call("PUT", url, None, content=CONTENT)).status_code == 403
    assert (await service.call("GET", put["url"], None)).status_code == 403


async def test_too_large_is_refused_before_a_byte_moves(service, offers, tmp_path):
    """The project's artifact_max_bytes answers the offer, not the upload."""
    (tmp_path / "config.yaml").write_text("projects: {p: {artifact_max_bytes: 10}}")

    answer = await service.offer(offers(b"x" * 11))

    assert answer.status_code == 413
    assert "takes 10" in answer.json()["detail"]
    assert (await service.offer(offers(b"x" * 10))).status_code == 200


async def test_a_project_takes_so_many_bytes_and_names_what_it_refused(service, offers, tmp_path):
    """Its artifacts_max_bytes, over all builds: the refused one is named by its build, and taken once there is room."""
    config = tmp_path / "config.yaml"
    config.write_text("projects: {p: {artifacts_max_bytes: 20, artifact_max_bytes: 18}}")
    await service.upload(offers(b"x" * 12, name="first"), b"x" * 12)
    late, huge = offers(b"y" * 9, name="late"), offers(b"z" * 19, name="huge")

    refused = await service.offer(late)
    assert 413 == refused.status_code
    assert "has 12 of the 20 bytes" in refused.json()["detail"]
    assert [413, 413] == [(await service.offer(each)).status_code for each in (late, huge)]

    listed = (await service.call("GET", f"/api/builds/{late.build_id}/artifacts")).json()["items"]
    states = {item["name"]: (item["state"], item.get("problem", "")) for item in listed}
    assert "artifacts_max_bytes" in states["late"][1]
    assert ("refused", True) == (states["huge"][0], "takes 18" in states["huge"][1])
    config.write_text("projects: {p: {artifacts_max_bytes: 21}}")
    await service.upload(late, b"y" * 9)
    await service.until(late.artifact_id("ci-1"), "verified")


async def test_a_build_brings_a_bounded_number(tmp_path, run_service, offers):
    """One more than the limit is refused; one that is known is not."""
    async with run_service(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, per_build=2) as service:
        codes = [(await service.offer(offers(b"x", name=name))).status_code for name in ("a", "b", "c", "b")]

    assert codes == [200, 200, 409, 200]


async def test_another_projects_artifacts_do_not_exist(service, offers):
    """A caller outside the scope gets 404 for offer, artifact, link and download, and an empty list."""
    offer = offers(CONTENT)
    artifact_id = await service.upload(offer, CONTENT)
    await service.until(artifact_id, "verified")
    path = f"/api/artifacts/{artifact_id}"

    answers = [await service.call("GET", path + tail, STRANGER) for tail in ("", "/link", "/download")]
    answers.append(await service.offer(offer, STRANGER))

    assert [404] * 4 == [answer.status_code for answer in answers]
    listed = await service.call("GET", f"/api/builds/{offer.build_id}/artifacts", STRANGER)
    assert listed.json() == {"items": []}
    assert (await service.offer(offer, VIEWER)).status_code == 403
    assert (await service.call("GET", path, None)).status_code == 401


async def test_reporting_anothers_artifact_changes_nothing(service, offers):
    """The build and project of the report must be the artifact's own; an id that was never planned is ignored."""
    mine, other = offers(CONTENT), offers(CONTENT, name="last")
    (await service.offer(mine)).raise_for_status()
    foreign = service.uploaded(mine, project="q")
    unknown = service.uploaded(offers(b"never planned"))

    await service.publish(foreign, unknown)
    await service.until(await service.upload(other, CONTENT), "verified")

    assert (await service.call("GET", f"/api/artifacts/{mine.artifact_id('ci-1')}")).json()["state"] == "uploading"


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "C:\\x.exe", 'a";\r\nSet-Cookie: b=c; filename="x.html', "größer 💥.whl", "\u202egpj.exe"],
)
async def test_a_name_is_data_and_never_a_path(service, offers, tmp_path, name):
    """Any name is listed as it was given, kept under an id, and suggested without path or control characters."""
    offer = offers(CONTENT, name=name)
    artifact_id = await service.upload(offer, CONTENT)
    await service.until(artifact_id, "verified")

    listed = (await service.call("GET", f"/api/builds/{offer.build_id}/artifacts")).json()["items"]
    link = (await service.call("GET", f"/api/artifacts/{artifact_id}/link")).json()["url"]
    disposition = (await service.call("GET", link, None)).headers["content-disposition"]

    assert [name] == [item["name"] for item in listed]
    assert [artifact_id] == [path.name for path in (tmp_path / "bytes").rglob("*") if path.is_file()]
    assert disposition.isascii()
    assert not set("/\\\r\n") & set(disposition)
    assert (disposition.count('"'), disposition.count(";")) == (2, 2)


async def test_an_offer_that_cannot_be_is_unprocessable(service, offers):
    """Parts that do not cover the file, and a large file without parts, are refused with the reason."""
    offer = offers(LARGE, part=PART).model_dump(mode="json", by_alias=True, exclude_none=True)
    wrong: dict[str, Any]
    for wrong in ({"partSha256": []}, {"partSizeBytes": 1}, {"name": ""}, {"sha256": "x"}):
        answer = await service.call(
            "POST", "/api/artifacts", json={**offer, **wrong}, caller=Principal("d", "admin", None)
        )
        assert answer.status_code == 422, wrong


async def test_a_restarted_service_verifies_what_it_missed(tmp_path, run_service, offers):
    """An upload reported while no service ran: the queue keeps it, the next start verifies it."""
    bus_url = f"sqlite:///{tmp_path}/bus.sqlite"
    offer = offers(CONTENT)
    async with run_service(bus_url, tmp_path) as service:
        put = (await service.offer(offer)).json()["puts"][0]
        (await service.put(put, CONTENT)).raise_for_status()
        bus_message = service.uploaded(offer)
    async with run_service(bus_url, tmp_path) as service:
        await service.publish(bus_message)
        await service.until(offer.artifact_id("ci-1"), "verified")
