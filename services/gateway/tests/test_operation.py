"""What waits for a person, of all services, as an admin sees and ends it."""

import asyncio
import json
from typing import Any

import pytest
from build_chassis.notices import Notice, NoticeList
from build_chassis.retention_guard import RetentionGuard
from build_chassis.server_clock import ServerClock
from build_chassis.service_client import Answer
from build_dashboard.cli import rebuild_commands
from build_dashboard.cli.commands import app
from build_gateway.restored import hold_back
from build_protocol.clock import HOUR_MS, now_ms
from build_testkit.gateway import PASSWORD, Gateway
from typer.testing import CliRunner

from .test_parking import park

HELD = Notice(kind="retention", service="history", text="retention of history is stopped", remedy="set the clock")


def parts_of(gateway: Gateway) -> Any:
    return gateway.app.state.dependencies


class Peer:
    """A service that answers as it is set."""

    def __init__(self, status: int, body: bytes = b"") -> None:
        self.answer = Answer(status, {}, body)
        self.asked: list[tuple[str, str, bytes]] = []

    async def call(self, method: str, path: str, principal: Any, *, body: bytes = b"", **sent: Any) -> Answer:
        self.asked.append((method, path, body))
        return self.answer


def let_leap(gateway: Gateway, span_ms: int) -> None:
    """The wall clock of this gateway is off by so much from now on; its guard looks at it."""
    guard: RetentionGuard = parts_of(gateway).guard
    clock = parts_of(gateway).clock
    assert isinstance(clock, ServerClock)
    clock.wall = lambda: now_ms() + span_ms
    assert guard.reason is None


def as_peers(gateway: Gateway, **peers: Peer) -> None:
    parts_of(gateway).peers.clear()
    parts_of(gateway).peers.update(peers)


async def notices(gateway: Gateway) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await gateway.as_admin("GET", "/api/operation/notices")).json()["items"]
    return items


async def test_what_waits_for_a_person_is_listed_with_what_to_do(gateway: Gateway) -> None:
    """Of each service its own; of the bus what is parked; of a restore what is on hold; nothing while all is well."""
    as_peers(gateway, history=Peer(200, NoticeList(items=[]).to_json().encode()), artifacts=Peer(404))
    assert [] == await notices(gateway)

    as_peers(gateway, history=Peer(200, NoticeList(items=[HELD]).to_json().encode()), ingest=Peer(500))
    await park(gateway, "one", "two")
    store = parts_of(gateway).store
    await hold_back(store, confirmed=False)
    await store.change_user("admin", lambda user: user.model_copy(update={"on_hold": False}))
    await gateway.as_admin("POST", "/api/users", {"name": "dee", "role": "viewer", "password": PASSWORD})
    let_leap(gateway, 2 * HOUR_MS)
    await parts_of(gateway).guard.look()

    shown = await notices(gateway)
    assert ["retention", "parked", "on_hold", "retention", "silent"] == [notice["kind"] for notice in shown]
    assert ["gateway", "bus", "gateway", "history", "ingest"] == [notice["service"] for notice in shown]
    assert [
        "2 messages are set aside",
        "on hold since a restore: 0 people, 1 keys",
        HELD.text,
        "service ingest does not answer",
    ] == [notice["text"] for notice in shown[1:]]
    assert all(notice["remedy"] for notice in shown)


async def test_notices_are_for_admins(gateway: Gateway) -> None:
    """A viewer is refused both."""
    person = {"name": "dee", "role": "viewer", "password": PASSWORD}
    await gateway.as_admin("POST", "/api/users", person)
    headers = {"Authorization": f"Bearer {await gateway.login('dee')}"}
    async with gateway.http as client:
        assert 403 == (await client.get("/api/operation/notices", headers=headers)).status_code
        adopt = "/api/operation/clock/adopt"
        assert 403 == (await client.post(adopt, headers=headers, json={"nowAt": 1})).status_code


async def test_an_admin_adopts_the_clock_of_all_services(gateway: Gateway) -> None:
    """Those that refuse or are away are named with what to do; the audit trail says who agreed to what."""
    refusal = b'{"title":"c","status":409,"code":"conflict","detail":"the clock is at 5","remedy":"Set it."}'
    peers = {"history": Peer(204), "ingest": Peer(409, refusal), "artifacts": Peer(502, b"<html>")}
    as_peers(gateway, **peers)
    let_leap(gateway, 2 * HOUR_MS)
    await parts_of(gateway).guard.look()
    now_at = now_ms() + 2 * HOUR_MS

    answer = await gateway.as_admin("POST", "/api/operation/clock/adopt", {"nowAt": now_at})

    assert 200 == answer.status_code
    items = {item["service"]: item for item in answer.json()["items"]}
    assert {"gateway": True, "history": True, "ingest": False, "artifacts": False} == {
        name: item["isAdopted"] for name, item in items.items()
    }
    assert ("the clock is at 5", "Set it.") == (items["ingest"]["detail"], items["ingest"]["remedy"])
    assert f'{{"nowAt":{now_at}}}'.encode() == peers["history"].asked[0][2]
    assert parts_of(gateway).guard.reason is None
    (entry,) = [
        entry
        for entry in (await gateway.as_admin("GET", "/api/audit")).json()["items"]
        if entry["action"] == "adopt clock"
    ]
    assert ("gateway, history", f"at {now_at}") == (entry["subject"], entry["detail"])


