"""The whole service: from published verdicts to mails at a real HTTP server and to REST answers."""

import json
import time
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import pytest
from build_chassis.auth import Principal, mint_internal
from build_chassis.bus import Outgoing, open_bus
from build_chassis.service_client import ServiceUnavailable
from build_notifier.app import create_app
from build_notifier.settings import Settings
from build_protocol.topology import branch_routing_key, routing_key
from build_testkit.sendgrid import KEY
from build_testkit.signing import SECRET

pytestmark = pytest.mark.slow

ANN = Principal("ann", "developer", None)
CONFIGS = [f"config-{n:02}" for n in range(60)]
LOG = [f"line {n}" for n in range(1, 201)]
LOG[119] = "\x1b[31ma.cpp:7:1: error: s\x1b[0m"

CONFIG = """
projects:
  p:
    notification_emails: [team@example.com]
    notify: [broken, fixed, new_signature, agent_missing]
    configs:
      config-07: {owner: seven@example.com}
      quiet: {state: silent}
"""


class Ingest:
    """The ingest service as notifier asks it: the log of any build, of which it knows nothing else."""

    def __init__(self):
        self.is_up = True
        self.asked = []

    async def get_json(self, path, principal):
        is_log = "/logs?" in path
        if is_log:
            self.asked.append((path, principal))
        if not self.is_up:
            raise ServiceUnavailable("ingest", "down")
        if not is_log:
            return {}
        query = dict(part.split("=") for part in path.partition("?")[2].split("&"))
        first, count = int(query["first"]), int(query["count"])
        return {"first": first, "lines": LOG[first - 1 : first - 1 + count], "total": len(LOG), "asOfSeq": 1}

    async def close(self):
        pass


class Service:
    """A running notifier, its bus, and people who ask it."""

    def __init__(self, app, bus, bus_url, ingest):
        self.app, self.bus, self.bus_url, self.ingest = app, bus, bus_url, ingest

    async def publish(self, *messages):
        await self.bus.publish([outgoing(message) for message in messages])

    async def ask(self, method, path, caller=ANN, **how):
        token = mint_internal(caller, "notifier", SECRET)
        headers = {"Authorization": f"Bearer {token}", **how.pop("headers", {})}
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://notifier") as client:
            return await client.request(method, f"/api/notifications{path}", headers=headers, **how)

    async def rows(self, caller=ANN, **query):
        response = await self.ask("GET", "", caller, params=query)
        assert response.status_code == 200, response.text
        return response.json()["items"]

    async def settled(self, eventually, count, state="accepted"):
        """Wait until so many notifications stand so; they, newest first."""

        async def look():
            rows = await self.rows(state=state, limit=200)
            return rows if len(rows) >= count else None

        return await eventually(look)

    async def idle(self, eventually, verdicts):
        """Wait until so many verdicts were read and nothing waits to be decided or sent."""

        async def look():
            parts, far = self.app.state.dependencies, 2**52
            read = parts.metrics.verdicts._value.get()
            due = await parts.store.due_branches(far, 1) or await parts.store.due_notifications(far, 1)
            return read >= verdicts and not due

        await eventually(look)


def outgoing(message):
    """The message as its service publishes it."""
    if message.type == "INCIDENT_CHANGED":
        key = branch_routing_key(message.type, message.project, message.data.branch)
    else:
        key = routing_key(message.type, message.build_id, message.project)
    return Outgoing(key, message.to_json().encode())


@asynccontextmanager
async def running(bus_url, tmp_path, **fields):
    (tmp_path / "config.yaml").write_text(CONFIG)
    facts = {
        "config_path": str(tmp_path / "config.yaml"),
        "store_url": f"sqlite:///{tmp_path}/notifier.sqlite",
        "jwt_secret_key": SECRET,
        "quiet_seconds": 0.3,
        "poll_seconds": 0.05,
        "keep_days": 36500,  # these builds are of 2023
        "dashboard_url": "https://builds.example.com/",
    }
    settings = Settings(_env_file=None, **{**facts, **fields})
    bus = open_bus(bus_url)
    await bus.open()
    ingest = cast("Any", Ingest())
    app = create_app(settings, bus, peers={"ingest": ingest})
    async with app.router.lifespan_context(app):
        yield Service(app, bus, bus_url, ingest)
    await bus.close()


@pytest.fixture
def start(bus_url, tmp_path):
    """Starts the service on the bus; the same rows at every start."""
    return lambda **fields: running(bus_url, tmp_path, **fields)


