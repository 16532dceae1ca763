"""The agent's clocks: what every frame says of them, and what the spool remembers of the server's."""

import json
import sys
import time

import pytest
from build_dashboard.recording import clock
from build_dashboard.recording.directory import BuildDirectory, build_facts
from build_protocol.clocks import AgentClock, ClockAnchor

HOUR = 3_600_000


def test_the_clock_is_that_of_the_protocol() -> None:
    """Two readings of one boot differ by the time between them."""
    first, second = (AgentClock.model_validate(clock.read_clock()) for _ in range(2))

    assert first.boot_id == second.boot_id
    assert abs(first.wall_at - time.time() * 1000) < 60_000
    if sys.platform == "linux":
        assert first.uptime_ms is not None
        assert second.uptime_ms is not None
        assert 0 <= second.uptime_ms - first.uptime_ms < 60_000
        assert first.uptime_ms == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000, abs=60_000)


def test_the_spool_keeps_the_newest_anchor_of_each_boot(tmp_path) -> None:
    """Of one boot the last word stands, of many boots the newest; none of it ever stops a build."""
    for boot in range(clock.ANCHORS_KEPT + 3):
        clock.keep_anchor(tmp_path, boot * HOUR, {"wallAt": 1, "bootId": f"b{boot}", "uptimeMs": 5})
    clock.keep_anchor(tmp_path, 99 * HOUR, {"wallAt": 1, "bootId": "b9", "uptimeMs": 7})
    clock.keep_anchor(tmp_path, 100 * HOUR, {"wallAt": 1})

    assert {"serverAt": 99 * HOUR, "bootId": "b9", "uptimeMs": 7} == clock.newest_anchor(tmp_path)
    assert clock.newest_anchor(tmp_path) == clock.anchor_of_boot(tmp_path, "b9")
    assert clock.anchor_of_boot(tmp_path, "b0") is None
    ClockAnchor.model_validate(clock.newest_anchor(tmp_path))


def test_an_anchor_that_says_as_much_is_not_written_anew(tmp_path) -> None:
    """Two syncs less for each short build; a server whose time was set, another boot and an old anchor are news."""

    def kept(server_at: int, uptime_ms: int, boot: str = "b") -> int:
        clock.keep_anchor(tmp_path, server_at, {"wallAt": 1, "bootId": boot, "uptimeMs": uptime_ms})
        anchor = clock.newest_anchor(tmp_path)
        assert anchor is not None
        return anchor["serverAt"]

    assert kept(HOUR, 5) == HOUR
    assert kept(HOUR + 60_000, 60_005 + 200) == HOUR
    assert kept(HOUR + 60_001, 5) == HOUR + 60_001  # the server's time was set
    later = HOUR + 60_001 + clock.ANCHOR_FRESH_MS
    assert kept(later, 5 + clock.ANCHOR_FRESH_MS) == later
    assert kept(later + 1, 6 + clock.ANCHOR_FRESH_MS, "another") == later + 1


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '[{"serverAt": 1}]', "null"])
def test_a_damaged_anchor_file_is_none(tmp_path, text: str) -> None:
    """What cannot be read is no anchor, and the next WELCOME replaces it."""
    (tmp_path / ".anchors").write_text(text)

    assert clock.newest_anchor(tmp_path) is None
    clock.keep_anchor(tmp_path, 5, {"wallAt": 1, "bootId": "b", "uptimeMs": 7})
    anchor = clock.newest_anchor(tmp_path)
    assert anchor is not None
    assert 5 == anchor["serverAt"]


def test_a_build_notes_what_the_spool_knew_when_it_began(tmp_path) -> None:
    """A later WELCOME says nothing of when a build began."""
    clock.keep_anchor(tmp_path, 5, {"wallAt": 1, "bootId": "b", "uptimeMs": 7})
    directory = BuildDirectory.create(tmp_path, build_facts("p", ["true"]))
    clock.keep_anchor(tmp_path, 6, {"wallAt": 1, "bootId": "b", "uptimeMs": 8})
    directory.close()

    facts = BuildDirectory.adopt(directory.path).facts["start"]
    assert 5 == facts["anchor"]["serverAt"]
    assert clock.boot_id() == facts["clock"].get("bootId")


@pytest.mark.slow
def test_every_frame_says_both_clocks(agent, gateway) -> None:
    """HELLO and RECORDS carry the clocks now, BUILD_START those of its start; the spool keeps the server's time."""
    gateway.server_at = 1_700_000_000_000
    agent.build("true")

    frames = [frame for frame in gateway.frames if frame["type"] in ("HELLO", "RECORDS")]
    assert {"HELLO", "RECORDS"} == {frame["type"] for frame in frames}
    (start,) = gateway.of(gateway.only_build(), "BUILD_START")
    readings = [start["data"]["clock"], *(frame["clock"] for frame in frames)]
    assert [True] * len(readings) == [reading.get("bootId") == clock.boot_id() for reading in readings]
    assert start["timestamp"] == start["data"]["clock"]["wallAt"]
    assert sorted(reading.get("uptimeMs", 0) for reading in readings) == [r.get("uptimeMs", 0) for r in readings]
    assert 1_700_000_000_000 == json.loads((agent.spool / ".anchors").read_text())[0]["serverAt"]


@pytest.mark.slow
def test_a_build_of_an_earlier_boot_is_sent_with_that_boots_anchor(agent, lone_agent, gateway) -> None:
    """After a restart of the machine the server learns when the old boot's clock stood where."""
    lone_agent.build("true")
    (path,) = (path for path in agent.spool.iterdir() if not path.name.startswith("."))
    facts = json.loads((path / "build.json").read_text())
    facts["start"]["clock"]["bootId"] = "an-earlier-boot"
    (path / "build.json").write_text(json.dumps(facts))
    clock.keep_anchor(agent.spool, 77, {"wallAt": 1, "bootId": "an-earlier-boot", "uptimeMs": 5})

    agent.run("run", "--resume")

    (first, *others) = (frame for frame in gateway.frames if frame["type"] == "RECORDS")
    assert {"serverAt": 77, "bootId": "an-earlier-boot", "uptimeMs": 5} == first["anchor"]
    assert not any("anchor" in frame for frame in others)
