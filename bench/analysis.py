"""Measures the analyser in CPU time and memory, on lines like those of green and of failing LLVM builds.

    python -m bench.analysis [--plain]

`--plain` measures the search that serves where google-re2 has no wheel. Each figure is the best of three.
"""

import sys
import time
import tracemalloc

from build_analysis import automaton
from build_analysis.analyzer import LogAnalyzer
from build_analysis.progress import ProgressReader

COUNT = 60_000
CHUNK_LINES = 500
REPETITIONS = 3
FLAGS = " ".join(f"-I/src/llvm-project/mlir/lib/Dialect/D{i}/include" for i in range(24))


def logs() -> dict[str, list[str]]:
    """Some kinds of output, by name."""
    path = "tools/mlir/lib/Dialect/Linalg/CMakeFiles/obj.MLIRLinalgTransforms.dir"
    step = f"[{{i}}/{COUNT}] Building CXX object {path}/F{{i}}.cpp.o"
    edge = (
        "[{i}/9] Building CXX object lib/F{i}.cpp.o",
        "FAILED: lib/F{i}.cpp.o ",
        f"/usr/bin/c++ {FLAGS} -O3 -std=c++17 -fno-exceptions -o lib/F{{i}}.cpp.o -c /src/lib/F{{i}}.cpp",
        "/src/lib/F{i}.cpp: In member function 'mlir::LogicalResult mlir::F{i}::verify()':",
        "/src/lib/F{i}.cpp:{i}:25: error: 'class mlir::F{i}' has no member named 'getOperandTypes'",
        " 1200 |   for (Type type : this->getOperandTypes())",
        "      |                          ^~~~~~~~~~~~~~~",
    )
    return {
        "green ninja": [step.format(i=i) for i in range(COUNT)],
        "green ninja, GitHub stamps": [f"2031-01-02T03:04:05.1234567Z {step.format(i=i)}" for i in range(COUNT)],
        "green ninja -v": [f"[{i}/{COUNT}] /usr/bin/c++ {FLAGS} -c F{i}.cpp" for i in range(COUNT // 10)],
        "green lit -v": [f"PASS: MLIR :: Dialect/Linalg/transform-{i}.mlir ({i} of {COUNT})" for i in range(COUNT)],
        "warnings": [
            f"/src/lib/F.cpp:{i}:12: warning: unused variable 'x{i}' [-Wunused-variable]" for i in range(COUNT)
        ],
        "dense: every edge fails": [line.format(i=i) for i in range(COUNT // 10) for line in edge],
        "dense: every line an error": [edge[4].format(i=i) for i in range(COUNT)],
        "dense: every line scary": [
            f"note {i}: the fatal error handler failed to assert a timeout" for i in range(COUNT)
        ],
        "lines of 1 MB": ["/a" * 500_000 + ":1:2: error: x", "Assertion `" * 90_000, "(: error" * 120_000] * 3,
    }


def best_seconds(lines: list[str]) -> tuple[float, float]:
    """The CPU time of reading all lines, of the analyser and of the progress reader."""
    analyzing = reading = float("inf")
    for _ in range(REPETITIONS):
        analyzer, reader = LogAnalyzer(), ProgressReader()
        analyzed = read = 0.0
        for start in range(0, len(lines), CHUNK_LINES):
            chunk = lines[start : start + CHUNK_LINES]
            before = time.process_time()
            analyzer.feed(start + 1, chunk)
            between = time.process_time()
            reader.read_chunk(chunk)
            analyzed, read = analyzed + between - before, read + time.process_time() - between
        analyzing, reading = min(analyzing, analyzed), min(reading, read)
    return analyzing, max(reading, 1e-6)


def held_bytes(count: int) -> int:
    """What one analyser holds after `count` failing edges amid green steps."""
    tracemalloc.start()
    analyzer = LogAnalyzer()
    before = tracemalloc.get_traced_memory()[0]
    for i in range(count):
        lines = [f"[{i}/{count}] Building CXX object lib/f{i}.cpp.o"] * 20
        lines += [f"FAILED: f{i}.o", f"c++ -c f{i}.cpp", f"f{i}.cpp:{i}:1: error: no member named 'x{i}'"]
        analyzer.feed(i * len(lines) + 1, lines)
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return held


def main() -> None:
    """Print megabytes a second of CPU time, and what an analyser holds."""
    if "--plain" in sys.argv:
        automaton.re2 = None
    sys.stdout.write(f"google-re2: {'no' if automaton.re2 is None else 'yes'}\n")
    LogAnalyzer()  # the rules are read once a process
    for name, lines in logs().items():
        analyzing, reading = best_seconds(lines)
        size = sum(len(line) + 1 for line in lines) / 1e6
        sys.stdout.write(f"{name:28} analyser {size / analyzing:8.1f} MB/s   progress {size / reading:9.0f} MB/s\n")
    for count in (1_000, 4_000):
        sys.stdout.write(f"held after {count} failing edges: {held_bytes(count) / 1024:.0f} KiB\n")


if __name__ == "__main__":
    main()
