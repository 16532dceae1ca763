"""`build-dashboard run` as a program, against a gateway in miniature."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from build_protocol.frames import AGENT_SUBPROTOCOL

pytestmark = pytest.mark.slow


def test_build_is_reported_from_start_to_end(agent, gateway) -> None:
    """Start, every line with its stream, and the end with totals arrive; the spool is empty afterwards."""
    done = agent.build("sh", "-c", "echo one; echo two >&2; exit 3")

    assert done.returncode == 3
    assert done.stdout == b"one\n"
    assert done.stderr == b"two\n"
    build = gateway.only_build()
    start, *_, complete = (gateway.records[build][seq] for seq in sorted(gateway.records[build]))
    assert start["type"] == "BUILD_START"
    assert start["data"]["command"] == ["sh", "-c", "echo one; echo two >&2; exit 3"]
    assert sorted(gateway.log(build)) == ["one", "two"]
    assert complete["data"]["status"] == "failed"
    assert complete["data"]["exitCode"] == 3
    text = "\n".join(gateway.log(build)).encode()
    assert complete["data"]["totals"] == {"lines": 2, "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    assert agent.left() == []


def test_exit_code_survives_a_dashboard_that_is_down(lone_agent) -> None:
    """With nobody listening the build runs as ever, and ends at once."""
    started = time.monotonic()
    done = lone_agent.build("sh", "-c", "echo fine; exit 7")

    assert (done.returncode, done.stdout) == (7, b"fine\n")
    assert time.monotonic() - started < 5
    assert b"wait in the spool" in done.stderr
    assert len(lone_agent.left()) == 1


def test_a_log_still_being_checked_is_not_called_undelivered(agent, gateway) -> None:
    """All of it is stored: what is waited for is the check, and the spool stays until then."""
    gateway.verifies = False
    done = agent.build("echo", "one", options=("--linger", "1"))

    assert b"is stored, and its log is still being checked" in done.stderr
    assert b"wait in the spool" not in done.stderr
    assert len(agent.left()) == 1


def test_next_run_delivers_what_an_earlier_one_left(lone_agent, gateway) -> None:
    """A build made while the dashboard was down arrives with the next build."""
    lone_agent.build("echo", "first")
    lone_agent.environment["WS_ENDPOINT"] = gateway.url
    done = lone_agent.run("run", "--resume")

    assert done.returncode == 0, done.stderr
    assert b": 1 build delivered" in done.stderr
    assert gateway.log(gateway.only_build()) == ["first"]
    assert lone_agent.left() == []


def test_wrong_key_is_named_and_costs_nothing(agent) -> None:
    """A wrong key costs the build nothing and is named."""
    agent.environment["BUILD_DASHBOARD_API_KEY"] = "bmk_wrong"
    done = agent.build("sh", "-c", "exit 5")

    assert done.returncode == 5
    assert b"API key is wrong" in done.stderr


def test_killed_agent_leaves_the_build_alone(agent, gateway, tmp_path, wait_until) -> None:
    """kill -9 of the agent: the command runs on, its output whole, and a later process delivers all of it."""
    marker = tmp_path / "done"
    script = f"i=0; while [ $i -lt 20 ]; do echo line $i; i=$((i+1)); sleep 0.05; done; touch {marker}"
    with (tmp_path / "out").open("wb") as out:
        process = agent.start("run", "--project", "p", "--", "sh", "-c", script, stdout=out)
        wait_until(lambda: gateway.records and len(gateway.log(gateway.only_build())) >= 3)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    wait_until(marker.exists)
    done = agent.run("run", "--resume")

    expected = [f"line {i}" for i in range(20)]
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out").read_text().split("\n")[:-1] == expected
    build = gateway.only_build()
    assert gateway.log(build) == expected
    complete = gateway.of(build, "BUILD_COMPLETE")[0]["data"]
    assert complete["status"] == "succeeded"
    text = "\n".join(expected).encode()
    assert complete["totals"] == {"lines": 20, "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    assert agent.left() == []


def test_killed_holder_is_a_failed_build_with_its_reason(agent, gateway, wait_until) -> None:
    """kill -9 of the holder: `run` ends, and the build says that nobody knows how its command ended."""
    process = agent.start("run", "--project", "p", "--", "sh", "-c", "echo up; exec sleep 3")
    wait_until(lambda: gateway.records and gateway.log(gateway.only_build()) == ["up"])
    holder = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
    os.kill(holder, signal.SIGKILL)
    process.communicate(timeout=20)

    complete = gateway.of(gateway.only_build(), "BUILD_COMPLETE")[0]["data"]
    assert process.returncode == 128 + signal.SIGKILL
    assert (complete["status"], complete["reason"]) == ("failed", "holder_lost")


def test_second_process_leaves_a_running_build_alone(agent, gateway, wait_until) -> None:
    """While one process reports a build, another that resumes what is left does not touch it."""
    process = agent.start("run", "--project", "p", "--", "sh", "-c", "echo up; read x", stdin=subprocess.PIPE)
    wait_until(lambda: gateway.records and gateway.log(gateway.only_build()) == ["up"])
    second = agent.run("run", "--resume")
    process.communicate(b"\n", timeout=20)

    assert b"0 builds delivered" in second.stderr
    assert gateway.of(gateway.only_build(), "BUILD_COMPLETE")[0]["data"]["exitCode"] == 0


def test_cut_connections_lose_and_repeat_nothing(agent, gateway, tmp_path, wait_until) -> None:
    """The log is whole though the connection is cut after every second frame; config.yaml says how fast to return."""
    config = tmp_path / "config.yaml"
    config.write_text("projects:\n  p:\n    websocket:\n      reconnect_interval: 20\n")
    agent.environment["BUILD_DASHBOARD_CONFIG"] = str(config)
    gateway.cut_after_frames = 2
    enough = tmp_path / "enough"
    script = f"i=0; while [ ! -e {enough} ]; do echo line $i; i=$((i+1)); sleep 0.02; done"
    process = agent.start("run", "--project", "p", "--", "sh", "-c", script)
    wait_until(lambda: gateway.connections > 3, 20)
    gateway.cut_after_frames = None
    enough.touch()
    out, _ = process.communicate(timeout=30)
    agent.run("run", "--resume")

    assert gateway.log(gateway.only_build()) == out.decode().splitlines()
    assert agent.left() == []


def test_flood_arrives_whole(agent, gateway) -> None:
    """A fast build's log arrives line for line, out and err each in order."""
    script = "import sys\nfor i in range(20000):\n    print('x' * 100, i)\n"
    script += "    if i % 1000 == 0: print('e', i, file=sys.stderr)"
    done = agent.build(sys.executable, "-c", script)

    lines = gateway.log(gateway.only_build())
    assert done.returncode == 0
    assert [line for line in lines if line[0] == "x"] == [f"{'x' * 100} {i}" for i in range(20000)]
    assert [line for line in lines if line[0] == "e"] == [f"e {i}" for i in range(0, 20000, 1000)]
    assert agent.left() == []