@pytest.fixture
def now(builds, broken):
    """Makes an incident that happens now, suspecting these commits: an older one would be summed up."""

    def make(*which, commits=None, **how):
        suspects = None if commits is None else builds.commits(*commits)
        return broken(*which, at=int(time.time() * 1000), commits=suspects, **how)

    return make


@pytest.fixture
def mailing(sendgrid):
    """Settings that mail through the fake SendGrid."""
    return {
        "sendgrid_api_key": KEY,
        "sendgrid_host": sendgrid.url,
        "sendgrid_webhook_key": sendgrid.public_key,
        "notification_email": "builds@example.com",
    }


async def test_sixty_configs_broken_and_fixed_are_one_mail_each(start, mailing, now, sendgrid, eventually):
    """One commit breaks sixty configs, the next fixes them, everything is delivered twice: two mails, one thread."""
    async with start(**mailing, quiet_seconds=1) as service:
        incident = now(2, commits=(2, 1), configs=CONFIGS[:1])
        red = [incident.message(), *(incident.joined(config).message() for config in CONFIGS[1:])]
        await service.publish(*red)
        await service.settled(eventually, 2)
        fixed = incident.fixed(3).message()
        await service.publish(*red, fixed)
        await service.settled(eventually, 4)
        await service.publish(*red, fixed)
        await service.idle(eventually, 182)
        rows = await service.rows()

    team = [mail for mail in sendgrid.mails if mail["personalizations"][0]["to"][0]["email"] == "team@example.com"]
    broken, repaired = team
    assert broken["subject"] == "[p] main is broken on config-00 and 59 more configs: error s"
    assert repaired["subject"] == "[p] main is fixed on config-00 and 59 more configs"
    assert broken["headers"]["Message-ID"] == repaired["headers"]["In-Reply-To"] == repaired["headers"]["References"]
    assert (len(sendgrid.mails), len(rows)) == (4, 4)  # the team, and the owner of config-07
    text, html = (part["value"] for part in broken["content"])
    link = f"https://builds.example.com/builds/{red[0].build_id}#L120"
    for words in (link, "a.cpp:7:1: error: s", "2 commits since the last good build, by Author 2, Author 1", "30 min"):
        assert words in text
        assert words in html
    assert "line 116" in text
    assert "line 115\n" not in text
    assert "line 125" in text
    assert "\x1b" not in text


async def test_a_service_that_was_away_sends_the_same(start, mailing, now, sendgrid, eventually):
    """What was published while it is stopped is sent when it is back, once."""
    incident = now()
    async with start(**mailing) as service:
        await service.publish(now(1, "other", news=False).message())
        await service.idle(eventually, 1)
    bus = open_bus(service.bus_url)
    await bus.open()
    await bus.publish([outgoing(message) for message in (incident.message(), incident.joined("asan").message())])
    await bus.close()

    async with start(**mailing) as service:
        await service.settled(eventually, 1)
        await service.publish(incident.fixed(5).message())
        await service.settled(eventually, 2)

    assert ["broken", "fixed"] == [subject.split(" ")[3] for subject in sendgrid.subjects()]


async def test_a_missing_agent_and_its_return_are_news(start, mailing, builds, sendgrid, eventually):
    """A lost build proves nothing about the branch: its agent is missing once, and back with the next verdict."""
    async with start(**mailing) as service:
        await service.publish(builds.verdict(2, "failed", "s"), builds.verdict(3, "lost"))
        await service.settled(eventually, 1)
        await service.publish(builds.verdict(4, "failed", "s"))
        await service.settled(eventually, 2)
        await service.idle(eventually, 3)
        rows = await service.rows()

    assert ["missing", "returned"] == sorted(row["transition"] for row in rows)


async def test_a_silent_config_is_never_news(tmp_path, builds, eventually):
    """`state: silent` in config.yaml: neither sent nor recorded."""
    async with running(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path) as service:
        await service.publish(builds.verdict(1, config="quiet"), builds.verdict(2, "lost", config="quiet"))
        await service.idle(eventually, 2)

        assert await service.rows() == []


