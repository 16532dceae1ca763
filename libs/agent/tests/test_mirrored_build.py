"""A mirrored build's records make its CI's text, whoever recorded how much of it, and in which pieces."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from build_dashboard.config_error import ConfigError
from build_dashboard.mirror.buildbot.log_text import LogText
from build_dashboard.mirror.buildbot.rows import commits_of, parts_of
from build_dashboard.mirror.identity import build_id_of, retried_id_of
from build_dashboard.mirror.kinds import source_of
from build_dashboard.mirror.mirrored_build import Extent, MirroredBuild, lines_at
from build_dashboard.mirror.phases import phase_of
from build_dashboard.mirror.project_map import ProjectMap
from build_dashboard.mirror.source import Part, Piece, SourceBuild
from build_dashboard.recording.directory import BuildDirectory
from build_dashboard.recording.spool import Spool
from build_dashboard.redaction.redactor import Redactor
from build_protocol.messages import BuildLog, BuildUpdate, agent_record

BEGAN_AT = 1_796_000_000_000
LOGS = {
    "configure": ["-- The CXX compiler is \u001b[32mfine\u001b[0m", "", "snow \u2603 \u2028 and \u0085"],
    "build": [f"[{number}/300] Building CXX object a{number}.o" for number in range(300)] + ["x" * 60_000, "after"],
    "test": [],
    "check": ["\u00e9" * 30_000, "PASS"],
}
TEXT = [line for lines in LOGS.values() for line in lines]
BUILD = SourceBuild(id="7", started_at=BEGAN_AT, project="mlir", config="asan", branch="main")


class Store:
    """What the dashboard has: records by their number, the first of each wins."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    def take(self, spool: Spool, upto: int) -> None:
        """Store what is new of the spool, up to this record."""
        while len(self.records) < upto:
            (body,) = spool.read_after(len(self.records), 1, 1)
            record = agent_record.validate_json(body)
            assert len(self.records) + 1 == record.seq
            self.records.append(record)

    @property
    def lines(self) -> list[str]:
        """The text."""
        lines: list[str] = []
        for record in self.records:
            if isinstance(record, BuildLog):
                first, *others = record.data.lines
                if record.data.continues:
                    lines[-1] += first
                else:
                    assert len(lines) + 1 == record.data.first_line
                    lines.append(first)
                lines += others
        return lines

    @property
    def extent(self) -> Extent:
        """As STORED_BUILDS has it."""
        text = "\n".join(self.lines)
        answer = {"stored": len(self.records), "logLines": len(self.lines), "logBytes": len(text.encode())}
        return Extent(answer)

    @property
    def sections(self) -> dict[tuple[int, str], str | None]:
        """The newest result of each."""
        sections = [record.data.section for record in self.records if isinstance(record, BuildUpdate)]
        return {(each.first_line, each.name): each.result for each in sections if each is not None}


def parts(result: str | None = "succeeded") -> list[Part]:
    """The steps, as they are in the end."""
    return [Part(key=name, name=name, log=name, is_over=True, result=result) for name in LOGS]  # type: ignore[arg-type]


def reading(most: int, chance: random.Random) -> Any:
    """A source's `read`: pieces of up to so many lines; now and then nothing new."""

    async def read(part: Part, cursor: Any) -> Piece:
        first = cursor or 0
        count = chance.randint(0, most)
        lines = LOGS[part.log][first : first + count]
        return Piece(lines, first + len(lines), is_over=first + len(lines) == len(LOGS[part.log]) and count > 0)

    return read


def opened(directory: BuildDirectory, extent: Extent) -> MirroredBuild:
    """A mirror's view of the build."""
    build = MirroredBuild(directory, BUILD, Redactor(), extent, has_times=False)
    build.start(None, is_backfill=False)
    return build


def created(spool: Path) -> BuildDirectory:
    """A new folder of the build."""
    facts = {"buildId": build_id_of("lab", BUILD), "project": "mlir", "startedAt": BEGAN_AT, "source": "7"}
    return BuildDirectory.create(spool, facts)


@pytest.mark.parametrize("seed", range(12))
async def test_the_text_is_the_ci_s_whoever_recorded_how_much_of_it(seed: int, tmp_path: Path) -> None:
    """Mirrors that die at any record, with their spool or without it, and a line that was stored in part."""
    chance = random.Random(seed)
    store = Store()
    build = opened(created(tmp_path / "0"), store.extent)
    for life in range(1, 100):
        for _ in range(chance.randint(1, 4)):
            await build.advance(parts(), reading(90, chance), BEGAN_AT + life)
        store.take(build.spool, chance.randint(len(store.records), build.spool.last_seq))
        if build.has_all(parts()):
            break
        path = build.directory.path
        build.close()
        if chance.random() < 0.5 and lines_at(Spool(path), len(store.records)) == len(store.lines):
            build = opened(BuildDirectory.adopt(path), store.extent)
        else:
            build = opened(created(tmp_path / str(life)), store.extent)
    build.build = SourceBuild(
        id="7", started_at=BEGAN_AT, project="mlir", ended_at=BEGAN_AT + 60_000, result="warnings"
    )
    build.end()
    store.take(build.spool, build.spool.last_seq)
    assert TEXT == store.lines
    complete = store.records[-1]
    assert ("BUILD_COMPLETE", "succeeded", BEGAN_AT + 60_000) == (
        complete.type,
        complete.data.status,
        complete.timestamp,
    )
    if complete.data.totals is not None:
        assert (len(TEXT), len("\n".join(TEXT).encode())) == (complete.data.totals.lines, complete.data.totals.bytes)
    assert {(1, "configure"), (4, "build"), (306, "test"), (306, "check")} == set(store.sections)


