"""Commands: stored first, sent to whom they are for, resent until acked, at most one effect."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from build_gateway.commands import EXPIRES_SECONDS, Commands, ended
from build_gateway.store import open_store
from build_gateway.store.rows import CommandKind, CommandRow, CommandState
from build_protocol.frames import CommandAck, CommandStored
from build_protocol.ids import short_id
from build_testkit.gateway import BUILD, OTHER_BUILD, Gateway, hello, receive, record, say

QUEUED: tuple[CommandState, ...] = ("queued",)

GEESE = "four geese on a bicycle"


async def order(gateway: Gateway, **body: Any) -> dict[str, Any]:
    answer = await gateway.as_admin("POST", "/api/commands", body)
    assert answer.status_code == 202, answer.text
    command: dict[str, Any] = answer.json()
    return command


async def limited_developer(gateway: Gateway) -> str:
    """The token of somebody who sees one project only."""
    who = {"name": "ann", "password": GEESE, "role": "developer", "projects": ["llvm-mlir"]}
    await gateway.as_admin("POST", "/api/users", who)
    return await gateway.login("ann", GEESE)


async def state_of(gateway: Gateway, command_id: str) -> str:
    return str((await gateway.as_admin("GET", f"/api/commands/{command_id}")).json()["state"])


async def test_a_cancel_reaches_the_process_that_runs_the_build(
    start_gateway: Callable[[], Awaitable[Gateway]],
) -> None:
    """Ordered at one gateway, sent by the other to the one process that runs the build, and its ack is shown."""
    here, there = await start_gateway(), await start_gateway()
    here.ingest.builds[BUILD] = {"stored": 1, "agent": "default", "project": "torch-mlir", "status": "running"}
    async with there.agent() as builder, there.agent() as idler:
        await hello(builder, "i1")
        await hello(idler, "i2")
        await say(builder, type="RECORDS", records=[record(2)])
        await receive(builder, "ACK", confirmed=2)

        ordered = await order(here, kind="cancel", buildId=BUILD)
        command = await receive(builder, "COMMAND")
        assert (command["commandId"], command["kind"], command["buildId"]) == (ordered["id"], "cancel", BUILD)
        assert await state_of(here, ordered["id"]) == "sent"

        await say(builder, type="COMMAND_ACK", commandId=ordered["id"], state="accepted")
        await say(builder, type="COMMAND_ACK", commandId=ordered["id"], state="done", detail="stopped after 2 s")
        await say(builder, type="RECORDS", records=[record(3)])
        await receive(builder, "ACK", confirmed=3)
        assert await state_of(here, ordered["id"]) == "done"

        await say(idler, type="RECORDS", records=[record(1, "BUILD_START", OTHER_BUILD)])
        await receive(idler, "ACK", buildId=OTHER_BUILD)
    listed = (await here.as_admin("GET", f"/api/commands?buildId={BUILD}")).json()["items"]
    assert [("done", "stopped after 2 s")] == [(each["state"], each["detail"]) for each in listed]


async def test_an_unacked_command_is_sent_again_at_reconnect(gateway: Gateway) -> None:
    """Until its ack is received a command is repeated with the same id; after it never."""
    gateway.ingest.builds[BUILD] = {"stored": 0, "agent": "default", "project": "torch-mlir"}
    ordered = await order(gateway, kind="cancel", buildId=BUILD)
    held = [{"buildId": BUILD, "project": "torch-mlir", "firstUnacked": 1, "lastSpooled": 1}]
    for _ in range(2):
        async with gateway.agent() as socket:
            await hello(socket, builds=held)
            assert (await receive(socket, "COMMAND"))["commandId"] == ordered["id"]
    async with gateway.agent() as socket:
        await hello(socket, builds=held)
        await receive(socket, "COMMAND")
        await say(socket, type="COMMAND_ACK", commandId=ordered["id"], state="accepted")
        await say(socket, type="RECORDS", records=[record(1, "BUILD_START")])
        await receive(socket, "ACK", confirmed=1)

    assert await state_of(gateway, ordered["id"]) == "accepted"
    assert await gateway.app.state.dependencies.store.list_waiting("default") == []


async def test_a_trigger_is_done_by_one_process(gateway: Gateway) -> None:
    """Of two processes that build the project one gets it, also after the other reconnects."""
    async with gateway.agent() as first, gateway.agent() as second:
        await hello(first, "i1", serves=["torch-mlir"])
        await hello(second, "i2", serves=["torch-mlir"])
        await gateway.app.state.dependencies.roster.write_changes()
        ordered = await order(gateway, kind="trigger", project="torch-mlir", args={"ref": "main"})
        parts = gateway.app.state.dependencies
        row = None
        while row is None or row.session is None:
            row = await parts.store.find_command(ordered["id"])
        chosen, other = (first, second) if row.session == "i1" else (second, first)
        assert (await receive(chosen, "COMMAND"))["args"] == {"ref": "main"}
        await say(other, type="RECORDS", records=[record(1, "BUILD_START", OTHER_BUILD)])
        frame = await receive(other, "ACK")
        assert frame["confirmed"] in (0, 1)
        async with gateway.agent() as again:
            await hello(again, "i3", serves=["torch-mlir"])
            await say(again, type="RECORDS", records=[record(1, "BUILD_START")])
            assert (await receive(again, "ACK"))["type"] == "ACK"
        assert (await parts.store.find_command(ordered["id"])).session == row.session


async def test_only_the_addressed_agent_acks(gateway: Gateway) -> None:
    """Another agent's ack of a command changes nothing."""
    gateway.ingest.builds[BUILD] = {"stored": 0, "agent": "default", "project": "torch-mlir"}
    ordered = await order(gateway, kind="cancel", buildId=BUILD)
    stranger = (await gateway.as_admin("POST", "/api/keys", {"name": "stranger"})).json()["value"]
    async with gateway.agent(stranger) as socket:
        await hello(socket)
        await say(socket, type="COMMAND_ACK", commandId=ordered["id"], state="done")
        await say(socket, type="COMMAND_ACK", commandId="unknown", state="done")
        await say(socket, type="RECORDS", records=[record(1, "BUILD_START", OTHER_BUILD)])
        await receive(socket, "ACK", confirmed=1)

    assert await state_of(gateway, ordered["id"]) == "queued"


