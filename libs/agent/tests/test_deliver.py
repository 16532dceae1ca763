"""Spools that are handed over: waited for, delivered by another machine, and of strangers believed in nothing."""

import hashlib
import json
import shutil
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from build_dashboard.builds.origin import Origin, origin_of_job
from build_dashboard.builds.untrusted import rewrite
from build_dashboard.config_error import ConfigError
from build_dashboard.duration import read_duration
from build_dashboard.recording.normalise import Block
from build_dashboard.recording.records import Recorder
from build_dashboard.recording.spool import Spool
from build_protocol.limits import RECORD_BYTES
from build_protocol.messages import agent_record

SHA, EVIL_SHA = "0123456789abcdef" * 2 + "01234567", "f" * 40
BUILD = "01900000-0000-7000-8000-000000000001"
ORIGIN = Origin("llvm", SHA, "12/merge", "asan", 12, "https://ci.example/runs/7", 1_700_000_000_000, "7.1")
EVENT = {
    "workflow_run": {
        "id": 7,
        "run_attempt": 1,
        "head_sha": SHA,
        "head_branch": "feature/ünï#1",
        "html_url": "https://ci.example/runs/7",
        "run_started_at": "2026-11-30T10:00:00Z",
        "pull_requests": [],
        "head_repository": {"owner": {"login": "mallory"}},
    }
}


def stranger(*lines: str, end: bool = True, **start: Any) -> list[bytes]:
    """Records that claim whatever helps their author."""
    recorder = Recorder(BUILD, "secret-project")
    claims = {
        "status": "running",
        "origin": "ci",
        "branch": "main",
        "commit": EVIL_SHA,
        "config": "release",
        "command": ["make"],
        "sourceUrl": "https://evil.example/",
        "tags": ["official"],
        "retryOf": BUILD,
        "commits": [{"sha": EVIL_SHA, "author": "somebody else"}],
        "clock": {"wallAt": 1},
        "unknown": {"x": 1},
        **start,
    }
    records = [recorder.record("BUILD_START", 5, claims)]
    records += recorder.log([Block("out", 1, list(lines), 6)]) if lines else []
    late = {
        "status": "running",
        "commit": EVIL_SHA,
        "branch": "main",
        "progress": 50.0,
        "metrics": {"cpuMs": 1, "x": 2},
    }
    records.append(recorder.record("BUILD_UPDATE", 2**52, late))
    section = {"name": "s", "firstLine": 1, "url": "https://evil.example/"}
    records.append(recorder.record("BUILD_UPDATE", 7, {"status": "running", "section": section}))
    if end:
        over = {"status": "succeeded", "exitCode": 0, "fault": "infra", "totals": recorder.totals()}
        records.append(recorder.record("BUILD_COMPLETE", 8, over))
        upload = {"status": "uploaded", "artifactId": "a", "name": "x", "sizeBytes": 1, "sha256": "0" * 64}
        records.append(recorder.record("ARTIFACT_UPLOADED", 9, upload))
    return records


def rewritten(records: list[bytes], **options: int) -> list[dict[str, Any]]:
    copies = [json.loads(record) for record in rewrite(records, ORIGIN, BUILD, **options)]
    for seq, copy in enumerate(copies, 1):
        agent_record.validate_python(copy)
        assert (copy["seq"], copy["project"], copy["buildId"]) == (seq, "llvm", BUILD)
    return copies


def test_what_a_stranger_claims_does_not_count() -> None:
    """Project, commit, branch, config, origin and address are the CI's; commits, clocks and artifacts are left out."""
    start, log, update, end = rewritten(stranger("one", "two"))

    assert start["data"] == {
        "status": "running",
        "origin": "premerge",
        "untrusted": True,
        "branch": "12/merge",
        "commit": SHA,
        "config": "asan",
        "command": ["make"],
        "sourceUrl": "https://ci.example/runs/7",
        "tags": ["pull request 12"],
    }
    assert log["data"]["lines"] == ["one", "two"]
    assert update["data"] == {"status": "running", "progress": 50.0, "metrics": {"cpuMs": 1}}
    assert "evil" not in json.dumps([start, log, update, end])
    totals = {"lines": 2, "bytes": 7, "sha256": hashlib.sha256(b"one\ntwo").hexdigest()}
    assert end["data"] == {"status": "succeeded", "exitCode": 0, "totals": totals}
    times = [copy["timestamp"] for copy in (start, log, update, end)]
    assert times == sorted(times)
    assert ORIGIN.started_at <= times[0] <= times[-1] <= ORIGIN.started_at + 7 * 86_400_000


