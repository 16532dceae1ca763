"""What the evidence collector finds in the directories of a real build, as it reaches the dashboard."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from build_dashboard.evidence.build_tree import TREES_MAX, BuildTree, find_trees
from build_dashboard.evidence.collector import ANNOUNCED_TREES_MAX, EvidenceCollector
from build_dashboard.evidence.compiler_cache import Lookups, read_ccache, read_sccache, tools_in_use
from build_dashboard.evidence.disk import used_bytes
from build_dashboard.evidence.ninja_watch import STAMP_SLACK_NS, NinjaWatch
from build_dashboard.recording.fitting import chunks, encoded_bytes
from build_dashboard.redaction.redactor import Redactor

pytestmark = pytest.mark.slow

TOOLS = str(Path(sys.executable).parent)

NINJA = """rule step
  command = {command}
build a.o: step
build b.o: step
build app: step a.o b.o
"""


def ninja_project(path: Path, command: str = "touch $out") -> Path:
    path.mkdir(exist_ok=True)
    (path / "build.ninja").write_text(NINJA.format(command=command))
    return path


def reported(gateway: Any, build_id: str, name: str) -> list[Any]:
    return [record["data"][name] for record in gateway.of(build_id, "BUILD_UPDATE") if name in record["data"]]


def metrics(gateway: Any, build_id: str) -> dict[str, Any]:
    return gateway.of(build_id, "BUILD_COMPLETE")[0]["data"]["metrics"]


@pytest.fixture
def build(agent, gateway, tmp_path):
    """Builds in `tmp_path` and gives the build's id."""
    agent.environment["PATH"] = f"{TOOLS}{os.pathsep}{agent.environment['PATH']}"

    def run(*command: str, options: tuple[str, ...] = ()) -> str:
        known = set(gateway.records)
        done = agent.run("run", "--project", "p", *options, "--", *command, cwd=tmp_path)
        assert done.stderr == b"", done.stderr
        (build_id,) = set(gateway.records) - known
        return build_id

    return run


def test_steps_of_this_build_are_reported_beside_those_before(build, gateway, tmp_path) -> None:
    """Slowest steps, the longest chain, and what the same step took in the build before; not what ran earlier."""
    tree = ninja_project(tmp_path / "out")
    first = build("ninja", "-C", "out")
    (tree / "a.o").unlink()
    second = build("ninja", "-C", "out")

    (before,), (after,) = reported(gateway, first, "stepTimes"), reported(gateway, second, "stepTimes")
    assert 3 == before["count"]
    assert "previousMs" not in before["slowest"][0]
    assert {"a.o", "app"} == {step["output"] for step in after["slowest"]}
    assert all("previousMs" in step for step in after["slowest"])
    assert ["a.o", "app"] == [step["output"] for step in after["criticalPath"]]
    assert metrics(gateway, second)["criticalPathMs"] == sum(step["durationMs"] for step in after["criticalPath"])
    assert metrics(gateway, second)["diskBytes"] > 0


@pytest.mark.parametrize(
    ("announcing", "build_in"),
    [
        ("echo '-- Build files have been written to: {tree}'", "(cd {tree} && ninja)"),
        ("true", "ninja -C deep/out"),
    ],
)
def test_a_directory_that_only_the_output_names_is_looked_at(build, gateway, tmp_path, announcing, build_in) -> None:
    """A script does not say where it builds; CMake and ninja do."""
    (tmp_path / "deep").mkdir()
    tree = ninja_project(tmp_path / "deep" / "out", command="sleep 0.2 && touch $out")
    script = tmp_path / "build.sh"
    script.write_text("\n".join(["#!/bin/sh", "set -e", announcing, "sleep 0.2", build_in]).format(tree=tree))
    script.chmod(0o755)

    build_id = build("./build.sh")

    (times,) = reported(gateway, build_id, "stepTimes")
    assert 3 == times["count"]
    assert {"a.o", "b.o", "app"} == {step["output"] for step in times["slowest"]}


def test_a_directory_found_late_is_read_in_full(tmp_path) -> None:
    """What ninja logged since the command began is the command's, whenever we look; what stood there before is not."""
    tree = ninja_project(tmp_path / "out")
    ninja = [f"{TOOLS}/ninja", "-C", str(tree)]
    subprocess.run(ninja, check=True, stdout=subprocess.DEVNULL)
    begun_ns = (tree / "app").stat().st_mtime_ns + 2 * STAMP_SLACK_NS
    (tree / "a.o").unlink()
    while time.time_ns() < begun_ns + STAMP_SLACK_NS:
        time.sleep(0.001)
    subprocess.run(ninja, check=True, stdout=subprocess.DEVNULL)

    watch = NinjaWatch(BuildTree(str(tree)), begun_ns)
    watch.load()
    watch.read_new()

    assert {"a.o", "app"} == {step.key for step in watch.steps()}