def test_cancel_from_the_dashboard_ends_the_build(agent, gateway, wait_until) -> None:
    """A cancel command stops the whole group once, is acknowledged, and the build says that it was cancelled."""
    process = agent.start("run", "--project", "p", "--", "sh", "-c", "echo up; sleep 100 & wait")
    wait_until(lambda: gateway.records and gateway.log(gateway.only_build()) == ["up"])
    build = gateway.only_build()
    gateway.send({"type": "COMMAND", "commandId": "c1", "kind": "cancel", "buildId": build})
    process.communicate(timeout=60)

    complete = gateway.of(build, "BUILD_COMPLETE")[0]["data"]
    assert (complete["status"], complete["reason"]) == ("cancelled", "cancelled_by_user")
    states = [frame["state"] for frame in gateway.frames if frame["type"] == "COMMAND_ACK"]
    assert states == ["accepted", "done"]


def test_every_order_to_cancel_a_build_is_answered(agent, gateway, wait_until) -> None:
    """Two people, two commands: the build ends once, and neither command stays accepted."""
    process = agent.start(
        "run", "--project", "p", "--", "sh", "-c", "trap 'sleep 0.5; exit 1' TERM; echo up; sleep 100 & wait"
    )
    wait_until(lambda: gateway.records and gateway.log(gateway.only_build()) == ["up"])
    for command_id in ("c1", "c2"):
        frame = {"type": "COMMAND", "commandId": command_id, "kind": "cancel", "buildId": gateway.only_build()}
        gateway.send(frame)
    process.communicate(timeout=60)

    acks = [frame for frame in gateway.frames if frame["type"] == "COMMAND_ACK"]
    assert {frame["commandId"] for frame in acks if frame["state"] == "done"} == {"c1", "c2"}


def test_refused_record_does_not_stop_the_build(agent, gateway) -> None:
    """A record that the dashboard refuses is replaced in the sequence by a note, and the rest arrives."""
    gateway.refuse = lambda record: "malformed" if "poison" in json.dumps(record["data"].get("lines", "")) else None
    done = agent.build("sh", "-c", "echo good; sleep 0.3; echo poison; sleep 0.3; echo better")

    assert done.returncode == 0
    build = gateway.only_build()
    assert any("was refused" in record["data"].get("error", "") for record in gateway.of(build, "BUILD_UPDATE"))
    assert gateway.of(build, "BUILD_COMPLETE")
    assert b"refused record" in done.stderr


