"""What config.yaml says of configs: who counts, who is waited for, and that a changed file is applied."""

import json
from typing import Any

import pytest
from build_chassis.projects import Projects
from build_history.consumer import record
from build_history.projections.commits import CommitInfo, CommitRow, answers, cells_of
from build_history.projections.config_state import overdue
from build_history.projections.grid import grid_of
from build_history.projections.lanes import state_of
from build_history.refresh.config_watch import ConfigWatcher
from build_history.store.contract import RowQuery
from build_protocol.project_config import Project

FILE = """
projects:
  p:
    branch: main
    configs:
      release: {owner: ann@example.com, cadence_minutes: 60, tags: [fast]}
      asan: {state: %s}
"""


@pytest.fixture
def config_file(tmp_path):
    def write(state):
        (tmp_path / "config.yaml").write_text(FILE % state)
        return tmp_path / "config.yaml"

    return write


async def incidents(store, label="open"):
    """Faces and configs of the incidents listed so, once they are published."""
    rows = await store.rows(RowQuery("incident", labels=[label], limit=9))
    bodies = [json.loads(row.body) for row in rows]
    return {
        (tuple(face["signature"] for face in body["faces"]), tuple(member["config"] for member in body["members"]))
        for body in bodies
    }


async def broken(store, builds, excluded_configs):
    """Both configs break alike, then asan in another way."""
    for config, n, how in (("asan", 1, ()), ("release", 1, ()), ("asan", 2, "sig"), ("release", 3, "sig")):
        verdict = builds.verdict(n, *(("failed", how) if how else ()), config=config)
        await record([verdict], store=store, excluded_configs=excluded_configs)
    await record([builds.verdict(4, "failed", "own", config="asan")], store=store, excluded_configs=excluded_configs)


async def test_a_silenced_config_leaves_its_incident(sqlite_store, builds, config_file):
    """Taken out it is nowhere, put back it is where it was; nothing is restarted."""
    config_watcher = ConfigWatcher(sqlite_store, Projects(config_file("production")))
    await broken(sqlite_store, builds, config_watcher.excluded_configs)
    both = {(("sig", "own"), ("asan", "release"))}

    assert await incidents(sqlite_store) == both
    assert (await config_watcher.step(), await config_watcher.step()) == (0, 0)
    config_file("silent")
    assert await config_watcher.step() == 1
    assert await incidents(sqlite_store) == {(("sig",), ("release",))}

    await record(
        [builds.verdict(5, "failed", "x", config="asan")],
        store=sqlite_store,
        excluded_configs=config_watcher.excluded_configs,
    )
    assert await incidents(sqlite_store) == {(("sig",), ("release",))}
    config_file("production")
    await config_watcher.step()
    assert await incidents(sqlite_store) == {(("sig", "own", "x"), ("asan", "release"))}


async def test_an_incident_of_staging_becomes_everybodys_with_its_first_production_config(
    sqlite_store, builds, config_file
):
    """One identity from the first red: shown to its owner first, and under the same id to all once release breaks."""
    config_watcher = ConfigWatcher(sqlite_store, Projects(config_file("staging")))
    for verdict in (builds.verdict(1, config="asan"), builds.verdict(2, "failed", "sig", config="asan")):
        await record([verdict], store=sqlite_store, excluded_configs=config_watcher.excluded_configs)

    (hidden,) = await sqlite_store.rows(RowQuery("incident", labels=["staging_open"], limit=9))
    assert await incidents(sqlite_store) == set()
    await record(
        [builds.verdict(3, "failed", "sig", config="release")],
        store=sqlite_store,
        excluded_configs=config_watcher.excluded_configs,
    )

    (shown,) = await sqlite_store.rows(RowQuery("incident", labels=["open"], limit=9))
    assert (hidden.key, set()) == (shown.key, await incidents(sqlite_store, "staging_open"))


def test_a_config_is_overdue_by_its_cadence(builds):
    """Late counts from when a build should have begun; one never built says so; silent configs are not waited for."""
    cadences = {"release": 60, "asan": 600, "never": 60, "hushed": 60}
    configs: dict[str, dict[str, Any]] = {name: {"cadence_minutes": minutes} for name, minutes in cadences.items()}
    configs["hushed"]["state"] = "silent"
    project = Project.model_validate({"configs": configs})
    lanes = [state_of([builds.point(n, config=c)], None, None) for n, c in ((1, "release"), (1, "asan"), (9, "other"))]

    late = overdue({"p": project}, {"p": "main"}, lanes, builds.noon_at + 4 * builds.hour_ms)

    assert [(item.config, item.overdue_ms) for item in late] == [("release", 2 * builds.hour_ms), ("never", None)]


def test_a_commit_nobody_builds_yet_is_expected_by_cadence(builds):
    """About when: the next build by cadence, plus the config's usual duration; and whether the config counts."""
    configs = {"release": {"cadence_minutes": 60}, "asan": {"state": "staging"}}
    lanes = [state_of([builds.point(5, config=config)], None, None) for config in configs]
    row = CommitRow(project="p", branch="main", info=CommitInfo(sha=builds.sha(9)))
    now_ms = builds.noon_at + 5 * builds.hour_ms + 60_000

    answered = answers(row, lanes, [], now_ms, configured=Project.model_validate({"configs": configs}))

    assert {a.config: (a.answer, a.state, a.expected_at) for a in answered} == {
        "asan": ("not_built", "staging", None),
        "release": ("not_built", "production", builds.noon_at + 6 * builds.hour_ms + builds.hour_ms // 2),
    }


def test_a_grid_column_names_what_it_is_grouped_and_hidden_by(builds):
    """Owner and tags as config.yaml has them; greens in a row count up to the newest red, and not those unfinished."""
    file = {"release": {"owner": "ann@example.com", "tags": ["target:riscv64", "nightly"]}}
    colours = ("succeeded", "failed", "succeeded", "lost", "succeeded", "running")
    points = {
        "release": [
            builds.point(n, status, *(["sig"] if status == "failed" else []), config="release")
            for n, status in enumerate(colours)
        ],
        "asan": [builds.point(0, "failed", "sig", config="asan")],
    }
    lanes = [state_of(own, None, None) for own in points.values()]

    grid = grid_of("p", "main", [], lanes, None, configured=Project.model_validate({"configs": file}))

    assert [(c.config, c.owner, c.tags, c.green_builds) for c in grid.columns] == [
        ("asan", None, [], 0),
        ("release", "ann@example.com", ["target:riscv64", "nightly"], 2),
    ]


def test_a_cell_is_failing_while_its_build_runs_and_cannot_end_green(builds):
    """What the grid shows of a running build with a failed step, until its verdict."""
    running = builds.point(1, "running", failing=("sig",), failing_at=builds.noon_at)

    (cell,) = cells_of([running], {})

    assert (cell.status, cell.failing) == ("running", True)
