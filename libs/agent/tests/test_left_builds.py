"""What becomes of builds left in the spool: those of a copied disk, and those that nobody ever verifies."""

import json
import os
import time
from pathlib import Path

import pytest
from build_dashboard.builds.run_options import parse
from build_dashboard.cli.run import first_facts
from build_dashboard.holder.holding import start
from build_dashboard.recording.directory import BuildDirectory, build_facts, left_builds
from build_dashboard.recording.machine import ELSEWHERE_SECONDS, machine_id
from build_dashboard.recording.places import BuildBusy, Places
from build_dashboard.recording.spool import Spool
from build_protocol.new_id import new_build_id

pytestmark = pytest.mark.slow


def leave(spool: Path, *, machine: str | None, is_complete: bool, age_seconds: float = 0) -> str:
    """A build's directory as a dead process left it."""
    facts = build_facts("p", ["ninja"]) | {"machine": machine}
    facts["startedAt"] -= int(age_seconds * 1000)
    directory = BuildDirectory.create(spool, facts)
    records = Spool(directory.path)
    records.append([b"{}"], json.dumps({"complete": is_complete}).encode())
    records.close()
    directory.close()
    return directory.build_id


@pytest.mark.parametrize(
    ("machine", "is_complete", "age_seconds", "is_taken"),
    [
        ("this", False, 0, True),
        (None, False, 0, True),
        ("other", False, 0, False),
        ("other", True, 0, True),
        ("other", False, ELSEWHERE_SECONDS + 1, True),
    ],
    ids=["own", "container", "clone", "clone of a complete build", "abandoned"],
)
def test_a_copied_disk_does_not_speak_for_running_builds(  # noqa: PLR0917  (one row of the table)
    spool, monkeypatch, machine, is_complete, age_seconds, is_taken
) -> None:
    """A build that began elsewhere is left to that machine for a day, unless it is complete: then both say the same."""
    monkeypatch.setattr("build_dashboard.recording.directory.machine_id", lambda: "this")
    build_id = leave(spool, machine=machine, is_complete=is_complete, age_seconds=age_seconds)

    taken = [directory.build_id for directory in left_builds(spool)]
    assert taken == ([build_id] if is_taken else [])


def test_two_processes_never_speak_for_one_build(spool) -> None:
    """Whoever comes second is refused by the lock."""
    build_id = leave(spool, machine=None, is_complete=True)
    first = BuildDirectory.adopt(spool / build_id)
    with pytest.raises(BuildBusy):
        BuildDirectory.adopt(spool / build_id)
    first.close()


def test_a_machine_has_a_name_of_its_own(tmp_path, monkeypatch) -> None:
    """Identity and host name make it; without an identity there is none."""
    (tmp_path / "id").write_text("0123\n")
    names = set()
    for host in ("a", "b"):
        monkeypatch.setattr("platform.node", lambda host=host: host)
        names.add(machine_id(tmp_path / "id"))
    (tmp_path / "empty").write_text("")

    assert len(names) == 2
    assert (machine_id(tmp_path / "empty"), machine_id(tmp_path / "none")) == (None, None)


def test_a_build_that_is_never_verified_is_let_go_after_a_week(agent, gateway, spool) -> None:
    """Stored is enough then: the spool does not keep it for ever, and says so."""
    gateway.verifies = False
    assert agent.build("echo", "x").returncode == 0
    assert len(agent.left()) == 1
    path = spool / agent.left()[0] / "build.json"
    facts = json.loads(path.read_text())

    assert agent.run("run", "--resume", "--linger", "1").returncode == 1
    path.write_text(json.dumps(facts | {"startedAt": int((time.time() - 8 * 86400) * 1000)}))
    done = agent.run("run", "--resume")
    assert (done.returncode, agent.left()) == (0, [])
    assert b"not verified within a week" in done.stderr


def test_one_bad_build_keeps_no_other_from_being_delivered(lone_agent, agent, gateway, spool) -> None:
    """Whatever is wrong with what it left in the spool: it waits, with a reason, and the others arrive."""
    lone_agent.build("echo", "one")
    (bad,) = lone_agent.left()
    lone_agent.build("echo", "two")
    (good,) = set(lone_agent.left()) - {bad}
    facts = json.loads((spool / bad / "build.json").read_text())
    (spool / bad / "build.json").write_text(json.dumps(facts | {"artifacts": [7]}))

    done = agent.run("run", "--resume")

    assert gateway.log(good) == ["two"]
    assert f"build {bad} waits: TypeError" in done.stderr.decode()
    assert agent.left() == [bad]


def test_an_empty_artifact_pattern_is_reported_and_costs_nothing(agent, gateway) -> None:
    """`--artifact "$UNSET"` in a script."""
    done = agent.build("echo", "hi", options=("--artifact", ""))

    assert (done.returncode, gateway.log(gateway.only_build()), agent.left()) == (0, ["hi"], [])
    assert "--artifact '': names no file" in done.stderr.decode()


def test_a_build_of_an_older_release_is_left_and_reported(agent, lone_agent, gateway) -> None:
    """What an agent before 0.1.0 spooled is named with what to do, once per run, and nothing else waits for it."""
    lone_agent.build("true")
    (old,) = lone_agent.left()
    path = agent.spool / old / "build.json"
    facts = json.loads(path.read_text())
    facts["startedMs"] = facts.pop("startedAt")
    path.write_text(json.dumps(facts))

    done = agent.build("echo", "hi")

    assert (done.returncode, gateway.log(gateway.only_build()), agent.left()) == (0, ["hi"], [old])
    assert 1 == done.stderr.decode().count(f"{old} holds no build: it was begun by an agent before 0.1.0")


def test_an_agent_killed_right_after_the_start_loses_no_build(agent, gateway, spool, tmp_path) -> None:
    """Its first facts are on the disk before the command runs: it arrives, with all that it printed."""
    places = Places(str(spool), new_build_id(now_ms := time.time_ns() // 1_000_000), now_ms)
    places.note(first_facts(parse(["--project", "p", "--", "echo", "hi"]), places, str(tmp_path), is_terminal=False))
    with (tmp_path / "out").open("wb") as out:  # a descriptor of its own: pytest's is no place for a build's output
        stdout = os.dup(1)
        os.dup2(out.fileno(), 1)
        try:
            holding = start(places.path, ["echo", "hi"], os.environ, is_terminal=False)
        finally:
            os.dup2(stdout, 1)
            os.close(stdout)
    assert holding.wait() == 0
    os.close(holding.status_fd)
    os.close(places.lock_fd)  # as the kernel does when it is killed

    done = agent.run("run", "--resume")

    assert (done.returncode, gateway.log(places.build_id), agent.left()) == (0, ["hi"], [])
    begun = gateway.of(places.build_id, "BUILD_START")[0]
    assert (begun["data"]["command"], begun["project"]) == (["echo"], "p")
    assert gateway.of(places.build_id, "BUILD_COMPLETE")[0]["data"]["status"] == "succeeded"