def test_output_that_names_directories_without_end_costs_little(tmp_path) -> None:
    """What a build prints is only believed of directories that are there, and only so often."""
    for name in range(30):
        ninja_project(tmp_path / f"tree{name}")
    facts = {"start": {"command": ["sh"], "cwd": str(tmp_path)}, "startedAt": 0}
    collector = EvidenceCollector(facts, [], {}, tmp_path / "spool", Redactor([]))

    collector.note_lines([f"ninja: Entering directory `nowhere{n}\0'" for n in range(50)])
    collector.note_lines([f"ninja: Entering directory `tree{n % 30}'" for n in range(1000)])

    assert len(collector._trees) <= TREES_MAX + ANNOUNCED_TREES_MAX
    assert str(tmp_path / "tree0") == collector._trees[0].path


def test_a_log_that_ninja_wrote_anew_loses_nothing(tmp_path) -> None:
    """ninja replaces a log that has grown too long, in another order: what is new in it is still found."""
    old, new = "1\t2\t3\tbefore.o\taa", "4\t9\t5\tnew.o\tbb"
    log = tmp_path / ".ninja_log"
    log.write_text(f"# ninja log v7\n{old}\n")
    watch = NinjaWatch(find_trees(["ninja"], str(tmp_path))[0])
    watch.load()
    (tmp_path / "log").write_text(f"# ninja log v7\n{new}\n{old}\n")
    (tmp_path / "log").replace(log)

    assert ["new.o"] == [entry.output for entry in watch.read_new()]
    with log.open("a") as file:
        file.write("9\t12\t6\tcut")
    assert [] == list(watch.read_new())
    with log.open("a") as file:
        file.write(".o\tcc\n")
    assert ["cut.o"] == [entry.output for entry in watch.read_new()]
    assert ["new.o", "cut.o"] == [step.key for step in watch.steps()]


def test_remaining_time_is_reported_with_progress(build, gateway, tmp_path) -> None:
    """While ninja runs the agent reports how long it will take; in the end nothing is left."""
    ninja_project(tmp_path / "build")
    build_id = build("sh", "-c", "ninja -C build")

    assert 0 == reported(gateway, build_id, "remainingMs")[-1]


JUNIT = "<testsuite>{cases}</testsuite>"


def test_reports_written_by_the_build_are_reported(build, gateway, tmp_path) -> None:
    """Known names, names in the command and `--junit`: results in whole, as records that fit; old reports are not."""
    cases = "".join(f'<testcase classname="suite" name="{"x" * 60}-{n}" time="0.5"/>' for n in range(1200))
    failing = '<testcase name="bad" time="1"><failure message="no"/></testcase>'
    failing += '<testcase name="off" time="nan"><skipped/></testcase>'
    (tmp_path / "stale-junit.xml").write_text(JUNIT.format(cases='<testcase name="old"/>'))
    os.utime(tmp_path / "stale-junit.xml", (1, 1))
    (tmp_path / "many").write_text(JUNIT.format(cases=cases))
    (tmp_path / "few").write_text(JUNIT.format(cases=failing))
    script = "mkdir -p deep/er; cat many > deep/er/mine.xml; cat few > named.xml; echo --xunit-xml-output=named.xml"
    build_id = build("sh", "-c", script, options=("--junit", "deep/**/*.xml"))

    results = reported(gateway, build_id, "tests")
    assert len(results) > 2
    assert 1202 == sum(map(len, results))
    assert {"name": "bad", "outcome": "failed", "tool": "junit", "seconds": 1.0} in [
        test for part in results for test in part
    ]
    assert {"name": "off", "outcome": "skipped", "tool": "junit"} in results[-1]
    totals = metrics(gateway, build_id)
    assert (1200, 1, 1) == (totals["testsPassed"], totals["testsFailed"], totals["testsSkipped"])


def test_changed_configuration_is_reported_until_it_is_green(build, gateway, tmp_path) -> None:
    """Builds show what differs from the last green one, secrets masked; then green makes it the measure."""
    cache = tmp_path / "build" / "CMakeCache.txt"
    cache.parent.mkdir()
    lines = "CMAKE_BUILD_TYPE:STRING={}\nDEPLOY_TOKEN:STRING={}\nX_NOTE:INTERNAL={}\n"
    cache.write_text(lines.format("Release", "first-secret", 1))
    build("true")
    cache.write_text(lines.format("Debug", "second-secret", 2) + "MLIR_ON:BOOL=ON\n")
    red, green, later = build("false"), build("true"), build("false")

    expected = [{"name": "CMAKE_BUILD_TYPE", "before": "Release", "after": "Debug"}, {"name": "MLIR_ON", "after": "ON"}]
    assert [expected] == reported(gateway, red, "configurationChanges")
    assert [expected] == reported(gateway, green, "configurationChanges")
    assert [] == reported(gateway, later, "configurationChanges")
    assert "second-secret" not in json.dumps(gateway.records)


