"""What is certain to fail need not run on: where config.yaml says so, the end of a failing build is ordered, once."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from build_gateway.auto_stop import REQUESTED_BY
from build_testkit.gateway import BUILD, OTHER_BUILD, Gateway, hello, receive, record, say

FILE = "projects: {torch-mlir: {stop_failing: true}, llvm: {}}"


async def orders(gateway: Gateway) -> list[dict[str, Any]]:
    answer = await gateway.as_admin("GET", "/api/commands")
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_a_failing_build_is_stopped_once_where_its_project_asks_for_it(
    start_gateway: Callable[[], Awaitable[Gateway]], tmp_path: Path
) -> None:
    """Its agent is sent the cancel, however many gateways see how many of its rows; the audit says why."""
    (tmp_path / "config.yaml").write_text(FILE)
    here, _there = await start_gateway(), await start_gateway()
    async with here.agent() as builder:
        await hello(builder)
        await say(builder, type="RECORDS", records=[record(2)])
        await receive(builder, "ACK", confirmed=2)
        for revision in (3, 4, 5):
            await here.announce_build(revision, "BUILD_LOG", failing=True, agent="default")

        command = await receive(builder, "COMMAND")
        assert (command["kind"], command["buildId"]) == ("cancel", BUILD)

    (ordered,) = await orders(here)
    assert ordered["requestedBy"] == REQUESTED_BY
    entries = (await here.as_admin("GET", "/api/audit")).json()["items"]
    assert any(entry["who"] == REQUESTED_BY and entry["subject"] == BUILD for entry in entries)


@pytest.mark.parametrize(
    "row",
    [
        {"failing": False},
        {"failing": True, "origin": "local"},
        {"failing": True, "project": "llvm"},
        {"failing": True, "project": "unnamed"},
    ],
)
async def test_no_other_build_is_stopped(
    start_gateway: Callable[[], Awaitable[Gateway]], tmp_path: Path, row: dict[str, Any]
) -> None:
    """Not what still may pass, not a person's own, not of a project that does not ask for it."""
    (tmp_path / "config.yaml").write_text(FILE)
    gateway = await start_gateway()

    async with gateway.agent() as builder:
        await hello(builder)
        await say(builder, type="RECORDS", records=[record(1, "BUILD_START", OTHER_BUILD)])
        await receive(builder, "ACK", confirmed=1)
        await gateway.announce_build(3, "BUILD_LOG", agent="default", **row)
        # The feed keeps its order: once the second one is ordered, the first has been looked at.
        await gateway.announce_build(3, "BUILD_LOG", id=OTHER_BUILD, agent="default", failing=True)
        await receive(builder, "COMMAND", buildId=OTHER_BUILD)

    assert [OTHER_BUILD] == [each["buildId"] for each in await orders(gateway)]