async def test_a_lost_spool_costs_nothing_at_any_record(tmp_path: Path) -> None:
    """Also where the last line that is stored is stored in part, for it fills several records."""
    whole = opened(created(tmp_path / "whole"), Extent(None))
    while not whole.has_all(parts()):
        await whole.advance(parts(), reading(90, random.Random(3)), BEGAN_AT)
    in_part = 0
    for upto in range(1, whole.spool.last_seq + 1):
        store = Store()
        store.take(whole.spool, upto)
        in_part += bool(store.lines) and store.lines[-1] != TEXT[len(store.lines) - 1]
        build = opened(created(tmp_path / str(upto)), store.extent)
        while not build.has_all(parts()):
            await build.advance(parts(), reading(500, random.Random(upto)), BEGAN_AT)
        store.take(build.spool, build.spool.last_seq)
        assert TEXT == store.lines
        build.end()
        assert build.totals_known
        build.close()
    assert in_part > 3


async def test_a_ci_whose_text_changed_gives_no_checksum(tmp_path: Path) -> None:
    """What is stored stays; a build whose beginning is not what it was cannot be verified, and its end still comes."""
    store = Store()
    build = opened(created(tmp_path / "0"), store.extent)
    await build.advance(parts()[:1], reading(90, random.Random(1)), BEGAN_AT)
    while not build.has_all(parts()[:1]):
        await build.advance(parts()[:1], reading(90, random.Random(1)), BEGAN_AT)
    store.take(build.spool, build.spool.last_seq)
    build.close()
    extent = store.extent
    extent.bytes += 5
    again = opened(created(tmp_path / "1"), extent)
    while not again.has_all(parts()):
        await again.advance(parts(), reading(90, random.Random(2)), BEGAN_AT)
    again.end()
    assert not again.totals_known


async def test_annotated_builders_have_their_own_steps(tmp_path: Path) -> None:
    """Of LLVM's: `@@@BUILD_STEP name@@@` begins one, and what is written of its result is its result."""
    lines = [
        "@@@BUILD_STEP cmake@@@",
        "-- Configuring done",
        "@@@BUILD_STEP check-mlir@@@",
        "FAIL: MLIR :: a.mlir",
        "@@@STEP_FAILURE@@@",
        "@@@BUILD_STEP install@@@",
    ]

    async def read(part: Part, cursor: Any) -> Piece:
        at = cursor or 0
        return Piece(lines[at : at + 2], at + 2, is_over=at + 2 >= len(lines))

    store = Store()
    build = opened(created(tmp_path), store.extent)
    annotated = [Part(key="1", name="annotate", log=1, is_over=True, has_annotations=True)]
    await build.advance(annotated, read, BEGAN_AT)
    store.take(build.spool, build.spool.last_seq)
    assert lines == store.lines
    assert {
        (1, "annotate"): None,
        (1, "annotate: cmake"): "succeeded",
        (3, "annotate: check-mlir"): "failed",
        (6, "annotate: install"): "succeeded",
    } == store.sections


def test_a_build_has_one_id_for_ever_and_a_database_made_anew_gives_another() -> None:
    """The id is the source's doing alone; a retry names the id of what it repeats."""
    again = SourceBuild(id="7", started_at=BEGAN_AT, project="other", retry_of=("7", BEGAN_AT))
    assert build_id_of("lab", BUILD) == build_id_of("lab", again) == retried_id_of("lab", again)
    assert build_id_of("lab", BUILD) != build_id_of("other", BUILD)
    assert build_id_of("lab", BUILD) != build_id_of("lab", SourceBuild(id="7", started_at=BEGAN_AT + 1, project="mlir"))
    assert build_id_of("lab", BUILD) < build_id_of("lab", SourceBuild(id="8", started_at=BEGAN_AT + 1, project="mlir"))


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_worker_s_environment_is_left_out_wherever_the_log_is_cut(cut: int) -> None:
    """Its values may have line feeds, and the answer of a request may end within it."""
    raw = [
        "hninja check",
        "h in dir /b",
        "h environment:",
        "h  KEY=-----BEGIN",
        "hsecret",
        "h  TOKEN=t0ken",
        "h using PTY: False",
        "oone",
        "etwo",
        "h environment:",
        "h  LATE=t0ken",
        "oover",
    ]
    first = LogText(is_marked=True)
    lines, streams, count = first.lines("".join(f"{line}\n" for line in raw[:cut]))
    others, other_streams, _ = LogText(True, first.in_environment).lines("".join(f"{line}\n" for line in raw[cut:]))
    assert cut == count
    assert ["ninja check", " in dir /b", " using PTY: False", "one", "two", "over"] == lines + others
    assert ["out", "out", "out", "out", "err", "out"] == streams + other_streams


