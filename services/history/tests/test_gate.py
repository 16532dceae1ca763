"""Gates: a commit is released only where every config that gates it says so, and whoever keeps silent is named."""

import pytest
from build_history.projections.commits import CommitInfo, CommitRow, ConfigAnswer, cells_of
from build_history.projections.config_state import Overdue
from build_history.projections.gate import gate_of, lag_of
from build_history.projections.lanes import state_of
from build_protocol.project_config import BuildConfig, Project
from pydantic import ValidationError

FILE = Project(
    configs={
        "release": BuildConfig(gates=("release", "bump"), owner="ann@example.com"),
        "asan": BuildConfig(gates=("release",)),
        "docs": BuildConfig(),
    }
)


def commits(builds, cells):
    """Commits of a branch, newest first; `cells` of each by its number."""
    return [
        CommitRow(
            project="p",
            branch="main",
            info=CommitInfo(sha=builds.sha(n), committed_at=builds.noon_at + n * builds.hour_ms),
            cells=cells_of(cells.get(n, []), {}),
        )
        for n in range(9, 0, -1)
    ]


def answered(**answers):
    return [ConfigAnswer(config=config, answer=answer, exact=True) for config, answer in answers.items()]


def ask(builds, answers, *, gate="release", lanes=("release", "asan"), late=(), lost=(), cells=None):
    ordered = commits(builds, cells or {})
    known = [
        state_of([builds.point(1, "lost" if config in lost else "succeeded", config=config)], None, None)
        for config in lanes
    ]
    overdue = [Overdue(project="p", config=config, state="production", cadence_minutes=60) for config in late]
    return gate_of(gate, ordered[0], answers, ordered, lanes=known, overdue=overdue, configured=FILE)


@pytest.mark.parametrize(
    ("answers", "how", "state", "hindrances"),
    [
        (answered(release="passed", asan="passed", docs="failed"), {}, "open", [None, None]),
        (answered(release="passed", asan="failed"), {}, "blocked", ["failed", None]),
        (answered(release="running", asan="failed"), {}, "blocked", ["failed", "running"]),
        (answered(release="passed", asan="will_include"), {}, "waiting", ["running", None]),
        (answered(release="passed", asan="not_built"), {}, "waiting", ["not_built", None]),
        (answered(release="passed", asan="not_built"), {"late": ["asan"]}, "waiting", ["overdue", None]),
        (answered(release="passed", asan="inconclusive"), {"lost": ["asan"]}, "waiting", ["agent_lost", None]),
        (answered(release="passed", asan="inconclusive"), {}, "waiting", ["inconclusive", None]),
        (answered(release="passed"), {"lanes": ["release"]}, "waiting", ["never_built", None]),
        ([], {"lanes": []}, "waiting", ["never_built", "never_built"]),
    ],
)
def test_a_gate_is_open_only_where_all_of_its_configs_passed(builds, answers, how, state, hindrances):
    """One failure blocks it; whoever did not answer keeps it closed, with the reason; other configs have no say."""
    gate = ask(builds, answers, **how)

    assert (gate.state, [each.hindrance for each in gate.configs]) == (state, hindrances)
    assert [each.config for each in gate.configs] == ["asan", "release"]


def test_a_gate_that_no_config_has_is_unknown(builds):
    """Nothing declared is no permission; and each gate has its own configs."""
    alone = ask(builds, answered(release="passed", asan="failed"), gate="bump")
    ordered = commits(builds, {})
    nobody = gate_of(
        "release", ordered[0], answered(docs="passed"), ordered, lanes=[], overdue=[], configured=Project()
    )

    assert (alone.state, [each.config for each in alone.configs]) == ("open", ["release"])
    assert (nobody.state, nobody.configs, nobody.last_open) == ("unknown", [], None)
    assert "gates: [release]" in nobody.unknown[0]
    with pytest.raises(ValidationError):
        BuildConfig.model_validate({"gates": ["deploy"]})


def test_the_last_commit_that_all_passed_is_named(builds):
    """It counts where each of the configs built that very commit and passed."""
    cells = {
        9: [builds.point(9, config="release")],
        7: [builds.point(7, config="release"), builds.point(7, "failed", "s", config="asan")],
        5: [builds.point(5, config="release"), builds.point(5, config="asan")],
        4: [builds.point(4, config="release"), builds.point(4, config="asan")],
    }

    assert ask(builds, [], cells=cells).last_open == builds.sha(5)
    assert ask(builds, [], cells={}).last_open is None


def test_a_config_that_is_behind_shows_how_far_and_whether_it_catches_up(builds):
    """By commits and since when; builds that run, or prove nothing, are no results."""
    cells = {
        9: [builds.point(9, "running", config="asan"), builds.point(9, config="release")],
        8: [builds.point(8, "lost", config="asan")],
        6: [builds.point(6, config="asan")],
        3: [builds.point(3, config="asan", started_at=builds.noon_at + 7 * builds.hour_ms)],
    }
    ordered = commits(builds, cells)

    lag, none, never = (lag_of(config, ordered) for config in ("asan", "release", "docs"))

    assert (lag.commit, lag.commits, lag.since_at) == (builds.sha(6), 3, builds.noon_at + 7 * builds.hour_ms)
    # The result before was begun when commits 4 to 7 were there: it caught up by one.
    assert lag.before == 4
    assert (none.commits, none.since_at, none.before) == (0, None, None)
    assert (never.commit, never.commits, never.since_at) == (None, 9, builds.noon_at + builds.hour_ms)