async def test_changed_rules_hold_without_a_restart(tmp_path, now, eventually):
    """Another address in config.yaml is notified of the next incident; a broken file leaves the rules as they were."""
    async with running(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path) as service:
        first, second = now(2, "first"), now(4, "second")
        await service.publish(first.message())
        await service.settled(eventually, 1, state="suppressed")
        (tmp_path / "config.yaml").write_text(CONFIG.replace("team@", "others@"))
        await service.publish(first.fixed(3).message(), second.message())
        rows = await service.settled(eventually, 3, state="suppressed")
        (tmp_path / "config.yaml").write_text("projects: {p: {notification_emails: 7}}")
        await service.publish(second.fixed(5).message(), now(6, "third").message())
        rows = await service.settled(eventually, 5, state="suppressed")

    decided = sorted((row["createdAt"], row["transition"], row["recipient"]) for row in rows)
    assert ["team@example.com", *["others@example.com"] * 4] == [recipient for _, _, recipient in decided]
    assert sorted(["opened"] * 3 + ["fixed"] * 2) == sorted(transition for _, transition, _ in decided)


async def test_without_a_channel_everything_is_recorded_as_suppressed(tmp_path, now, eventually):
    """No key, no SMTP: the service runs, and shows what it would have sent."""
    async with running(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path) as service:
        await service.publish(now().message())
        (row,) = await service.settled(eventually, 1, state="suppressed")
        detail = (await service.ask("GET", f"/{row['id']}")).json()

    assert row["reason"].startswith("no channel configured")
    assert row["subject"].startswith("[p] main is broken on release")
    assert "a.cpp:7:1: error: s" in detail["text"]


async def test_a_log_that_cannot_be_read_is_waited_for(tmp_path, now, eventually, monkeypatch):
    """Ingest is down: nothing is decided; it is back: the mail has its extract."""
    monkeypatch.setattr("build_notifier.planning.planner.RETRY_MS", 100)
    async with running(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, quiet_seconds=0) as service:
        service.ingest.is_up = False
        await service.publish(now().message())

        async def asked():
            return service.ingest.asked

        await eventually(asked)
        assert await service.rows() == []
        service.ingest.is_up = True
        (row,) = await service.settled(eventually, 1, state="suppressed")
        text = (await service.ask("GET", f"/{row['id']}")).json()["text"]

    assert "a.cpp:7:1: error: s" in text
    assert service.ingest.asked[0][1].projects == frozenset({"p"})


async def test_a_mute_is_kept_until_it_ends(tmp_path, now, eventually):
    """While muted the decision is recorded as suppressed, with who muted it; nobody is mailed."""
    async with running(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path) as service:
        wanted = {"project": "p", "branch": "main", "untilAt": 2**52, "reason": "known"}
        made = await service.ask("POST", "/mutes", json=wanted)
        assert made.status_code == 201, made.text
        await service.publish(now().message())
        (row,) = await service.settled(eventually, 1, state="suppressed")

    assert row["reason"] == "muted by ann: known"


async def test_mutes_are_made_changed_and_ended_by_developers(tmp_path):
    """Each verb does its part; a viewer may look, a stranger sees nothing."""
    viewer = Principal("vic", "viewer", None)
    stranger = Principal("eve", "developer", frozenset({"q"}))
    async with running(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path) as service:
        wanted = {"project": "p", "untilAt": 2**52}
        made = (await service.ask("POST", "/mutes", json=wanted)).json()
        path = f"/mutes/{made['id']}"

        refusals = [
            (await service.ask("POST", "/mutes", viewer, json=wanted)).status_code,
            (await service.ask("POST", "/mutes", stranger, json=wanted)).status_code,
            (await service.ask("POST", "/mutes", json={**wanted, "untilAt": 1})).status_code,
            (await service.ask("PUT", path, stranger, json={**wanted, "project": "q"})).status_code,
            (await service.ask("DELETE", path, viewer)).status_code,
        ]
        assert refusals == [403, 404, 422, 404, 403]
        changed = await service.ask("PUT", path, json={**wanted, "config": "asan"})
        assert changed.json()["config"] == "asan"
        assert [[made["id"]], []] == [
            [mute["id"] for mute in (await service.ask("GET", "/mutes", who)).json()["items"]]
            for who in (viewer, stranger)
        ]
        assert [204, 404] == [(await service.ask("DELETE", path)).status_code for _ in range(2)]


async def test_a_project_outside_the_callers_scope_does_not_exist(tmp_path, claim):
    """A caller of another project learns nothing of this one, however they ask."""
    stranger = Principal("eve", "developer", frozenset({"q"}))
    async with running(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path) as service:
        await service.app.state.dependencies.store.claim([claim(1, state="accepted", due_at=None)])

        assert len(await service.rows()) == 1
        assert await service.rows(stranger) == []
        assert await service.rows(stranger, project="p") == []
        assert (await service.ask("GET", f"/{claim(1).id}", stranger)).status_code == 404
        assert (await service.ask("GET", f"/{claim(1).id}")).status_code == 200