def test_a_build_that_is_refused_before_the_welcome_is_named(agent, gateway) -> None:
    """A gateway says so once; without it the rest would seem to wait for the next run."""
    gateway.refused_by_hello = "project_not_allowed"
    done = agent.build("true")

    assert done.returncode == 0
    assert b"refused build" in done.stderr
    assert b"project_not_allowed: a test" in done.stderr
    assert b"wait in the spool" not in done.stderr


def test_secrets_of_the_environment_are_masked(agent, gateway) -> None:
    """The value of a variable that looks like a secret never leaves; the person still sees it."""
    agent.environment["DEPLOY_TOKEN"] = "s3cr3t-value-1"
    done = agent.build("sh", "-c", "echo using s3cr3t-value-1 now")

    assert done.stdout == b"using s3cr3t-value-1 now\n"
    assert gateway.log(gateway.only_build()) == ["using [REDACTED] now"]


def test_a_branch_is_checked_before_the_build_starts(agent, gateway, tmp_path) -> None:
    """git's rule decides; a variable that is not set and a detached checkout's HEAD name no branch."""
    refused = agent.build("touch", str(tmp_path / "ran"), options=("--branch", "a..b"))
    for branch in ("feature/ünï#1", "HEAD", ""):
        assert agent.build("true", options=("--branch", branch), cwd=tmp_path).returncode == 0
    trigger = agent.run("trigger", "p", "--branch", "a..b")

    assert (refused.returncode, trigger.returncode) == (2, 1)
    assert b"'a..b' is no name of a branch" in refused.stderr
    assert b"'a..b' is no name of a branch" in trigger.stderr
    assert not (tmp_path / "ran").exists()
    branches = {gateway.of(build, "BUILD_START")[0]["data"].get("branch") for build in gateway.records}
    assert branches == {"feature/ünï#1", None}


def test_words_on_the_wire_are_the_protocols() -> None:
    """The subprotocol's name is the one that the gateway asks for."""
    from build_dashboard.delivery.connection import SUBPROTOCOL

    assert SUBPROTOCOL == AGENT_SUBPROTOCOL


def test_a_build_keeps_its_secrets_to_itself(agent, gateway) -> None:
    """Printed, encoded, given as arguments and options; the dashboard learns how many there were."""
    agent.environment |= {"DEPLOY_PASSWORD": "tr0ub4dor", "VISIBLE": "chosen-by-name"}
    token = "ghp_" + "a1B2c3D4e5F6" * 3
    script = (
        f'echo "$DEPLOY_PASSWORD" {token} "$VISIBLE"; printf %s "$DEPLOY_PASSWORD" | base64;'
        ' echo "key: ${BUILD_DASHBOARD_API_KEY:-none}"; echo https://ci:pa55word@host/x >&2'
    )
    agent.build("sh", "-c", script, "sh", "--api-key", "from-argv-1", options=("--secret", "VISIBLE"))
    build_id = gateway.only_build()
    sent = json.dumps(gateway.records)

    assert not [text for text in ("tr0ub4dor", token, "chosen-by", "pa55word", "from-argv-1") if text in sent]
    assert "key: none" in gateway.log(build_id)
    assert 5 <= gateway.of(build_id, "BUILD_COMPLETE")[0]["data"]["metrics"]["secretsRedacted"]


def test_a_build_may_be_given_the_key(agent, gateway) -> None:
    """`--keep-key`: the command has it, and the log still has not."""
    agent.build("sh", "-c", 'echo "${#BUILD_DASHBOARD_API_KEY} $BUILD_DASHBOARD_API_KEY"', options=("--keep-key",))

    key = agent.environment["BUILD_DASHBOARD_API_KEY"]
    assert [f"{len(key)} [REDACTED]"] == gateway.log(gateway.only_build())


def test_who_adopts_a_build_masks_what_its_agent_did(agent, gateway, wait_until, tmp_path) -> None:
    """The next agent has another environment, and knows the secrets all the same."""
    agent.environment["DEPLOY_PASSWORD"] = "tr0ub4dor"
    script = 'until [ -e go ]; do sleep 0.02; done; echo "it is $DEPLOY_PASSWORD"'
    process = agent.start(
        "run",
        "--project",
        "p",
        "--",
        "sh",
        "-c",
        script,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: gateway.records)
    process.kill()
    process.wait()
    del agent.environment["DEPLOY_PASSWORD"]
    (tmp_path / "go").touch()
    agent.run("run", "--resume", "--linger", "20")

    assert ["it is [REDACTED]"] == gateway.log(gateway.only_build())


@pytest.mark.parametrize("option", [("--redact", "("), ("--secret", "@/no/such/file")])
def test_what_cannot_be_masked_starts_nothing(agent, option) -> None:
    """A mistyped expression or file is reported before the command can print anything."""
    result = agent.build("echo", "started", options=option)

    assert (2, b"") == (result.returncode, result.stdout)
    assert option[0].encode() in result.stderr
