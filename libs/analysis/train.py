# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2", "scipy>=1.14", "pydantic>=2.12", "pyyaml>=6"]
# ///
"""Learns which line says why a run failed, from labelled logs, and writes it down as plain numbers.

    uv run --script libs/analysis/train.py --labels labels.jsonl --logs DIR [--write] [--folds 5]

A label is a JSON object with `id`, `repo` and what a person marked as the reason: `ranges` of lines, counted from 1, or
`accept_lines`; its log is DIR/<id>.log, or `path` below DIR. What is learned is a linear ranking of the lines before a
wrapper's word (`line_features.py`): the probability of a line among these is a softmax, and the lines marked first are
right. Without `--write` it is only judged, by cross-validation over repositories: no log of a repository is judged by
what others of it taught. The result depends on the logs alone: nothing is drawn by lot.
"""

import argparse
import json
import sys
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "src"))

import numpy as np
from build_analysis.exit_code import ExitCodeReader
from build_analysis.last_words import REACH_LINES, grade, last_words
from build_analysis.line_features import features
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

WEIGHTS = Path(__file__).parent / "src" / "build_analysis" / "line_weights.json"
MARKED_LINES = 5
"""Of a block that a person marked, so many lines are right: of these the ones with a word of alarm, or red."""
REPOSITORIES_MIN = 4
"""A name that fewer repositories show is not learned."""
PENALTY = 0.3
SMALL = 0.02
"""A weight below this is left out."""
STEPS = 80
_ALARMS = {"alarm 1", "alarm 2", "colour red"}


@dataclass
class Sample:
    """The lines before one wrapper's word."""

    repo: str
    raws: list[str]
    at_end: bool
    names: list[tuple[str, ...]]
    marked: list[bool]
    accepted: list[bool]


