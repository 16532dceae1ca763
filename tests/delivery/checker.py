"""The checker: does what was seen agree with what was sent? Knows the workload's seed, and nothing of the product.

Each promise is one function from evidence to sentences about what is wrong; no sentence, no fault.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from delivery.evidence import Evidence, Transcript
from delivery.workload import Build


@dataclass
class Expected:
    """What the workload sent to the system, by the seed alone."""

    builds: Mapping[str, tuple[str, Build]]
    """Project and build, by build id."""
    mails: Counter[tuple[str, str]] = field(default_factory=Counter)
    products: frozenset[str] = frozenset()
    """Builds that brought their file."""
    poison: list[bytes] = field(default_factory=list)
    """Bodies of messages put on the broker that nobody can read."""


def check(expected: Expected, seen: Evidence) -> list[str]:
    """Every way in which the evidence breaks a promise; empty when all hold."""
    promises = (stored, rows_once, chunks_once, reported, shown, brought, mailed, counted, parked)
    return [fault for promise in promises for fault in promise(expected, seen)]


def stored(expected: Expected, seen: Evidence) -> Iterator[str]:
    """Every build is stored with every byte it printed, once and in order, by both ways of reading it."""
    for build_id, (_, build) in expected.builds.items():
        texts = build.texts
        whole = "".join(f"{text}\n" for text in texts).encode().removesuffix(b"\n")
        text = seen.texts.get(build_id)
        if text is None:
            yield f"{build.name} ({build_id}) has no log"
        elif text.removesuffix(b"\n") != whole:
            yield f"the log of {build.name} differs: {_difference(text.decode().split(chr(10)), texts)}"
        page = seen.pages.get(build_id)
        if page != texts:
            yield f"the pages of {build.name} differ: {_difference(page or [], texts)}"


def rows_once(expected: Expected, seen: Evidence) -> Iterator[str]:
    """Every build is listed once, with its own result, verified; nothing else is listed."""
    listed = Counter(row["id"] for row in seen.rows)
    for build_id, count in listed.items():
        if count > 1:
            yield f"build {build_id} is listed {count} times"
        if build_id not in expected.builds:
            yield f"build {build_id} is listed, and nobody built it"
    rows = {row["id"]: row for row in seen.rows}
    for build_id, (project, build) in expected.builds.items():
        row = rows.get(build_id)
        if row is None:
            yield f"{build.name} ({build_id}) is not listed"
            continue
        found = (row["project"], row["status"], row["logLines"], row.get("verified"))
        wanted = (project, build.status, len(build.texts), True)
        if found != wanted:
            yield f"{build.name} is listed as {found}, not {wanted}"


def chunks_once(expected: Expected, seen: Evidence) -> Iterator[str]:
    """In the database every record lies in exactly one chunk, from the first to the last."""
    rows = {row["id"]: row for row in seen.rows}
    for build_id, chunks in seen.chunks.items():
        if build_id not in expected.builds:
            continue
        ordered = sorted(chunks)
        for (_, last), (first, _) in pairwise([(0, 0), *ordered]):
            if first != last + 1:
                yield f"chunks of build {build_id}: record {first} follows {last}"
        end = ordered[-1][1] if ordered else 0
        if build_id in rows and end != rows[build_id]["asOfSeq"]:
            yield f"chunks of build {build_id} end at {end}, its row at {rows[build_id]['asOfSeq']}"


def reported(expected: Expected, seen: Evidence) -> Iterator[str]:
    """What was reported stored is stored, was never asked for again, and every agent was informed of the end."""
    rows = {row["id"]: row for row in seen.rows}
    for agent in seen.agents:
        row = rows.get(agent.build_id)
        held = row["asOfSeq"] if row else 0
        if agent.stored > held:
            yield f"build {agent.build_id}: reported stored up to {agent.stored}, stored up to {held}"
        if agent.stored > agent.last:
            yield f"build {agent.build_id}: reported stored up to {agent.stored}, sent only {agent.last}"
        if agent.asked_again:
            yield f"build {agent.build_id}: asked again for {agent.asked_again[:3]}, which was reported stored"
        if agent.refused:
            yield f"build {agent.build_id}: refused: {agent.refused[0]}"
        if agent.stored < agent.last or not agent.is_verified:
            yield f"build {agent.build_id}: its agent was never informed that all {agent.last} records are verified"


def shown(expected: Expected, seen: Evidence) -> Iterator[str]:
    """Each viewer saw every line once, at its place, only once stored, and nothing is missing at the end."""
    for viewer in seen.viewers:
        if viewer.build_id not in expected.builds:
            continue
        texts = expected.builds[viewer.build_id][1].texts
        yield from (f"{viewer.name}: {fault}" for fault in _shown_once(viewer, texts))
        yield from (f"{viewer.name}: {problem}" for problem in viewer.problems)
        if viewer.unstored:
            yield f"{viewer.name}: was shown line {viewer.unstored[0]} before it was stored"
        if viewer.lines != texts:
            yield f"{viewer.name}: ended with another log: {_difference(viewer.lines, texts)}"


def brought(expected: Expected, seen: Evidence) -> Iterator[str]:
    """Every file a build brought is listed once, verified, and comes back byte for byte."""
    for build_id in expected.products:
        sha256 = hashlib.sha256(expected.builds[build_id][1].product).hexdigest()
        listed = [(row["state"], row["sha256"], row["downloaded"]) for row in seen.artifacts.get(build_id, [])]
        if listed != [("verified", sha256, sha256)]:
            yield f"artifacts of build {build_id}: {listed}, not one verified {sha256}"


def mailed(expected: Expected, seen: Evidence) -> Iterator[str]:
    """One mail each; where the product itself says that it does not know, one or none."""
    for kind in expected.mails.keys() | seen.mails.keys():
        wanted, took, doubtful = expected.mails[kind], seen.mails[kind], seen.doubtful_mails[kind]
        if took > wanted:
            yield f"{took} mails of {kind}, not {wanted}"
        elif took < wanted - doubtful:
            yield f"{took} mails of {kind}, not {wanted}, and {doubtful} are shown as in doubt"


def counted(expected: Expected, seen: Evidence) -> Iterator[str]:
    """History's totals equal a recount of the workload."""
    for project in {project for project, _ in expected.builds.values()}:
        builds = [build for name, build in expected.builds.values() if name == project]
        wanted = {
            "builds": len(builds),
            "succeeded": sum(not build.is_red for build in builds),
            "failed": sum(build.is_red for build in builds),
        }
        found = {name: seen.totals.get(project, {}).get(name, 0) for name in wanted}
        if found != wanted:
            yield f"history counts {found} for {project}, not {wanted}"


