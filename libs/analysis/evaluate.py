"""Measures the analyser against labelled logs: category, first-error line, place, and signatures under renaming.

    python libs/analysis/evaluate.py --labels index.jsonl --logs DIR [--half dev|held-out] [--misses]

A label is a JSON object with `id`, `category` (null: not asked), `also_ok`, `file`, `line`, `accept_lines` (or
`log_line`), `repo`; the log of `id` is `DIR/<id>.log`. The id's CRC decides in which half a log is, so that rules can
be written while reading one half only. What one repository prints is alike, so the share of right first lines is also
given with each repository counting the same.
"""

import argparse
import json
import random
import re
import sys
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from build_analysis.analyzer import LogAnalyzer
from build_analysis.failure import Failure

GREEN_LINES = 20_000
RENAMINGS = 3
SHORT_PATH = 3
"""A path of so few names is no place of a build."""


@dataclass
class Score:
    """Counts of one run."""

    total: int = 0
    right: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    categories: dict[str, list[int]] = field(default_factory=dict)
    misses: list[str] = field(default_factory=list)
    lines_by_repo: dict[str, list[bool]] = field(default_factory=dict)

    def ask(self, what: str, name: str, *, right: bool, found: object = "", expected: object = "") -> None:
        """Count one question and its answer."""
        self.asked[what] += 1
        self.right[what] += right
        if not right:
            self.misses.append(f"{name}: {what}: found {found!r}, expected {expected!r}")


def first_failure(lines: list[str], chunk: int = 500) -> Failure | None:
    """The analyser's first failure of a log."""
    analyzer = LogAnalyzer()
    for start in range(0, len(lines), chunk):
        analyzer.feed(start + 1, lines[start : start + chunk])
    return analyzer.finish().first()


def same_place(found: Failure, label: dict[str, Any]) -> bool:
    """Whether file (compared by its tail) and line agree; nothing may be claimed where the label has none."""
    if label["file"] is None:
        return found.file is None
    if found.file is None:
        return False
    mine, theirs = (path.replace("\\", "/").lower() for path in (found.file, label["file"]))
    return (mine.endswith(theirs) or theirs.endswith(mine)) and (label["line"] is None or found.line == label["line"])


def renamed(lines: list[str], seed: int) -> list[str]:
    """The same log as another machine, user and day would have printed it.

    Other roots, drives, users, build environments, bazel output bases, pids, addresses, commits, temporary names, order
    of steps and tests, durations, lines of generated files, stamps.
    """
    dice = random.Random(seed)  # noqa: S311 - no secret

    def digits(count: int) -> str:
        return "".join(dice.choice("0123456789abcdef") for _ in range(count))

    user = dice.choice(["bob", "ci", "jenkins-3", "x_1"])
    root = dice.choice([f"/home/{user}/w", f"/Users/{user}/dev", f"/mnt/b{digits(2)}/ws", f"/var/{user}/workspace/p@2"])

    def path(match: re.Match[str]) -> str:
        names = match[0].split("/")
        return match[0] if len(names) <= SHORT_PATH else "/".join([root, *names[-2:]])

    changes: list[tuple[str, Callable[[re.Match[str]], str]]] = [
        (r"_bazel_\w+/[0-9a-f]{32}", lambda _: f"_bazel_{user}/{digits(32)}"),
        (r"/nix/store/\w{32}-", lambda _: f"/nix/store/{digits(32)}-"),
        (r"pip-(build-env|install|req-build)-\w+", lambda m: f"pip-{m[1]}-{digits(8)}"),
        (r"(?<![\w.:/\-+@~])/(?:[\w.+@~-]+/)+[\w.+@~-]+", path),
        (r"\b[A-Za-z]:\\(?:[\w.+@~ -]+\\)+(?=[\w.+@~-])", lambda _: f"{dice.choice('CDE')}:\\ci\\{digits(3)}\\"),
        (r"0x[0-9a-f]{5,16}", lambda _: f"0x{digits(12)}"),
        (r"==\d+==", lambda _: f"=={dice.randrange(100, 99999)}=="),
        (r"\bpid[= ]\d+", lambda _: f"pid={dice.randrange(100, 99999)}"),
        (r"\b[0-9a-f]{40}\b", lambda _: digits(40)),
        (r"\bcc[A-Za-z0-9]{6}(?=\.(?:s|o))", lambda _: f"cc{dice.randrange(10**5, 10**6)}"),
        (r"\[(\d+)/(\d+)\]", lambda m: f"[{dice.randrange(1, int(m[2]) + 1)}/{m[2]}]" if int(m[2]) else m[0]),
        (r"\((\d+) of (\d+)\)", lambda _: f"({dice.randrange(1, 9999)} of 9999)"),
        (r"\.inc:(\d+):", lambda m: f".inc:{int(m[1]) + 17}:"),
        (r"\b\d+\.\d+ sec\b", lambda _: f"{9 * dice.random():.2f} sec"),
        (r"^\d{4}-\d\d-\d\dT[\d:.]+Z", lambda _: f"2033-05-06T07:08:09.{dice.randrange(10**7):07}Z"),
    ]
    result = []
    for line in lines:
        for pattern, change in changes:
            line = re.sub(pattern, change, line)  # noqa: PLW2901 - each change builds on the one before
        result.append(line)
    return result