def samples_of(label: dict[str, Any], logs: Path) -> list[Sample]:
    """The lines up to the first word of a wrapper after what was marked, whole and as a person would paste them."""
    lines = (
        (logs / label["path"]).read_bytes().decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n").split("\n")
    )
    first, last = label["ranges"][0]
    end = next((at for at in range(first, min(len(lines), first + REACH_LINES + 1)) if _is_wrapper(lines[at])), None)
    stop = len(lines) if end is None else end
    if first > stop or first <= stop - REACH_LINES:
        return []
    dice = zlib.crc32(label["id"].encode())
    start, tail = max(0, first - 1 - dice % 40), min(stop, last + dice // 64 % 12)
    whole = _sample(label, lines, max(0, stop - REACH_LINES), stop, at_end=end is None)
    return [whole, _sample(label, lines, max(start, tail - REACH_LINES), tail, at_end=dice // 4096 % 2 == 0)]


def _sample(label: dict[str, Any], lines: list[str], start: int, stop: int, *, at_end: bool) -> Sample:
    marked = {n for a, b in label["ranges"] for n in range(a, min(b, a + MARKED_LINES - 1) + 1)}
    accepted = {n for a, b in label["ranges"] for n in range(a - 1, b + 2)}
    numbers = range(start + 1, stop + 1)
    raws = lines[start:stop]
    names = list(features(raws, grade=grade, at_end=at_end))
    spoken = {n for n in marked if start < n <= stop and _ALARMS & set(names[n - start - 1])}
    marked = spoken or marked
    return Sample(label["repo"], raws, at_end, names, [n in marked for n in numbers], [n in accepted for n in numbers])


def _is_wrapper(line: str) -> bool:
    reader = ExitCodeReader()
    reader.feed([line])
    return bool(reader.code)


class Problem:
    """Samples as one sparse matrix."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        seen: dict[str, set[str]] = defaultdict(set)
        for one in samples:
            for names in one.names:
                for name in names:
                    seen[name].add(one.repo)
        self.samples = samples
        self.names = sorted(name for name, repos in seen.items() if len(repos) >= REPOSITORIES_MIN)
        index = {name: at for at, name in enumerate(self.names)}
        ends, columns, self.groups = [0], [], []
        for one in samples:
            begin = len(ends) - 1
            for names in one.names:
                columns.extend(index[name] for name in names if name in index)
                ends.append(len(columns))
            self.groups.append((begin, len(ends) - 1))
        shape = (len(ends) - 1, len(self.names))
        self.matrix = csr_matrix((np.ones(len(columns)), columns, ends), shape=shape)
        self.is_line = np.array([bool(names) for one in samples for names in one.names])
        self.marked = np.array([mark for one in samples for mark in one.marked])

    def fit(self, chosen: Iterable[int]) -> Any:
        """The weights that make the marked lines of these samples the most probable."""
        chosen = list(chosen)
        rows = np.concatenate([np.arange(*self.groups[at]) for at in chosen])
        rows = rows[self.is_line[rows]]
        group_of = np.searchsorted([begin for begin, _ in self.groups], rows, side="right") - 1
        _, starts, group = np.unique(group_of, return_index=True, return_inverse=True)
        repos = [self.samples[group_of[start]].repo for start in starts]
        share = np.array([1 / repos.count(repo) ** 0.7 for repo in repos])
        x, marked = self.matrix[rows], self.marked[rows]
        transposed = x.T.tocsr()

        def loss(weights: Any) -> tuple[float, Any]:
            score = x @ weights
            power = np.exp(score - np.maximum.reduceat(score, starts)[group])
            total = np.add.reduceat(power, starts)
            right = np.where(marked, power, 0)
            rights = np.add.reduceat(right, starts) + 1e-20
            value = -(share * np.log(rights / total)).sum() + PENALTY * weights @ weights
            slope = transposed @ (share[group] * (power / total[group] - right / rights[group]))
            return float(value), slope + 2 * PENALTY * weights

        start = np.zeros(len(self.names))
        return minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS}).x

    def picks(self, weights: Any, chosen: Iterable[int]) -> list[tuple[str, bool]]:
        """For each sample its repository, and whether the most probable line is right."""
        score = np.where(self.is_line, self.matrix @ weights, -np.inf)
        result = []
        for at in chosen:
            begin, end = self.groups[at]
            result.append((self.samples[at].repo, self.samples[at].accepted[int(score[begin:end].argmax())]))
        return result


def mean(answers: Iterable[tuple[str, bool]]) -> float:
    """The share of right answers, each repository counting the same."""
    by_repo: dict[str, list[bool]] = defaultdict(list)
    for repo, right in answers:
        by_repo[repo].append(right)
    return sum(sum(rights) / len(rights) for rights in by_repo.values()) / len(by_repo)


def in_force(sample: Sample) -> tuple[str, bool]:
    """The same for what is in force now."""
    count = len(sample.raws)
    words = last_words([(at + 1, sample.raws[at]) for at in range(count - 1, -1, -1)], at_end=sample.at_end)
    return sample.repo, words is not None and sample.accepted[words.number - 1]


def main() -> int:
    """Judge, and write what was learned."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    labels = [json.loads(line) for line in arguments.labels.read_text("utf-8").splitlines()]
    samples = [one for label in labels for one in samples_of(label, arguments.logs) if any(one.marked)]
    problem = Problem(samples)
    out = sys.stdout.write
    repos = sorted({one.repo for one in samples})
    out(f"{len(samples)} windows of {len(repos)} repositories, {len(problem.names)} names\n")
    out(f"in force: {mean(map(in_force, samples)):.3f}\n")
    if arguments.folds:
        answers = []
        for fold in range(arguments.folds):
            is_in = [zlib.crc32(one.repo.encode()) % arguments.folds == fold for one in samples]
            weights = problem.fit(at for at, out_of in enumerate(is_in) if not out_of)
            answers += problem.picks(weights, [at for at, out_of in enumerate(is_in) if out_of])
        out(f"cross-validated: {mean(answers):.3f}\n")
    if arguments.write:
        weights = problem.fit(range(len(samples)))
        kept = {name: round(float(w), 2) for name, w in zip(problem.names, weights, strict=True) if abs(w) >= SMALL}
        WEIGHTS.write_text(json.dumps(kept, indent=0, ensure_ascii=True) + "\n", "ascii")
        out(f"{len(kept)} weights, {mean(problem.picks(weights, range(len(samples)))):.3f} on what was learned from\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