async def test_a_clock_that_shows_another_time_is_refused(gateway: Gateway) -> None:
    """The gateway's own, too."""
    as_peers(gateway)
    let_leap(gateway, 2 * HOUR_MS)
    await parts_of(gateway).guard.look()
    answer = await gateway.as_admin("POST", "/api/operation/clock/adopt", {"nowAt": now_ms()})
    (item,) = answer.json()["items"]
    assert not item["isAdopted"]
    assert "yours at" in item["detail"]
    assert ["retention"] == [notice["kind"] for notice in await notices(gateway)]


async def _command(gateway: Gateway, *arguments: str, typed: str = "") -> tuple[int, str]:
    environment = {"BUILD_DASHBOARD_URL": gateway.url, "BUILD_DASHBOARD_ADMIN_PASSWORD": PASSWORD}
    runner = CliRunner(env=environment)
    result = await asyncio.to_thread(runner.invoke, app, arguments, input=typed)
    return result.exit_code, result.output


async def test_the_command_line_shows_and_adopts(gateway: Gateway) -> None:
    """`clock show` names the doubt; `clock adopt` asks first, and ends with 1 while a service shows another time."""
    as_peers(gateway)
    assert (0, "the clocks of all services are in no doubt, and retention runs\n") == await _command(
        gateway, "clock", "show"
    )
    let_leap(gateway, -2 * HOUR_MS)
    await parts_of(gateway).guard.look()
    _, output = await _command(gateway, "clock", "show")
    assert "retention of gateway is stopped: the clock is" in output
    assert "behind the time since boot" in output

    assert 1 == (await _command(gateway, "clock", "adopt", typed="n\n"))[0]
    code, output = await _command(gateway, "clock", "adopt", typed="y\n")
    assert (1, True) == (code, "gateway: the clock of gateway is at" in output)
    parts_of(gateway).clock.wall = now_ms
    assert (0, "gateway: goes on\n") == await _command(gateway, "clock", "adopt", "--yes")


class History:
    """History, as far as rebuilding goes: two looks until it is done, incidents in two pages."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def call(self, method: str, path: str, principal: Any, **sent: Any) -> Answer:
        self.asked.append((method, path))
        if path == "/internal/rebuild":
            looks = sum(asked == ("GET", path) for asked in self.asked)
            state = "done" if looks > 1 else "running"
            return Answer(200, {}, f'{{"state":"{state}","total":7,"done":{min(7, 4 * looks)}}}'.encode())
        if path.endswith("?cursor=abc"):
            return Answer(200, {}, b'{"count":3}')
        return Answer(200, {}, b'{"count":200,"cursor":"abc"}')


async def test_the_command_line_rebuilds(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """`rebuild history` waits until it is done; `rebuild notifier` goes on to the last page; both are audited."""
    monkeypatch.setattr(rebuild_commands, "LOOK_SECONDS", 0.01)
    history: Any = History()
    as_peers(gateway, history=history)
    code, output = await _command(gateway, "rebuild", "history")
    assert (0, "rebuilt history from 7 builds") == (code, output.splitlines()[-1])
    assert (0, "published 203 incidents again\n") == await _command(gateway, "rebuild", "notifier")
    actions = [entry["subject"] for entry in (await gateway.as_admin("GET", "/api/audit")).json()["items"]]
    assert {"history", "notifier"} <= set(actions)


async def test_what_cannot_be_rebuilt_says_why(gateway: Gateway) -> None:
    """History's own refusal; or that there is none."""
    refusal = b'{"title":"c","status":409,"code":"conflict","detail":"being rebuilt already","remedy":"Wait."}'
    as_peers(gateway, history=Peer(409, refusal))
    code, output = await _command(gateway, "rebuild", "history")
    assert (1, True) == (code, "being rebuilt already\nWait." in output)
    as_peers(gateway)
    assert "not part of this system" in (await _command(gateway, "rebuild", "notifier"))[1]


async def test_the_command_line_places_anew(gateway: Gateway) -> None:
    """It counts, asks, then moves; who did it stands in the audit trail; both directions, one of them."""
    ingest = Peer(200, b'{"placed":2,"left":1}')
    as_peers(gateway, ingest=ingest)
    span = ("--since", "2026-11-30T12:00:00", "--before", "2026-12-01T12:00:00")
    _, output = await _command(gateway, "clock", "place-anew", *span, "--ahead", "72h", typed="n\n")
    assert "2 builds were received by that clock, 1 others are left" in output
    assert 1 == len(ingest.asked)
    code, output = await _command(gateway, "clock", "place-anew", *span, "--behind", "2h", "--yes")
    assert (0, "placed 2 builds anew") == (code, output.splitlines()[-1])
    wanted = {"sinceAt": 1796040000000, "beforeAt": 1796126400000, "aheadMs": -2 * HOUR_MS, "isCheck": False}
    assert wanted == json.loads(ingest.asked[-1][2])
    entries = (await gateway.as_admin("GET", "/api/audit")).json()["items"]
    assert ["2 builds"] == [entry["detail"] for entry in entries if entry["action"] == "place builds anew"]
    for wrong in ((), ("--ahead", "3 days"), ("--ahead", "1h", "--behind", "1h")):
        assert 2 == (await _command(gateway, "clock", "place-anew", *span, *wrong))[0]
