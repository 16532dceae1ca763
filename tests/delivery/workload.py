"""The workload: what every build of a seed prints, and what its log must say. Knows nothing of the product.

Run as a program it is a build: it prints its bytes at a pace and ends with its exit code.
"""

import argparse
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LONG_CHARACTERS = 64 * 1024
COMPILER_ERROR = "src/kernel.cpp:3:1: error: use of undeclared identifier 'tile'"


@dataclass(frozen=True)
class Line:
    """One line: the bytes a build prints, with how they end, and the text that must be stored."""

    printed: bytes
    text: str


@dataclass(frozen=True)
class Build:
    """One build of the workload. `number` is its name within the seed."""

    seed: int
    number: int
    count: int
    is_red: bool = False

    @property
    def lines(self) -> list[Line]:
        """All lines, the last without a final newline."""
        lines = list(self._lines())
        if self.is_red:
            lines.append(Line(COMPILER_ERROR.encode() + b"\n", COMPILER_ERROR))
        last = f"{self.name} ends without a newline"
        return [*lines, Line(last.encode(), last)]

    @property
    def texts(self) -> list[str]:
        """What the log must say, a line each."""
        return [line.text for line in self.lines]

    @property
    def name(self) -> str:
        """The words by which its lines differ from every other build's."""
        return f"seed {self.seed} build {self.number}"

    @property
    def product(self) -> bytes:
        """The file it produces, where it is asked to."""
        return random.Random(f"{self.seed}/{self.number}/product").randbytes(300_000)

    @property
    def status(self) -> str:
        """How it must end."""
        return "failed" if self.is_red else "succeeded"

    def _lines(self) -> Iterator[Line]:
        draw = random.Random(f"{self.seed}/{self.number}")
        for number in range(1, self.count + 1):
            word = f"{self.name} line {number} {draw.getrandbits(64):016x}"
            yield _awkward(draw.randrange(24), word)


def _awkward(kind: int, word: str) -> Line:
    """Most lines are plain; the others are what logs are full of."""
    match kind:
        case 0:
            word, printed = "", b""
        case 1:
            word = f"\x1b[1;31m{word}\x1b[0m"
            printed = word.encode()
        case 2:
            printed = word.encode() + b" \xff\xfe"
            word += " \ufffd\ufffd"
        case 3:
            # Each part is as long as the one before, so that nothing of it can be left over.
            parts = [f"{word} {percent:3d}%" for percent in (10, 50, 100)]
            word, printed = parts[-1], "\r".join(parts).encode()
        case 4:
            printed = word.encode() + b"\r"
        case 5:
            word += " \u2603 \U0001f600"
            printed = word.encode()
        case 6 if word.endswith(("0", "1", "2", "3")):
            word = f"{word} ".ljust(LONG_CHARACTERS, "x")
            printed = word.encode()
        case 7:
            word += ' <script>"\\u0000\\"\t{}'
            printed = word.encode()
        case _:
            printed = word.encode()
    return Line(printed + b"\n", word)


def main() -> int:
    """Be a build: note which build id we were given, print, and end as asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--lines", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=0.0, help="from the first line to the last")
    parser.add_argument("--red", action="store_true")
    parser.add_argument("--product", type=Path, help="the file to produce")
    parser.add_argument("--id-file", type=Path, required=True, help="where the build id given to us is noted")
    options = parser.parse_args()
    build = Build(options.seed, options.number, options.lines, options.red)
    options.id_file.write_text(os.environ["BUILD_DASHBOARD_BUILD_ID"])
    lines = build.lines
    began = time.monotonic()
    for place, line in enumerate(lines):
        due = began + options.seconds * place / len(lines)
        if due > time.monotonic():
            sys.stdout.buffer.flush()
            time.sleep(max(0.0, due - time.monotonic()))
        sys.stdout.buffer.write(line.printed)
    sys.stdout.buffer.flush()
    if options.product is not None:
        options.product.write_bytes(build.product)
    return 1 if build.is_red else 0


if __name__ == "__main__":
    sys.exit(main())