def test_what_is_no_record_is_left_out() -> None:
    """Neither garbage, nor lines out of order, nor a second beginning or end, nor anything before the first."""
    recorder = Recorder(BUILD, "p")
    odd = [
        b"\xff{",
        b"[]",
        b'{"type": "BUILD_LOG"}',
        *recorder.log([Block("out", 9, ["elsewhere"], 1)]),
        *recorder.log([Block("out", 1, ["goes on"], 1, True)]),
        b'{"type":"BUILD_LOG","x":"' + b"y" * RECORD_BYTES + b'"}',
    ]
    good = stranger("one")
    kinds = [copy["type"] for copy in rewritten([*odd, good[0], *odd, *good, *good])]

    assert kinds == ["BUILD_START", "BUILD_LOG", "BUILD_UPDATE", "BUILD_UPDATE", "BUILD_COMPLETE"]
    assert rewrite(odd, ORIGIN, BUILD) == []


def test_a_spool_that_breaks_off_is_a_failed_build() -> None:
    """Its end says that it is not the build's."""
    end = rewritten(stranger("one", end=False))[-1]["data"]

    assert (end["status"], end["reason"]) == ("failed", "holder_lost")


def test_an_untrusted_build_has_a_size() -> None:
    """What is beyond it is a gap, and the end still comes."""
    recorder = Recorder(BUILD, "p", 1)
    lines = [record for n in range(200) for record in recorder.log([Block("out", n + 1, ["x" * 2000], 1)])]
    start, *_ = stranger(environment={f"V{n}": "v" * 500 for n in range(40)})
    copies = rewritten([start, *lines, *stranger()[-2:-1]], cap_bytes=100_000)

    gap = copies[-2]["data"]["gap"]
    logged = sum(copy["type"] == "BUILD_LOG" for copy in copies)
    assert sum(len(json.dumps(copy)) for copy in copies) < 100_000
    assert gap["reason"] == "untrusted_cap"
    assert gap["afterLine"] == logged
    assert gap["bytes"] > (200 - logged) * 2000
    assert copies[-1]["data"]["totals"]["lines"] == logged


def test_the_event_names_the_job(tmp_path) -> None:
    """Of a fork's run GitHub names no pull request: its owner and branch stand in, or the number that was looked up."""
    path = tmp_path / "event.json"
    path.write_text(json.dumps(EVENT))
    found = origin_of_job(path, "llvm")

    assert (found.commit, found.branch, found.run) == (SHA, "mallory/feature/ünï#1", "7.1")
    assert origin_of_job(path, "llvm", pull_request=12).branch == "12/merge"
    assert origin_of_job(path, "llvm").build_id("x") == found.build_id("x") != found.build_id("y")
    named = json.loads(json.dumps(EVENT))
    named["workflow_run"]["pull_requests"] = [{"number": 34}]
    path.write_text(json.dumps(named))
    assert origin_of_job(path, "llvm").branch == "34/merge"
    assert origin_of_job(None, "llvm", SHA, "feature/x").branch == "feature/x"


@pytest.mark.parametrize(
    ("event", "options", "words"),
    [
        (EVENT, {"project": None}, "needs --project"),
        (EVENT, {"project": "../x"}, "needs --project"),
        (None, {}, "--event or --commit"),
        ({"push": {}}, {}, "is no workflow_run"),
        ({"workflow_run": {**EVENT["workflow_run"], "head_sha": "HEAD"}}, {}, "is no commit"),
        ({"workflow_run": {**EVENT["workflow_run"], "head_branch": "a..b"}}, {}, "is no name of a branch"),
        (None, {"commit": SHA}, "--branch or --pull-request"),
        (None, {"commit": "x", "branch": "b"}, "is no commit"),
    ],
)
def test_a_job_that_is_not_named_is_not_delivered(tmp_path, event, options, words) -> None:
    """Each in a sentence."""
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event))
    with pytest.raises(ConfigError, match=words):
        origin_of_job(path if event else None, **{"project": "llvm", **options})


def test_durations_are_read() -> None:
    """Seconds without a unit, and hours, minutes and seconds with."""
    assert [read_duration(text) for text in ("90", "90s", "1.5", "10m", "1h30m", "1H1m1s")] == [
        90,
        90,
        1.5,
        600,
        5400,
        3661,
    ]
    for text in ("", "s", "1d", "-1", "1m1h", "ten"):
        with pytest.raises(ValueError, match="is no duration"):
            read_duration(text)