async def test_a_command_expires(tmp_path_factory: Any) -> None:
    """An order nobody took in time is never carried out."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('store')}/gateway.sqlite")
    await store.open()

    async def announce(event: CommandStored) -> None:
        return

    commands = Commands(store, announce)
    row = await commands.order("trigger", agent="ci", requested_by="ann", project="torch-mlir")
    await store.move_command(row.model_copy(update={"expires_at": 1}), QUEUED)

    class Session:
        """Accepts no command."""

        def __init__(self) -> None:
            self.row = _agent()

        def has_build(self, build_id: str) -> bool:
            return True

        def send_command(self, command: object) -> None:
            raise AssertionError("an expired command was sent")

    await commands.deliver(Session())
    expired = await store.find_command(row.id)
    await store.close()
    assert expired is not None
    assert (expired.state, expired.detail) == ("expired", "agent ci was not there to take it in time")


async def test_an_order_for_nobody_is_refused_with_what_to_do(gateway: Gateway) -> None:
    """A build that is not there or not visible is 404, a project nobody builds 409, ingest away 503."""
    token = await limited_developer(gateway)
    gateway.ingest.builds[BUILD] = {"stored": 0, "agent": "default", "project": "torch-mlir"}

    async def status(body: dict[str, Any]) -> int:
        async with gateway.http as client:
            headers = {"Authorization": f"Bearer {token}"}
            return (await client.post("/api/commands", json=body, headers=headers)).status_code

    assert await status({"kind": "cancel", "buildId": BUILD}) == 404
    assert await status({"kind": "cancel", "buildId": OTHER_BUILD}) == 404
    assert await status({"kind": "cancel"}) == 422
    assert await status({"kind": "trigger", "project": "torch-mlir"}) == 404
    assert await status({"kind": "trigger", "project": "llvm-mlir"}) == 409
    assert await status({"kind": "explode"}) == 422
    gateway.ingest.is_away = True
    assert await status({"kind": "cancel", "buildId": BUILD}) == 503


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "timed_out"])
async def test_a_finished_build_is_not_cancelled(gateway: Gateway, status: str) -> None:
    """The refusal names how it ended; nothing is stored, sent or written into the audit trail."""
    known = {"stored": 9, "agent": "default", "project": "torch-mlir", "status": status, "complete": True}
    gateway.ingest.builds[BUILD] = known

    refused = await gateway.as_admin("POST", "/api/commands", {"kind": "cancel", "buildId": BUILD})

    ended = status.replace("_", " ")
    assert refused.status_code == 409
    assert refused.json()["detail"] == f"build {short_id(BUILD)} is already {ended}: nothing to cancel"
    assert (await gateway.as_admin("GET", f"/api/commands?buildId={BUILD}")).json()["items"] == []
    assert "cancel" not in [entry.action for entry in await gateway.app.state.dependencies.store.list_audit()]


async def test_a_trigger_of_no_branch_is_refused_at_once(gateway: Gateway) -> None:
    """By git's rule, before anybody is asked whether an agent builds the project."""
    answers = [
        await gateway.as_admin("POST", "/api/commands", {"kind": "trigger", "project": "p", "args": {"branch": branch}})
        for branch in ("a..b", "feature/ünï#1")
    ]

    assert [answer.status_code for answer in answers] == [422, 409]
    assert "'a..b' is no name of a branch" in answers[0].json()["detail"]


