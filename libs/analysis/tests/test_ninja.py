"""ninja's log and graph: which steps ran, what the last whole run was, which chain was the longest."""

from build_analysis.ninja_files import BuiltStep, last_whole_run, read_ninja_log, steps_of
from build_analysis.step_graph import Followers, StepGraph

LOG = """# ninja log v6
0\t40\t1\ta.o\taa
0\t60\t1\tb.o\tbb
60\t90\t1\tgen.h\tcc
60\t90\t1\tgen.cpp\tcc
90\t100\t1\tapp\tdd
0\t30\t2\ta.o\taa
30\t45\t2\tapp\tdd
"""


def test_outputs_of_one_command_are_one_step() -> None:
    """ninja logs a line for each output; a step that made two ran once."""
    steps = steps_of(read_ninja_log(LOG))

    assert ("gen.h", "gen.cpp") in [step.outputs for step in steps]
    assert 6 == len(steps)


def test_step_is_known_by_the_same_output_in_every_log() -> None:
    """A rewritten log has the outputs in another order, and CMake names some of them twice."""
    assert "gen.cpp" == BuiltStep(("gen.h", "/b/gen.cpp", "gen.cpp"), 0, 1).key
    assert "gen.cpp" == BuiltStep(("/b/gen.cpp", "gen.cpp", "gen.h"), 0, 1).key


def test_last_whole_run_is_told_from_later_small_ones() -> None:
    """Times fall back where a run begins; the newest run that built most of the outputs is the last whole one."""
    run = last_whole_run(read_ninja_log(LOG))

    assert ["a.o", "b.o", "gen.cpp", "app"] == [step.key for step in run]
    assert 100 == max(step.ended_ms for step in run)


def test_log_that_ninja_rewrote_is_one_run() -> None:
    """A recompacted log has lost its order: the newest entry of every output stands for the run."""
    lines = LOG.splitlines()
    shuffled = "\n".join([lines[0], lines[5], lines[2], lines[7], lines[3], lines[6], ""])

    assert {"app": 15, "a.o": 30, "b.o": 60, "gen.h": 30} == {
        step.key: step.duration_ms for step in last_whole_run(read_ninja_log(shuffled))
    }


GRAPH = """ninja_required_version = 1.5
include CMakeFiles/rules.ninja

build obj/a.o: CXX ../a.cpp || order
  FLAGS = -O2
build obj/b$ with$ space.o: CXX ../b.cpp | gen.h $
    || order
build gen.h | ${workdir}gen.h: TBLGEN tool |@ app
build tool: LINK obj/tool.o
build obj/tool.o: CXX C$:/tool.cpp
build order: phony gen.h
build app: LINK obj/a.o obj/b$ with$ space.o
build all: phony all app
"""


def built(*steps: tuple[str, int, int]) -> list[BuiltStep]:
    return [BuiltStep((name,), start, end) for name, start, end in steps]


def test_longest_chain_goes_through_order_only_inputs() -> None:
    """A generated header is waited for though no compile names it as an input; escapes and phony cycles do no harm."""
    steps = built(
        ("obj/tool.o", 0, 50), ("tool", 50, 60), ("gen.h", 60, 90), ("obj/a.o", 90, 100),
        ("obj/b with space.o", 90, 130), ("app", 130, 135),
    )  # fmt: skip
    chain = StepGraph(GRAPH).critical_path(steps)

    assert ["obj/tool.o", "tool", "gen.h", "obj/b with space.o", "app"] == [step.key for step in chain]
    assert 135 == sum(step.duration_ms for step in chain)


def test_chain_is_of_what_ran() -> None:
    """In an incremental build only the steps that ran are in the chain; without any there is none."""
    graph = StepGraph(GRAPH)

    assert ["obj/a.o", "app"] == [s.key for s in graph.critical_path(built(("obj/a.o", 0, 9), ("app", 9, 12)))]
    assert [] == graph.critical_path(built(("elsewhere.o", 0, 9)))
    assert [] == graph.critical_path([])


def test_followers_are_what_is_made_from_a_path() -> None:
    """Over any number of steps, through order-only inputs and phony targets; what is added later counts too."""
    followers = Followers(StepGraph(GRAPH))
    followers.add(["obj/a.o"])

    assert ["app"] == [path for path in ("app", "gen.h", "obj/a.o", "tool") if path in followers]
    followers.add(["tool", "unknown"])
    assert all(path in followers for path in ("gen.h", "obj/a.o", "obj/b with space.o", "app"))
    assert "obj/tool.o" not in followers