def parked(expected: Expected, seen: Evidence) -> Iterator[str]:
    """What is parked is the poison, each at least once, and nothing else."""
    for body in seen.parked:
        if body not in expected.poison:
            yield f"parked, and was no poison: {body[:160]!r}"
    for body in expected.poison:
        if body not in seen.parked:
            yield f"poison that was not parked: {body[:160]!r}"


def _shown_once(viewer: Transcript, texts: list[str]) -> Iterator[str]:
    """Frames of one subscription go strictly forward, and say what is at their place."""
    last_seq: dict[int, int] = {}
    ends: dict[int, int] = {}
    for frame in viewer.shown:
        if frame.seq <= last_seq.get(frame.subscription, 0):
            yield f"record {frame.seq} was shown after record {last_seq[frame.subscription]}"
        last_seq[frame.subscription] = max(frame.seq, last_seq.get(frame.subscription, 0))
        end = ends.get(frame.subscription, 0)
        begin = frame.first_line - (0 if frame.goes_on else 1)
        if begin < end - frame.goes_on:
            yield f"line {begin + 1} was shown twice"
        ends[frame.subscription] = frame.first_line - 1 + len(frame.lines)
        for place, line in enumerate(frame.lines, frame.first_line - 1):
            # A line in pieces is shown as it grows: each piece is part of what it becomes.
            is_whole = place < len(texts) and line == texts[place]
            is_piece = place < len(texts) and line in texts[place] and len(line) >= 1 and _is_edge(frame.lines, line)
            if not (is_whole or is_piece):
                yield f"line {place + 1} was shown as {line[:80]!r}"
                break


def _is_edge(lines: list[str], line: str) -> bool:
    return line is lines[0] or line is lines[-1]


def _difference(found: list[str], wanted: list[str]) -> str:
    for place, (one, other) in enumerate(zip(found, wanted, strict=False), 1):
        if one != other:
            return f"line {place} is {one[:80]!r}, not {other[:80]!r}"
    return f"{len(found)} lines, not {len(wanted)}"
