"""What config.yaml says of configs: who counts, who is waited for, and that a changed file is heeded."""

import json

import pytest
from build_chassis.projects import Projects
from build_history.consumer import record
from build_history.projections.commits import CommitInfo, CommitRow, answers
from build_history.projections.config_state import overdue
from build_history.projections.lanes import state_of
from build_history.refresh.config_watch import ConfigWatcher
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


async def open_incidents(store):
    rows = await store.rows("incident", labels=["open"], limit=9)
    return {
        (body["signature"], tuple(member["config"] for member in body["members"]))
        for body in (json.loads(row.body) for row in rows)
    }


@pytest.mark.parametrize("state", ["staging", "silent"])
async def test_only_production_opens_incidents_and_a_changed_file_is_heeded(sqlite_store, builds, config_file, state):
    """A config taken out of production leaves its incident, put back it joins again; nothing is restarted."""
    config_watcher = ConfigWatcher(sqlite_store, Projects(config_file("production")))
    for config, n, how in (("asan", 1, ()), ("release", 1, ()), ("asan", 2, "sig"), ("release", 3, "sig")):
        verdict = builds.verdict(n, *(("failed", how) if how else ()), config=config)
        await record([verdict], store=sqlite_store, excluded_configs=config_watcher.excluded_configs)
    await record(
        [builds.verdict(4, "failed", "own", config="asan")],
        store=sqlite_store,
        excluded_configs=config_watcher.excluded_configs,
    )
    both = {("sig", ("asan", "release")), ("own", ("asan",))}

    assert await open_incidents(sqlite_store) == both
    assert (await config_watcher.step(), await config_watcher.step()) == (0, 0)
    config_file(state)
    assert await config_watcher.step() == 1
    assert await open_incidents(sqlite_store) == {("sig", ("release",))}

    await record(
        [builds.verdict(5, "failed", "x", config="asan")],
        store=sqlite_store,
        excluded_configs=config_watcher.excluded_configs,
    )
    assert await open_incidents(sqlite_store) == {("sig", ("release",))}
    config_file("production")
    await config_watcher.step()
    assert await open_incidents(sqlite_store) == both | {("x", ("asan",))}


def test_a_config_is_overdue_by_its_cadence(builds):
    """Late counts from when a build should have begun; one never built says so; silent configs are not waited for."""
    cadences = {"release": 60, "asan": 600, "never": 60, "hushed": 60}
    told = {name: {"cadence_minutes": minutes} for name, minutes in cadences.items()}
    told["hushed"]["state"] = "silent"
    project = Project.model_validate({"configs": told})
    lanes = [state_of([builds.point(n, config=c)], None, None) for n, c in ((1, "release"), (1, "asan"), (9, "other"))]

    late = overdue({"p": project}, {"p": "main"}, lanes, builds.noon_at + 4 * builds.hour_ms)

    assert [(item.config, item.overdue_ms) for item in late] == [("release", 2 * builds.hour_ms), ("never", None)]


def test_a_commit_nobody_builds_yet_is_expected_by_cadence(builds):
    """About when: the next build by cadence, plus the config's usual duration; and whether the config counts."""
    configs = {"release": {"cadence_minutes": 60}, "asan": {"state": "staging"}}
    lanes = [state_of([builds.point(5, config=config)], None, None) for config in configs]
    row = CommitRow(project="p", branch="main", info=CommitInfo(sha=builds.sha(9)))
    now_ms = builds.noon_at + 5 * builds.hour_ms + 60_000

    said = answers(row, lanes, [], now_ms, configured=Project.model_validate({"configs": configs}))

    assert {a.config: (a.answer, a.state, a.expected_at) for a in said} == {
        "asan": ("not_built", "staging", None),
        "release": ("not_built", "production", builds.noon_at + 6 * builds.hour_ms + builds.hour_ms // 2),
    }
