"""A mirror of a real Buildbot: the dashboard shows what the master has, once, through deaths of the mirror."""

import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from build_testkit.buildbot import Farm
from build_testkit.stack import Stack, embedded_stack, wait_until
from mirrors.comparing import differences, mirroring, shown_builds
from mirrors.full import only_full

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DAY_SECONDS = 86_400
COMMIT = "3c38d477dae641b6d94c6971f18499a030a0f05f"
NINJA = "for i in range(40): print(f'[{i + 1}/40] Building CXX object a{i}.o')"
ODD = r"""
import sys, os
print('tab\t\x1b[31mred\x1b[0m \u2028 separator \x85 and \x0c feed, \u00e9')
os.write(1, b'bad \xff\xfe bytes\n' + b'x' * 9000 + b'\n\n' + b'progress\rprogress 2\r\n')
print('to errors', file=sys.stderr)
"""
FAILS = """
import sys
print('a.cpp:3:5: error: use of undeclared identifier q')
sys.exit(1)
"""
WAITS = """
import os, time
print('begun', flush=True)
for i in range(600):
    if os.path.exists({path!r}): break
    print('line', i, flush=True); time.sleep(0.1)
print('ended')
"""


OLD_TOO = ("--backfill-days", "30")
"""Each test is to find the old build, whichever of them is the first on its worker."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The dashboard."""
    with embedded_stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory, stack: Stack) -> Iterator[Farm]:
    """A master and a worker; one build of it is nine days old when the first mirror comes."""
    farm = Farm(tmp_path_factory.mktemp("buildbot"), ("mlir-release", "mlir-asan", "mlir-tsan"))
    try:
        farm.start()
        old = farm.wait_for_build(farm.force("mlir-asan", "print(1)", FAILS, revision=COMMIT))["buildid"]
        with closing(sqlite3.connect(farm.directory / "master/state.sqlite", timeout=30)) as database:
            past = f"started_at = started_at - {9 * DAY_SECONDS}, complete_at = complete_at - {9 * DAY_SECONDS}"
            database.execute(f"UPDATE builds SET {past} WHERE id = ?", (old,))
            database.execute(f"UPDATE steps SET {past} WHERE buildid = ?", (old,))
            database.commit()
        yield farm
    finally:
        farm.stop()


def wait_until_same(stack: Stack, farm: Farm, seconds: float = 40.0) -> None:
    """Wait until dashboard and master agree in everything; else say in what they do not."""
    found: list[str] = []

    def is_same() -> bool:
        found[:] = differences(stack, farm)
        return not found

    try:
        wait_until(is_same, seconds, "a dashboard that shows what the master has", every=0.8)
    except TimeoutError:
        pytest.fail("\n".join(found))


def test_a_farm_is_shown_as_its_master_has_it(stack: Stack, farm: Farm, tmp_path: Path) -> None:
    """Logs byte for byte, results, steps and times, once each; of a worker's environment nothing leaves the mirror."""
    gate = tmp_path / "gate"
    with mirroring(stack, farm, tmp_path / "mirror", *OLD_TOO):
        requests = [
            farm.force("mlir-release", "print(1)", NINJA, ODD, revision=COMMIT),
            farm.force("mlir-release", "print(1)", FAILS.replace("identifier q", "type t")),
            farm.force("mlir-asan", "print(1)", "raise SystemExit(3)", "raise SystemExit(4)"),
        ]
        stopped = farm.wait_for_build(farm.force("mlir-tsan", WAITS.format(path=str(gate))), is_over=False)
        requests.append(stopped["buildrequestid"])
        for request in requests[:-1]:
            farm.wait_for_build(request)
        retried = farm.force("mlir-asan", f"import os; os.path.exists({str(gate)!r}) or exit(5)")
        wait_until(lambda: farm.builds_of(retried), 30, "a build that is to be retried")
        farm.post(f"builds/{stopped['buildid']}", "stop", {"reason": "enough"})
        gate.touch()
        for request in (retried, stopped["buildrequestid"]):
            farm.wait_for_build(request)
        wait_until_same(stack, farm)

    token = stack.token()
    shown = {build["sourceUrl"].partition("#")[2]: build for build in shown_builds(stack, token)}
    asan = sorted(url for url in shown if shown[url]["config"] == "mlir-asan")
    old, odd_end, *retries = (shown[url] for url in sorted(asan, key=lambda url: int(url.rpartition("/")[2])))
    assert (True, "failed") == (old["backfill"], old["status"])
    assert ("failed", "infra") == (odd_end["status"], odd_end["fault"])
    assert [("cancelled", "retry")] * (len(retries) - 1) == [(b["status"], b["reason"]) for b in retries[:-1]]
    assert "succeeded" == retries[-1]["status"]
    assert [b["id"] for b in retries[:-1]] == [b["retryOf"] for b in retries[1:]]
    assert ["mlir", "asan"] == old["tags"]
    assert "w1" == old["host"]["name"]
    assert "use of undeclared identifier" in old["firstFailure"]["message"]
    kept = [path for path in stack.directory.rglob("*") if path.is_file()]
    assert not [path for path in kept if farm.secret.encode() in path.read_bytes()]