@pytest.mark.parametrize("status", ["queued", "running", "lost"])
async def test_a_build_that_may_still_run_is_cancelled(gateway: Gateway, status: str) -> None:
    """`lost` only means that its agent is silent: the command waits for it."""
    gateway.ingest.builds[BUILD] = {"stored": 1, "agent": "default", "project": "torch-mlir", "status": status}

    assert (await order(gateway, kind="cancel", buildId=BUILD))["state"] == "queued"


async def test_the_end_of_anothers_build_stays_unknown(gateway: Gateway) -> None:
    """A caller who may not see the project learns neither that the build exists nor that it is over."""
    known = {"stored": 9, "agent": "default", "project": "torch-mlir", "status": "failed", "complete": True}
    gateway.ingest.builds[BUILD] = known
    token = await limited_developer(gateway)

    answers = []
    for build_id in (BUILD, OTHER_BUILD):
        async with gateway.http as client:
            body = {"kind": "cancel", "buildId": build_id}
            answer = await client.post("/api/commands", json=body, headers={"Authorization": f"Bearer {token}"})
        answers.append((answer.status_code, answer.json()["detail"].replace(build_id, "")))

    assert answers == [(404, "no build "), (404, "no build ")]


async def test_a_build_is_cancelled_once(gateway: Gateway) -> None:
    """A second request while a command waits or is executed returns that one; it is sent again, under its id."""
    gateway.ingest.builds[BUILD] = {"stored": 0, "agent": "default", "project": "torch-mlir", "status": "running"}
    ordered = await order(gateway, kind="cancel", buildId=BUILD)
    held = [{"buildId": BUILD, "project": "torch-mlir", "firstUnacked": 1, "lastSpooled": 1}]
    async with gateway.agent() as socket:
        await hello(socket, builds=held)
        await receive(socket, "COMMAND", commandId=ordered["id"])
        again = await order(gateway, kind="cancel", buildId=BUILD)
        await receive(socket, "COMMAND", commandId=ordered["id"])
        await say(socket, type="COMMAND_ACK", commandId=ordered["id"], state="accepted")
        await say(socket, type="RECORDS", records=[record(1, "BUILD_START")])
        await receive(socket, "ACK", confirmed=1)
        accepted = await order(gateway, kind="cancel", buildId=BUILD)

    assert (again["id"], again["state"]) == (ordered["id"], "sent")
    assert (accepted["id"], accepted["state"]) == (ordered["id"], "accepted")
    assert len((await gateway.as_admin("GET", f"/api/commands?buildId={BUILD}")).json()["items"]) == 1


@pytest.mark.parametrize("change", [{"state": "rejected"}, {"state": "expired"}, {"expires_at": 1}])
async def test_a_cancel_that_came_to_nothing_may_be_ordered_again(gateway: Gateway, change: dict[str, Any]) -> None:
    """Rejected, expired or out of time: the next order is another one."""
    gateway.ingest.builds[BUILD] = {"stored": 0, "agent": "default", "project": "torch-mlir", "status": "running"}
    ordered = await order(gateway, kind="cancel", buildId=BUILD)
    store = gateway.app.state.dependencies.store
    row = await store.find_command(ordered["id"])
    assert await store.move_command(row.model_copy(update=change), QUEUED)

    again = await order(gateway, kind="cancel", buildId=BUILD)

    assert (again["id"] != ordered["id"], again["state"]) == (True, "queued")


