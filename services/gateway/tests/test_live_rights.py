"""Every live frame, for every role, of the own project and of a foreign one."""

import json
from typing import get_args

import pytest
from build_gateway.viewers.decode import FRAME_TYPES
from build_protocol.frames import LiveEvent
from build_testkit.gateway import BUILD, OTHER_BUILD, Gateway, log_in, receive, say
from websockets.asyncio.client import ClientConnection

GEESE = "four geese on a bicycle"
MINE, THEIRS = "torch-mlir", "iree"
SHOWN, KEPT = {"BUILD", "LOG"}, {"STORED"}
"""Events of builds that viewers are sent, and those that only agents are answered with."""


async def shown_until_pong(socket: ClientConnection) -> list[dict[str, object]]:
    """What came before the answer to a PING."""
    await say(socket, type="PING")
    frames = []
    while (frame := json.loads(await socket.recv()))["type"] != "PONG":
        frames.append(frame)
    return frames


@pytest.mark.parametrize("role", ["viewer", "developer", "maintainer"])
async def test_frames_of_a_foreign_project_reach_nobody(gateway: Gateway, role: str) -> None:
    """By `*`, by the project's name and by the build's id; a role there, and they come; taken, and they end."""
    assert set(FRAME_TYPES) == {"AUTH", "SUBSCRIBE", "PING"}, "a new frame needs its rule here"
    events = {model.model_fields["type"].default for model in get_args(get_args(LiveEvent)[0])}
    assert events == SHOWN | KEPT, "a new live event needs its rule here"
    person = {"name": "ann", "password": GEESE, "projects": [], "roles": {MINE: role}}
    (await gateway.as_admin("POST", "/api/users", person)).raise_for_status()

    async def announce() -> None:
        await gateway.announce_build(1, project=THEIRS, id=OTHER_BUILD)
        await gateway.announce_log(1, "secret", project=THEIRS, build_id=OTHER_BUILD)
        await gateway.announce_stored(1)
        await gateway.announce_build(1, project=MINE)
        await gateway.announce_log(1, "own", project=MINE)

    for projects in (["*"], [THEIRS, MINE]):
        async with gateway.viewer() as socket:
            token = await gateway.login("ann", GEESE)
            await log_in(gateway, socket, token, projects=projects, events=["*"], buildIds=[BUILD, OTHER_BUILD])
            await announce()
            seen = [await receive(socket, kind) for kind in ("BUILD", "LOG")]
            seen += await shown_until_pong(socket)
            assert {(each["type"], each.get("project") or each["build"]["project"]) for each in seen} == {
                ("BUILD", MINE),
                ("LOG", MINE),
            }

    path = f"/api/projects/{THEIRS}/members/ann"
    assert (await gateway.as_admin("PUT", path, {"role": role})).status_code == 204
    async with gateway.viewer() as socket:
        token = await gateway.login("ann", GEESE)
        await log_in(gateway, socket, token, projects=["*"], events=["*"], buildIds=[OTHER_BUILD])
        await announce()
        assert (await receive(socket, "LOG"))["lines"] == ["secret"]