def test_a_mirror_that_dies_and_loses_its_spool_goes_on_at_the_masters_line(
    stack: Stack, farm: Farm, tmp_path: Path
) -> None:
    """kill -9 in the middle of builds, with the spool and without, and a second mirror beside the first: each once."""
    gate = tmp_path / "gate"
    with mirroring(stack, farm, tmp_path / "mirror", *OLD_TOO) as mirror:
        running = farm.force("mlir-release", "print(1)", WAITS.format(path=str(gate)), FAILS)
        row = farm.wait_for_build(running, is_over=False)

        def grows() -> None:
            before = _lines(stack, row)
            wait_until(lambda: _lines(stack, row) > before + 10, 30, "more lines of a running build", every=0.2)

        grows()
        mirror.kill()
        mirror.start()
        grows()
        mirror.kill()
        shutil.rmtree(mirror.spool)
        mirror.start()
        grows()
        with mirroring(stack, farm, tmp_path / "second", *OLD_TOO):
            grows()
            gate.touch()
            farm.wait_for_build(running)
            wait_until_same(stack, farm)
    assert "stand by" in mirror.log.read_text()


def test_a_deleted_log_is_a_gap_and_its_build_ends(stack: Stack, farm: Farm, tmp_path: Path) -> None:
    """A master that forgets logs keeps their number of lines: nobody waits for them, and the page says what is gone."""
    row = farm.wait_for_build(farm.force("mlir-asan", "print(1)", "print('gone')", "print('kept')"))
    steps = farm.get(f"builds/{row['buildid']}/steps")["steps"]
    log = next(
        farm.get(f"steps/{step['stepid']}/logs")["logs"][0] for step in steps if step["name"].startswith("build")
    )
    with closing(sqlite3.connect(farm.directory / "master/state.sqlite", timeout=30)) as database:
        database.execute("UPDATE logs SET type = 'd' WHERE id = ?", (log["logid"],))
        database.execute("DELETE FROM logchunks WHERE logid = ?", (log["logid"],))
        database.commit()
    with mirroring(stack, farm, tmp_path / "mirror", *OLD_TOO):
        wait_until_same(stack, farm)
        url = f"/#/builders/{row['builderid']}/builds/{row['number']}"
        build = next(b for b in shown_builds(stack, stack.token()) if b["sourceUrl"].endswith(url))
        assert ["log_deleted"] == [gap["reason"] for gap in build["gaps"]]
        wait_until(lambda: 1 == _source(stack).get("lostLogs"), 15, "a lost log in the source's health", every=0.2)


@only_full
def test_a_master_that_is_away_is_shown_with_the_reason(stack: Stack, farm: Farm, tmp_path: Path) -> None:
    """kill -9 of the master: the page says so until it is back, and what it then calls retried is shown as that."""
    gate = tmp_path / "gate"
    with mirroring(stack, farm, tmp_path / "mirror", *OLD_TOO):
        request = farm.force("mlir-release", "print(1)", WAITS.format(path=str(gate)))
        row = farm.wait_for_build(request, is_over=False)
        wait_until(lambda: _lines(stack, row) > 10, 30, "lines of a running build", every=0.2)
        farm.kill("master")
        wait_until(lambda: "reached" in (_source(stack).get("problem") or ""), 30, "a problem that is shown", every=0.2)
        gate.touch()
        farm.start_master()
        wait_until(lambda: len(farm.builds_of(request)) > 1, 60, "the request runs again", every=0.2)
        farm.wait_for_build(request)
        wait_until_same(stack, farm)
        wait_until(lambda: _source(stack).get("problem") is None, 30, "a source that answers", every=0.2)


@only_full
def test_up_follows_the_cis_that_its_config_names(farm: Farm, tmp_path: Path) -> None:
    """`mirrors:` of config.yaml is all it takes; a builder that no pattern matches stays out."""
    config = tmp_path / "config.yaml"
    config.write_text(
        f"projects: {{mlir: }}\n"
        f"mirrors:\n  lab: {{kind: buildbot, url: '{farm.url}', projects: {{'mlir-asan': '-', 'tag:mlir': mlir}}}}\n"
    )
    request = farm.force("mlir-release", "print(1)", "print(2)", "print(3)")
    farm.wait_for_build(request)
    with embedded_stack(tmp_path, {"BUILD_DASHBOARD_CONFIG": str(config)}) as stack:

        def is_there() -> bool:
            rows = [row for row in shown_builds(stack, stack.token(), "mlir") if row["config"] == "mlir-release"]
            return bool(rows) and all(row["status"] != "running" for row in rows)

        wait_until(is_there, 40, "builds of the farm", every=0.3)
        wait_until(lambda: "lab" == _source(stack).get("name"), 10, "the farm among the sources", every=0.2)
        assert "mlir-asan" not in {row["config"] for row in shown_builds(stack, stack.token(), "mlir")}
        left = f"{tmp_path / 'data' / 'mirror'}"
        assert _commands_with(left)
        stack.processes["embedded"].stop(signal.SIGKILL)
        wait_until(lambda: not _commands_with(left), 20, "no mirror that outlives its system", every=0.2)


def _commands_with(text: str) -> list[str]:
    """The command lines of processes that have this in them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [each for each in found if text in each and " mirror config " in each]


def _lines(stack: Stack, row: dict[str, Any]) -> int:
    url = f"/#/builders/{row['builderid']}/builds/{row['number']}"
    return sum(build["logLines"] for build in shown_builds(stack, stack.token()) if build["sourceUrl"].endswith(url))


def _source(stack: Stack) -> dict[str, Any]:
    rows = [source for agent in stack.get("/api/agents")["items"] if agent["connected"] for source in agent["sources"]]
    return rows[0] if rows else {}