async def test_the_list_is_walked_by_its_cursor(tmp_path, claim):
    """Pages of two, to the end: every row once; a forged cursor is refused."""
    async with running(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path) as service:
        await service.app.state.dependencies.store.claim([claim(n, state="accepted", due_at=None) for n in range(5)])
        seen, query = [], {"limit": 2}
        while True:
            page = (await service.ask("GET", "", params=query)).json()
            seen += [row["id"] for row in page["items"]]
            if "nextCursor" not in page:
                break
            query["cursor"] = page["nextCursor"]

        assert [claim(n).id for n in range(4, -1, -1)] == seen
        assert (await service.ask("GET", "", params={"cursor": "!"})).status_code == 422


async def test_sendgrids_signed_events_settle_what_was_unknown(tmp_path, now, sendgrid, mailing, eventually):
    """A slow answer leaves `unknown`; an event proves it was taken, a later one that it arrived, a replay nothing."""
    async with running(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, **mailing) as service:
        sendgrid.answers = [500]
        await service.publish(now().message())
        (row,) = await service.settled(eventually, 1, state="unknown")
        event = {"notification_id": row["id"], "event": "processed", "sg_event_id": "e1", "sg_message_id": "m1"}
        states = []
        for posted in (event, event, {**event, "event": "delivered", "sg_event_id": "e2"}, event):
            body, headers = sendgrid.signed(posted)
            response = await service.ask("POST", "/webhooks/sendgrid", content=body, headers=headers)
            assert response.status_code == 200, response.text
            detail = (await service.ask("GET", f"/{row['id']}")).json()
            states.append((detail["state"], len(detail["log"])))

    assert states == [("accepted", 3), ("accepted", 3), ("delivered", 4), ("delivered", 4)]


async def test_a_bounce_is_a_failure_with_its_reason(tmp_path, sendgrid, mailing, claim):
    """Was the mail ever received? The log shows no, and why."""
    async with running(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, **mailing) as service:
        await service.app.state.dependencies.store.claim([claim(1, state="accepted", due_at=None)])
        event = {"notification_id": claim(1).id, "event": "bounce", "sg_event_id": "e", "reason": "550 no such user"}
        body, headers = sendgrid.signed(event, {"event": "open"}, {"notification_id": "f" * 64, "event": "bounce"})
        response = await service.ask("POST", "/webhooks/sendgrid", content=body, headers=headers)
        detail = (await service.ask("GET", f"/{claim(1).id}")).json()

    assert response.json() == {"events": 2}
    assert (detail["state"], detail["reason"]) == ("failed", "550 no such user")


async def test_forged_events_change_nothing(tmp_path, sendgrid, mailing, claim):
    """Another body, no signature, no timestamp: 401; a body of no events: 422; no key set: 404."""
    async with running(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path, **mailing) as service:
        await service.app.state.dependencies.store.claim([claim(1, state="unknown", due_at=None)])
        body, headers = sendgrid.signed({"notification_id": claim(1).id, "event": "delivered", "sg_event_id": "e"})
        forged = [
            (body.replace(b"delivered", b"processed"), headers),
            (body, {}),
            (body, {**headers, "X-Twilio-Email-Event-Webhook-Timestamp": "1"}),
            (body, {**headers, "X-Twilio-Email-Event-Webhook-Signature": "AAAA"}),
        ]
        codes = [
            (await service.ask("POST", "/webhooks/sendgrid", content=content, headers=head)).status_code
            for content, head in forged
        ]
        detail = (await service.ask("GET", f"/{claim(1).id}")).json()
        huge = await service.ask("POST", "/webhooks/sendgrid", content=b" " * (2 * 1024 * 1024))

    assert codes == [401] * 4
    assert detail["state"] == "unknown"
    assert huge.status_code == 413
    async with running(f"sqlite:///{tmp_path}/bus2.sqlite", tmp_path) as service:
        assert (await service.ask("POST", "/webhooks/sendgrid", content=b"[]")).status_code == 404


async def test_a_poisoned_message_stops_no_other(bus_url, tmp_path, builds, now, eventually):
    """What can never be read is parked; the messages beside it are acted on."""
    async with running(bus_url, tmp_path) as service:
        key = routing_key("BUILD_VERDICT", builds.id(1), "p")
        await service.bus.publish([Outgoing(key, json.dumps({"type": "BUILD_VERDICT"}).encode())])
        await service.publish(now().message())

        assert len(await service.settled(eventually, 1, state="suppressed")) == 1
