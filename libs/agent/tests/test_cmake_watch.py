"""Steps that CMake timed itself, of real builds where this machine has a CMake that does."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from build_analysis.ninja_files import read_ninja_log
from build_dashboard.evidence import cmake_watch
from build_dashboard.evidence.cmake_watch import DATA, CMakeSteps, read_cmake_steps

pytestmark = pytest.mark.slow

LISTS = """cmake_minimum_required(VERSION 3.20)
project(P C)
add_subdirectory(lib)
add_executable(m m.c)
target_link_libraries(m a)
add_custom_command(OUTPUT gen.txt COMMAND sleep 0.2 COMMAND touch gen.txt)
add_custom_target(g ALL DEPENDS gen.txt)
"""


def cmake_version() -> tuple[int, ...]:
    if shutil.which("cmake") is None:
        return ()
    printed = subprocess.run(["cmake", "--version"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"(\d+)\.(\d+)", printed)
    return tuple(map(int, found.groups())) if found else ()


def note(tree: Path, name: str, started_at: float, **changes: object) -> None:
    """A file as CMake writes it."""
    (tree / DATA).mkdir(parents=True, exist_ok=True)
    facts = {"version": 1, "role": "compile", "outputs": [f"{name}.o"], "target": "a", "workingDir": str(tree)}
    facts |= {"timeStart": int(started_at * 1000), "duration": 10}
    (tree / DATA / f"compile-{name}.json").write_text(json.dumps(facts | changes))


def test_only_this_builds_commands_count(tmp_path) -> None:
    """Earlier builds' files, of which CMake deletes none by itself, and what is no file of a command, are left out."""
    since = time.time()
    note(tmp_path, "old", since - 100)
    os.utime(tmp_path / DATA / "compile-old.json", (since - 100, since - 100))
    note(tmp_path, "touched", since - 100)
    note(tmp_path, "new", since + 1)
    (tmp_path / DATA / "compile-half.json").write_text('{"version": 1')
    (tmp_path / DATA / "compile-bytes.json").write_bytes(b"\xff\0")
    (tmp_path / DATA / "link-folder.json").mkdir()
    (tmp_path / DATA / "configure-x.json").write_text("{}")

    found = read_cmake_steps(str(tmp_path), since, 1.0)

    assert [step.key for step in found.steps] == ["new.o"]
    assert found.targets == {"new.o": "a"}


def test_too_much_to_read_is_nothing(tmp_path, monkeypatch) -> None:
    """Half of the steps would be shown as all of them."""
    note(tmp_path, "a", time.time() + 1)
    note(tmp_path, "b", time.time() + 1)
    ticks = iter((0.0, 0.1, 100.0))
    assert read_cmake_steps(str(tmp_path), 0.0, 1.0, clock=lambda: next(ticks)) == CMakeSteps()
    monkeypatch.setattr(cmake_watch, "FILES_MAX", 1)
    assert read_cmake_steps(str(tmp_path), 0.0, 1.0) == CMakeSteps()
    assert read_cmake_steps(str(tmp_path / "none"), 0.0, 1.0) == CMakeSteps()


def test_a_build_has_the_steps_that_cmake_noted(agent, gateway, tmp_path) -> None:
    """Without ninja's log: count, the slowest steps and their targets; there is no graph, so no longest chain."""
    script = tmp_path / "make.py"
    script.write_text(
        "import json, pathlib, time\n"
        f"data = pathlib.Path('b/{DATA}'); data.mkdir(parents=True)\n"
        "pathlib.Path('b/CMakeCache.txt').write_text('')\n"
        "for name, took in (('a', 700), ('b', 20)):\n"
        "    facts = {'version': 1, 'role': 'compile', 'outputs': [name + '.o'], 'target': 'lib' + name}\n"
        "    facts |= {'workingDir': str(pathlib.Path('b').resolve()), 'timeStart': time.time_ns() // 10**6}\n"
        "    (data / f'compile-{name}.json').write_text(json.dumps(facts | {'duration': took}))\n"
    )
    agent.build("sh", "-c", "python3 make.py -B b", cwd=tmp_path)

    (times,) = step_times(gateway, gateway.only_build())
    assert times == {
        "count": 2,
        "slowest": [
            {"output": "a.o", "durationMs": 700, "target": "liba"},
            {"output": "b.o", "durationMs": 20, "target": "libb"},
        ],
        "criticalPath": [],
    }


@pytest.mark.skipif(cmake_version() < (4, 3), reason="CMake before 4.3 has no instrumentation")
@pytest.mark.parametrize("generator", ["Unix Makefiles", "Ninja"])
def test_real_builds_agree_with_what_the_tools_noted(agent, gateway, tmp_path, generator) -> None:
    """Steps and targets of CMake's own files, and ninja's log beside them."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "CMakeLists.txt").write_text(LISTS)
    (tmp_path / "lib/CMakeLists.txt").write_text("add_library(a a.c)\n")
    (tmp_path / "lib/a.c").write_text("int a(void) { return 0; }\n")
    (tmp_path / "m.c").write_text("int a(void); int main(void) { return a(); }\n")
    query = tmp_path / "b/.cmake/instrumentation/v1/query"
    query.mkdir(parents=True)
    (query / "steps.json").write_text('{"version": 1}')
    agent.build("sh", "-c", f"cmake -S . -B b -G '{generator}' && cmake --build b", cwd=tmp_path)

    build = gateway.only_build()
    assert gateway.of(build, "BUILD_COMPLETE")[0]["data"]["status"] == "succeeded"
    (times,) = step_times(gateway, build)
    took = {step["output"]: step for step in times["slowest"]}
    targets = {name: step.get("target") for name, step in took.items()}
    targets.pop("start_instrument", None)  # CMake's own edge, which ninja counts and logs as any other
    assert targets == {
        "CMakeFiles/m.dir/m.c.o": "m",
        "m": "m",
        "lib/CMakeFiles/a.dir/a.c.o": "a",
        "lib/liba.a": "a",
        "gen.txt": None,
    } | ({"CMakeFiles/g": None} if "CMakeFiles/g" in targets else {})
    assert took["gen.txt"]["durationMs"] >= 200
    if generator == "Ninja":
        logged = {entry.output: entry.duration_ms for entry in read_ninja_log((tmp_path / "b/.ninja_log").read_text())}
        assert all(logged[name] == step["durationMs"] for name, step in took.items())
        assert times["criticalPath"]


def step_times(gateway: Any, build_id: str) -> list[Any]:
    updates = [record["data"] for record in gateway.of(build_id, "BUILD_UPDATE")]
    return [data["stepTimes"] for data in updates if "stepTimes" in data]