def test_steps_are_parts_in_their_order_and_further_logs_are_their_own() -> None:
    """What waits for its turn is none; of a build that is over every step is."""
    steps = [_step(2, "check"), _step(1, "build"), _step(3, "later") | {"started_at": None}]
    logs = {1: [_log(5, 1, "side"), _log(4, 1, "stdio")], 2: []}
    shown = parts_of("http://m/#/builders/1/builds/2", steps, logs, is_over=False)
    assert ["build", "build: side", "check"] == [part.name for part in shown]
    assert "http://m/#/builders/1/builds/2/steps/1/logs/stdio" == shown[0].url
    assert [False] * 3 == [part.is_over for part in shown]
    assert all(part.is_over for part in parts_of("", steps, logs, is_over=True))


def test_commits_are_those_between_two_that_are_known() -> None:
    """Newest first, without the green one; unknown where one is not among them, or they stand the other way round."""
    changes = [{"revision": each * 10, "author": "Bob <bob@x.org>", "comments": "s\nb"} for each in "dcba"]
    assert ["d" * 10, "c" * 10] == [each["sha"] for each in commits_of(changes, "d" * 10, "b" * 10) or ()]
    assert [] == commits_of(changes, "b" * 10, "b" * 10)
    assert commits_of(changes, "e" * 10, "b" * 10) is None
    assert commits_of(changes, "a" * 10, "d" * 10) is None


def test_the_first_pattern_that_matches_decides_the_project() -> None:
    """By name or tag; `-` leaves out, and what nothing matches is left out too."""
    projects = ProjectMap.read(["clang-*=clang", "tag:silent=-", "tag:mlir=mlir"], None)
    wanted: list[tuple[str, Sequence[str], str | None]] = [
        ("clang-x86", (), "clang"),
        ("mlir-nvidia", ("mlir",), "mlir"),
        ("mlir-quiet", ("mlir", "silent"), None),
        ("flang", (), None),
    ]
    assert [project for _, _, project in wanted] == [projects.project_of(name, tags) for name, tags, _ in wanted]
    for wrong in ("clang", "x=UPPER", "=y", "x="):
        with pytest.raises(ConfigError):
            ProjectMap.read([wrong], None)


def test_a_token_may_come_from_a_file(tmp_path: Path) -> None:
    """As secrets of containers do; one that cannot be read is no reason to go on without."""
    token = tmp_path / "token"
    token.write_text("ghs_1\n")
    everything = ProjectMap({"*": "x"})
    source = source_of("github", "https://github.com/a/b", everything, 1, None, {"GITHUB_TOKEN_FILE": str(token)})
    assert "github" == source.kind
    with pytest.raises(ConfigError, match="GITHUB_TOKEN_FILE"):
        source_of("github", "https://github.com/a/b", everything, 1, None, {"GITHUB_TOKEN_FILE": str(tmp_path / "no")})
    with pytest.raises(ConfigError, match="buildbot, github"):
        source_of("hudson", "https://h", everything, 1, None, {})


@pytest.mark.parametrize(
    ("step", "phase"),
    [
        ("cmake-configure", "configure"),
        ("build-unified-tree", "build"),
        ("test-build-unified-tree-check-all", "test"),
        ("ninja check 1", "test"),
        ("clean-obj-dir", None),
        ("Checkout", None),
    ],
)
def test_a_step_s_name_says_its_phase(step: str, phase: str | None) -> None:
    """As LLVM's builders name them."""
    assert phase == phase_of(step)


def _step(number: int, name: str) -> dict[str, Any]:
    return {
        "stepid": number,
        "number": number,
        "name": name,
        "started_at": 5,
        "complete": False,
        "complete_at": None,
        "results": None,
    }


def _log(log_id: int, step: int, slug: str) -> dict[str, Any]:
    return {"logid": log_id, "stepid": step, "slug": slug, "name": slug, "num_lines": 0, "complete": False, "type": "s"}


def test_what_is_recorded_of_a_build_fits_the_protocol(tmp_path: Path) -> None:
    """A branch or commit that is none is left out, and long names are cut."""
    odd = SourceBuild(
        id="1",
        started_at=BEGAN_AT,
        project="mlir",
        config="c" * 900,
        branch="-x",
        commit="HEAD",
        tags=["t" * 200] * 40,
        worker="w" * 900,
    )
    build = MirroredBuild(created(tmp_path), odd, Redactor(), Extent(None), has_times=False)
    build.start(None, is_backfill=True)
    (body,) = build.spool.read_after(0, 1, 1)
    start = agent_record.validate_json(body)
    assert (None, None, True, 32, 512) == (
        start.data.branch,
        start.data.commit,
        start.data.backfill,
        len(start.data.tags),
        len(start.data.config),
    )
    assert "clock" not in json.loads(body)["data"]