@pytest.mark.slow
def test_without_a_key_the_build_is_spooled_and_handed_over(agent, gateway, tmp_path) -> None:
    """Nobody is dialled; what lies there then is masked, regular files, and another machine with a key delivers it."""
    key = agent.environment.pop("BUILD_DASHBOARD_API_KEY")
    agent.environment["SOME_TOKEN"] = "hunter2hunter2"
    command = ("sh", "-c", "echo one $SOME_TOKEN; echo wheel > a.whl; exit 6")
    done = agent.build(*command, options=("--artifact", "*.whl"), cwd=tmp_path)
    left = [path for path in agent.spool.rglob("*") if not path.is_dir()]

    assert (done.returncode, gateway.connections) == (6, 0)
    assert f"build-dashboard deliver {agent.spool}".encode() in done.stderr
    assert all(stat.S_ISREG(path.lstat().st_mode) for path in left)
    assert not any(b"hunter2" in path.read_bytes() for path in left)

    copy = tmp_path / "elsewhere"
    shutil.copytree(agent.spool, copy)
    (tmp_path / "a.whl").write_text("another file of that name")
    agent.environment["BUILD_DASHBOARD_API_KEY"] = key
    delivered = agent.run("deliver", str(copy))

    assert delivered.returncode == 0, delivered.stderr
    assert b"1 build delivered" in delivered.stdout
    assert b"artifacts of build" in delivered.stdout
    assert gateway.log(gateway.only_build()) == ["one [REDACTED]"]
    assert gateway.of(gateway.only_build(), "BUILD_COMPLETE")[0]["data"]["exitCode"] == 6
    assert not gateway.of(gateway.only_build(), "ARTIFACT_UPLOADED")
    assert not [path for path in copy.iterdir() if not path.name.startswith(".")]


@pytest.mark.slow
def test_run_waits_by_time_for_a_dashboard_that_comes_back(lone_agent, gateway, wait_until) -> None:
    """Without progress for longer than any back-off would allow; the exit code is the command's."""
    port = gateway.port
    gateway.stop()
    lone_agent.environment["WS_ENDPOINT"] = f"ws://127.0.0.1:{port}"
    process = lone_agent.start("run", "--project", "p", "--wait", "1m", "--", "sh", "-c", "echo one; exit 6")
    wait_until(lambda: any(b"BUILD_COMPLETE" in path.read_bytes() for path in lone_agent.spool.glob("*/*.spool")))
    later = type(gateway)().start(port)
    process.communicate(timeout=60)
    later.stop()

    assert process.returncode == 6
    assert later.log(later.only_build()) == ["one"]
    assert lone_agent.left() == []


@pytest.mark.slow
@pytest.mark.parametrize(("key", "wait", "least"), [("bmk_test_key_of_the_tests", "1.5s", 1.5), ("wrong", "5m", 0)])
def test_the_wait_ends(lone_agent, gateway, key, wait, least) -> None:
    """By its time where nobody is there, and at once where the dashboard refuses the key."""
    lone_agent.environment["BUILD_DASHBOARD_API_KEY"] = key
    if key == "wrong":
        lone_agent.environment["WS_ENDPOINT"] = gateway.url
    began = time.monotonic()
    done = lone_agent.build("sh", "-c", "exit 6", options=("--wait", wait))

    assert done.returncode == 6
    assert least <= time.monotonic() - began < 30
    assert b"wait in the spool" in done.stderr


@pytest.mark.slow
def test_a_strangers_spool_is_delivered_as_the_event_says(agent, gateway, tmp_path) -> None:
    """Twice the same build; links and pipes are left out, and nothing outside of the spool is read or written."""
    place = tmp_path / "handed"
    spool = _spooled(place / BUILD, stranger("one"))
    (place / BUILD / "build.json").write_text(json.dumps({"buildId": BUILD, "artifacts": ["/etc/*"], "startedAt": 1}))
    (place / BUILD.replace("1", "2")).symlink_to(spool)
    linked = place / BUILD.replace("1", "3")
    linked.mkdir()
    (linked / "0000000000000001.spool").symlink_to(spool / "0000000000000001.spool")
    (tmp_path / "event.json").write_text(json.dumps(EVENT))
    options = ("--untrusted", "--project", "llvm", "--event", str(tmp_path / "event.json"))
    first, second = (agent.run("deliver", str(place), *options) for _ in range(2))

    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert first.stdout.count(b"is left out") == 2
    build = gateway.only_build()
    assert build != BUILD
    start = gateway.of(build, "BUILD_START")[0]
    assert (start["project"], start["data"]["commit"], start["data"]["untrusted"]) == ("llvm", SHA, True)
    assert gateway.log(build) == ["one"]


@pytest.mark.slow
def test_what_cannot_be_delivered_is_one_sentence(agent, tmp_path) -> None:
    """No key, no directory, no event."""
    (tmp_path / "handed").mkdir()
    no_event = agent.run("deliver", str(tmp_path / "handed"), "--untrusted", "--project", "p")
    no_place = agent.run("deliver", str(tmp_path / "none"))
    agent.environment["BUILD_DASHBOARD_API_KEY"] = ""
    no_key = agent.run("deliver", str(tmp_path / "handed"))

    assert [done.returncode for done in (no_event, no_place, no_key)] == [1, 1, 1]
    assert b"--event or --commit" in no_event.stderr
    assert b"is no directory" in no_place.stderr
    assert b"no API key is set" in no_key.stderr


def _spooled(path: Path, records: list[bytes]) -> Path:
    path.mkdir(parents=True)
    spool = Spool(path)
    spool.append(records)
    spool.close()
    return path
