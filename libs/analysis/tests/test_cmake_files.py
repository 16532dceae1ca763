"""What CMake's instrumentation writes, as CMake 4.4.5 and 4.3 wrote it, and as nobody should."""

import json

import pytest
from build_analysis.cmake_instrumentation import RunCommand, read_command, steps_of, without_launcher

COMPILE = {
    "command": "/usr/bin/c++ -o CMakeFiles/a.dir/a.cpp.o -c /src/sub dir/a.cpp",
    "duration": 21,
    "language": "C++",
    "outputSizes": [1104],
    "outputs": ["CMakeFiles/a.dir/a.cpp.o"],
    "result": 0,
    "role": "compile",
    "source": "/src/sub dir/a.cpp",
    "target": "a",
    "targetLabels": [],
    "timeStart": 1796095000294,
    "version": {"major": 1, "minor": 1},
    "workingDir": "/src/build/sd",
}
"""Of a Makefile, which runs its commands in each directory; ninja runs all of them in one."""


def read(**changes: object) -> RunCommand:
    return read_command(json.dumps(COMPILE | changes), "/src/build")


def test_a_command_is_read_whatever_generator_ran_it() -> None:
    """Outputs are relative to the build directory, also where the command ran below it, names outside stay whole."""
    expected = RunCommand("compile", ("sd/CMakeFiles/a.dir/a.cpp.o",), "a", 1796095000294, 21)

    assert read() == expected
    assert read(version=1) == expected  # CMake 4.3
    assert read(workingDir="/src/build", outputs=["sd/./CMakeFiles/a.dir/a.cpp.o"]) == expected
    assert read(outputs=["/src/build/sd/x", "../../gen.h", "x"]).outputs == ("sd/x", "/src/gen.h")
    assert read(role="custom", target=None, outputs=[]).target is None


@pytest.mark.parametrize(
    "changes",
    [
        {"version": {"major": 2, "minor": 0}},
        {"version": None},
        {"role": "cmakeBuild"},
        {"role": ["compile"]},
        {"timeStart": "1796095000294"},
        {"timeStart": -1},
        {"duration": True},
        {"duration": 2**60},
        {"outputs": "a.o"},
        {"outputs": [7]},
    ],
)
def test_what_is_no_command_that_made_something_is_refused(changes) -> None:
    """Nothing is taken for a time or a name that is none."""
    with pytest.raises((ValueError, TypeError)):
        read(**changes)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '{"version": 1}'])
def test_files_that_are_not_whole_are_refused(text) -> None:
    """One that is being written, or none of CMake's."""
    with pytest.raises(ValueError, match=r"Expecting|no object|no command"):
        read_command(text, "/src/build")


def test_commands_that_make_the_same_are_one_step() -> None:
    """`ar` and `ranlib`, the lines of a custom command: from the first one's start to the last one's end."""
    steps = steps_of(
        [
            RunCommand("link", ("liba.a",), "a", 1500, 10),
            RunCommand("link", ("liba.a",), "a", 1400, 90),
            RunCommand("compile", ("a.o",), "a", 1000, 300),
            RunCommand("custom", (), None, 1100, 5),
        ]
    )

    assert {(step.key, step.started_ms, step.ended_ms) for step in steps} == {("liba.a", 400, 510), ("a.o", 0, 300)}
    assert steps_of([]) == []


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        ('"/my cmake/ctest" --instrument --command-type compile --config  --output a.o --  c++ -o a.o', "c++ -o a.o"),
        ("cd /b && /x/ctest --instrument -- touch a && ctest --instrument -- touch b", "cd /b && touch a && touch b"),
        ("ctest --instrument", "ctest --instrument"),
        ("/usr/bin/mytest --instrument -- x", "/usr/bin/mytest --instrument -- x"),
        ("c++ -o a.o", "c++ -o a.o"),
    ],
)
def test_the_launcher_is_no_part_of_a_command(command, meant) -> None:
    """What is shown as the failed command is what people know."""
    assert without_launcher(command) == meant