def test_time_traces_of_this_build_are_summed(build, gateway, tmp_path) -> None:
    """Clang's traces beside the objects are added up: headers, templates and phases, greatest first."""
    event = {"name": "Source", "dur": 700_000, "args": {"detail": "big.h"}}
    trace = json.dumps(
        {"traceEvents": [event, {"name": "Frontend", "dur": 900_000}, {"name": "Total Frontend", "dur": 1}]}
    )
    (tmp_path / "trace").write_text(trace)
    # Half a per cent of the build's time is for reading; the first trace is always read.
    ninja_project(tmp_path / "build", "cp ../trace $$(basename $out .o).json; touch $out")
    build_id = build("ninja", "-C", "build", options=())

    (hotspots,) = reported(gateway, build_id, "compileHotspots")
    assert "front end" == hotspots[0]["output"]
    assert "include big.h" == hotspots[1]["output"]
    assert hotspots[0]["durationMs"] in (900, 1800)


@pytest.mark.skipif(not (shutil.which("ccache") and shutil.which("cc")), reason="needs ccache and a C compiler")
def test_hits_of_a_real_ccache_are_counted(build, gateway, agent, tmp_path) -> None:
    """The same source compiled again is a hit, and what was counted before the build is not the build's."""
    shim = tmp_path / "bin" / "ccache"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\n{shutil.which("ccache")} "$@"; code=$?; touch counted; exit $code\n')
    shim.chmod(0o755)
    agent.environment |= {"CCACHE_DIR": str(tmp_path / "cache")}
    agent.environment["PATH"] = f"{shim.parent}{os.pathsep}{agent.environment['PATH']}"
    (tmp_path / "a.c").write_text("int a;\n")
    # Counted beside the command: one of a few milliseconds may be over before.
    script = "until [ -e counted ]; do sleep 0.02; done; ccache cc -c a.c"
    cold = build("sh", "-c", script)
    (tmp_path / "counted").unlink()
    warm = build("sh", "-c", script)

    assert (0, 1) == (metrics(gateway, cold)["cacheHits"], metrics(gateway, cold)["cacheMisses"])
    assert (1, 0) == (metrics(gateway, warm)["cacheHits"], metrics(gateway, warm)["cacheMisses"])


def test_caches_are_recognised_where_they_are_configured() -> None:
    """The launcher of CMakeCache.txt, a variable or the command; switched off is not in use."""
    empty = {"PATH": "/nowhere"}
    assert ["ccache"] == tools_in_use(["ninja"], ["CMAKE_CXX_COMPILER_LAUNCHER:STRING=/usr/bin/ccache\n"], empty)
    assert ["sccache"] == tools_in_use(["cargo"], [], {**empty, "RUSTC_WRAPPER": "sccache"})
    assert ["ccache"] == tools_in_use(["cmake", "-DLLVM_CCACHE_BUILD=ON"], [], empty)
    assert [] == tools_in_use(["ninja"], ["LLVM_CCACHE_BUILD:BOOL=OFF\nCMAKE_AR:FILEPATH=/usr/bin/ar\n"], empty)


def test_counters_are_read_and_subtracted() -> None:
    """Both tools' formats; counters that were reset meanwhile count nothing."""
    assert Lookups(5, 2) == read_ccache("direct_cache_hit\t4\npreprocessed_cache_hit\t1\ncache_miss\t2\nmax\tx\n")
    stats = {"stats": {"cache_hits": {"counts": {"C/C++": 3}}, "cache_misses": {"counts": {"C/C++": 1, "Rust": 1}}}}
    assert Lookups(3, 2) == read_sccache(json.dumps(stats))
    assert read_ccache("error") is None
    assert read_sccache("{}") is None
    assert Lookups(1, 1) == Lookups(3, 2).since(Lookups(2, 1))
    assert Lookups(0, 0).since(Lookups(2, 1)) is None


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["ninja", "-C", "out"], "out"),
        (["cmake", "--build", "out", "-j4"], "out"),
        (["sh", "-c", "cd x && cmake -G Ninja -Bout .. && ninja"], "out"),
        (["make", "--directory=out"], "out"),
    ],
)
def test_named_build_directories_are_found(command, expected, tmp_path) -> None:
    """What the command names comes first; the working directory and its `build` are looked at too."""
    paths = [tree.path for tree in find_trees(command, str(tmp_path))]

    assert str(tmp_path / expected) == paths[0]
    assert [str(tmp_path), str(tmp_path / "build")] == paths[-2:]


def test_lists_are_cut_where_a_record_ends() -> None:
    """Every part is within the limit, and together they are the whole."""
    items = [{"n": "é" * n} for n in range(100)]
    parts = list(chunks(items, 30, 1000))

    assert items == [item for part in parts for item in part]
    assert all(len(part) <= 30 for part in parts)
    assert all(encoded_bytes(part) <= 1000 for part in parts)


def test_disk_use_counts_blocks_once(tmp_path) -> None:
    """Directories below are counted, links are not followed, what is not there is nothing."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "link").symlink_to(tmp_path / "a")

    assert 100_000 <= used_bytes(str(tmp_path)) < 150_000
    assert 0 == used_bytes(str(tmp_path / "gone"))