def green_lines(count: int) -> list[str]:
    """Green output with words that frighten: none of it is a failure."""
    scary = [
        "-- Performing Test HAVE_ERROR_T - Failed",
        "PASS: MLIR :: IR/error-handling-fatal.mlir (3 of 9)",
        "XFAIL: MLIR :: Transforms/assert-fail.mlir (4 of 9)",
        "-- Looking for sys/timeout.h - not found",
        "CMake Warning at CMakeLists.txt:3 (message):",
        "/src/a.cpp:3:5: warning: 'error' is deprecated: failed to be killed [-Wdeprecated]",
        "[ RUN      ] DeathTest.AbortsOnFatalError",
        "[       OK ] DeathTest.AbortsOnFatalError (3 ms)",
        "[7/9] Building CXX object lib/Support/CMakeFiles/S.dir/ErrorHandling.cpp.o",
        "0 errors, 0 failures",
    ]
    return [
        scary[i % len(scary)] if i % 7 == 0 else f"[{i}/{2 * count}] Building CXX object lib/f{i}.cpp.o"
        for i in range(count)
    ]


def evaluate(labels: list[dict[str, Any]], logs: Path) -> Score:
    """Ask the analyser about each labelled log, alone, renamed, and behind many green lines."""
    score = Score()
    green = green_lines(GREEN_LINES)
    for label in labels:
        name = label["id"]
        lines = (logs / f"{name}.log").read_text("utf-8", "replace").rstrip("\n").split("\n")
        found = first_failure(lines)
        if label["category"] is not None:
            right = found is not None and found.category in (label["category"], *label.get("also_ok", []))
            counts = score.categories.setdefault(label["category"], [0, 0])
            counts[0] += right
            counts[1] += 1
            score.ask("category", name, right=right, found=found and found.category, expected=label["category"])
        accepted = label.get("accept_lines") or [label["log_line"]]
        is_right = found is not None and found.first_line in accepted
        score.lines_by_repo.setdefault(label.get("repo", name.partition("-")[0]), []).append(is_right)
        score.ask(
            "first line",
            name,
            right=is_right,
            found=found and found.first_line,
            expected=accepted,
        )
        if label["file"] is not None:
            place = (label["file"], label["line"])
            score.ask(
                "place",
                name,
                right=found is not None and same_place(found, label),
                found=found and (found.file, found.line),
                expected=place,
            )
        elif label["category"] is not None:
            score.ask(
                "no place claimed",
                name,
                right=found is None or found.file is None,
                found=found and (found.file, found.line),
            )
        if location := label.get("project_location"):
            score.ask(
                "project location",
                name,
                right=found is not None and (found.project_location or "").startswith(location),
                found=found and found.project_location,
                expected=location,
            )
        for seed in range(RENAMINGS):
            again = first_failure(renamed(lines, zlib.crc32(name.encode()) + seed))
            same = found is not None and again is not None and again.signature == found.signature
            score.ask(
                "signature",
                name,
                right=same,
                found=again and again.signature_parts,
                expected=found and found.signature_parts,
            )
        behind = first_failure([*green, *lines])
        amid = first_failure([*green, *lines, *green])
        score.ask(
            "amid green lines",
            name,
            right=found is not None and amid is not None and amid.first_line == found.first_line + len(green),
            found=amid and (amid.first_line - len(green), amid.message),
        )
        shifted = found is not None and behind is not None and behind.first_line == found.first_line + len(green)
        score.ask(
            "behind green lines", name, right=shifted, found=behind and (behind.first_line - len(green), behind.message)
        )
    return score


def main() -> int:
    """Print the scores; the exit code is 0 whatever they are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--half", choices=["dev", "held-out"])
    parser.add_argument("--misses", action="store_true")
    arguments = parser.parse_args()
    labels = [json.loads(line) for line in arguments.labels.read_text("utf-8").splitlines() if line.strip()]
    if arguments.half:
        parity = 0 if arguments.half == "dev" else 1
        labels = [label for label in labels if zlib.crc32(label["id"].encode()) % 2 == parity]
    score = evaluate(labels, arguments.logs)
    out = sys.stdout.write
    for category, (right, total) in sorted(score.categories.items()):
        out(f"  {category:26} {right}/{total}\n")
    for what, asked in score.asked.items():
        out(f"{what:20} {score.right[what]}/{asked} = {100 * score.right[what] / asked:.1f} %\n")
    shares = [sum(rights) / len(rights) for rights in score.lines_by_repo.values()]
    out(f"first line, mean over {len(shares)} repositories: {100 * sum(shares) / max(1, len(shares)):.1f} %\n")
    if arguments.misses:
        out("\n".join(score.misses) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