async def test_two_cancels_at_once_are_one_order(start_gateway: Callable[[], Awaitable[Gateway]]) -> None:
    """Also at two gateways: both callers get the same command."""
    here, there = await start_gateway(), await start_gateway()
    here.ingest.builds[BUILD] = {"stored": 0, "agent": "default", "project": "torch-mlir", "status": "running"}
    ordered = await asyncio.gather(*(order(at, kind="cancel", buildId=BUILD) for at in (here, there) * 4))

    assert len({row["id"] for row in ordered}) == 1
    assert len((await here.as_admin("GET", f"/api/commands?buildId={BUILD}")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("state", "status", "end"),
    [
        ("queued", "succeeded", ("rejected", "the build had already ended: succeeded")),
        ("sent", "timed_out", ("rejected", "the build had already ended: timed out")),
        ("sent", "cancelled", ("done", "the build ended: cancelled")),
        ("accepted", "cancelled", ("done", "the build ended: cancelled")),
        ("accepted", "failed", ("done", "the build ended: failed")),
    ],
)
async def test_a_cancel_ends_with_its_build(
    gateway: Gateway, state: CommandState, status: str, end: tuple[str, str]
) -> None:
    """Whoever ended it, and although no agent holds it any more."""
    gateway.ingest.builds[BUILD] = {"stored": 0, "agent": "default", "project": "torch-mlir", "status": "running"}
    ordered = await order(gateway, kind="cancel", buildId=BUILD)
    parts = gateway.app.state.dependencies
    row = await parts.store.find_command(ordered["id"])
    await parts.store.move_command(row.model_copy(update={"state": state}), QUEUED)
    await parts.commands.end_due(parts.ingest.stored)
    assert await state_of(gateway, ordered["id"]) == state  # it runs

    gateway.ingest.builds[BUILD] |= {"status": status, "complete": True}
    await parts.commands.end_due(parts.ingest.stored)
    shown = (await gateway.as_admin("GET", f"/api/commands/{ordered['id']}")).json()
    assert (shown["state"], shown["detail"]) == end


HOUR_MS, DAY_MS = 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("kind", "state", "after_ms", "detail"),
    [
        ("cancel", "queued", DAY_MS, "agent ci was not there to take it in time"),
        ("trigger", "queued", HOUR_MS, "agent ci was not there to take it in time"),
        ("drain", "sent", HOUR_MS, "agent ci did not answer in time"),
        ("resume", "sent", HOUR_MS, "agent ci did not answer in time"),
        ("cancel", "accepted", HOUR_MS, "agent ci took it and never reported its end"),
        ("trigger", "accepted", DAY_MS, "agent ci took it and never reported its end"),
    ],
)
def test_a_command_of_an_agent_that_never_comes_back_expires(
    kind: CommandKind, state: CommandState, after_ms: int, detail: str
) -> None:
    """By the server's clock alone, with the reason, and not a moment before its time."""
    expires_at = 1_000 + EXPIRES_SECONDS[kind] * 1000
    row = CommandRow(
        id="c",
        kind=kind,
        agent="ci",
        requested_by="ann",
        created_at=1_000,
        expires_at=expires_at,
        updated_at=1_000,
        state=state,
    )
    assert ended(row, 1_000 + after_ms - 1) is None
    end = ended(row, 1_000 + after_ms)
    assert end is not None
    assert (end.state, end.detail, end.updated_at) == ("expired", detail, 1_000 + after_ms)


async def test_what_an_agent_reports_after_it_was_given_up_is_what_happened(gateway: Gateway) -> None:
    """An order that expired and was carried out all the same is shown as done."""
    gateway.ingest.builds[BUILD] = {"stored": 0, "agent": "default", "project": "torch-mlir", "status": "running"}
    ordered = await order(gateway, kind="cancel", buildId=BUILD)
    parts = gateway.app.state.dependencies
    row = await parts.store.find_command(ordered["id"])
    await parts.store.move_command(row.model_copy(update={"state": "expired"}), QUEUED)
    await parts.commands.acked("default", CommandAck(command_id=row.id, state="accepted"))
    assert await state_of(gateway, row.id) == "expired"
    await parts.commands.acked("default", CommandAck(command_id=row.id, state="done", detail="stopped"))
    assert await state_of(gateway, row.id) == "done"


def _agent() -> Any:
    from build_gateway.store.rows import AgentRow

    return AgentRow(
        name="ci",
        instance="i1",
        version="1",
        key_id="k",
        gateway="g",
        session="s",
        connected=True,
        connected_at=1,
        last_seen_at=1,
        serves=("torch-mlir",),
    )
