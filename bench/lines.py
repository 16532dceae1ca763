"""Prints lines like a build's, flat out (`bench/lines.py 200000`) or at a pace (`bench/lines.py 1000 --every 0.02`).

Flat out they look like ninja and clang (about 114 bytes each); at a pace each line carries the time it was printed, in
nanoseconds since the Unix epoch, so that a viewer knows how old it is.
"""

import argparse
import sys
import time

DIRECTORIES = (
    "lib/Dialect/Linalg/Transforms",
    "lib/Conversion/TorchToLinalg",
    "lib/Analysis",
    "tools/mlir-opt",
    "lib/IR",
)


def flat_out(count: int) -> None:
    """Print `count` lines with one write per thousand."""
    for start in range(0, count, 1000):
        chunk = (
            f"[{n}/{count}] Building CXX object {DIRECTORIES[n % 5]}/CMakeFiles/obj.MLIR{n * 7919 % 100_003:06d}.dir/"
            f"Pass{n % 977}Pattern.cpp.o"
            for n in range(start + 1, min(start + 1000, count) + 1)
        )
        sys.stdout.write("\n".join(chunk) + "\n")
    sys.stdout.flush()


def paced(count: int, every: float) -> None:
    """Print a stamped line every `every` seconds; late ones do not push the following ones back."""
    begin = time.monotonic()
    for n in range(count):
        time.sleep(max(0.0, begin + n * every - time.monotonic()))
        print(
            f"stamp {time.time_ns()} [{n}/{count}] Building CXX object {DIRECTORIES[n % 5]}/Pattern.cpp.o", flush=True
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("--every", type=float, metavar="SECONDS")
    arguments = parser.parse_args()
    if arguments.every is None:
        flat_out(arguments.count)
    else:
        paced(arguments.count, arguments.every)
