"""Pins: who is on which upstream commit, how that goes, and what is safe to bump to."""

from build_history.projections.pins import leading, lines_of, matrix
from build_protocol.messages import PinAt


def at(builds, n, pin, *how, project="p", config="default", branch="main", committed=True):
    committed_at = builds.noon_at + pin * builds.hour_ms if committed else None
    pinned = PinAt(name="llvm", commit=builds.sha(1000 + pin), committed_at=committed_at)
    return builds.point(n, *how, config=config, pins=(pinned,), project=project, branch=branch)


def test_a_range_lies_between_the_last_green_pin_and_the_first_red_one(builds):
    """Pins 1 and 2 green, 3 and 4 red: somewhere in (2, 3]."""
    (line,) = lines_of(
        [at(builds, 1, 1), at(builds, 2, 2), at(builds, 3, 3, "failed", "s"), at(builds, 4, 4, "failed", "s")]
    )

    (downstream,) = matrix([line], builds.noon_at + 28 * builds.hour_ms).downstreams

    assert builds.sha(1004) == downstream.pin.commit
    assert downstream.suspect_range is not None
    assert (builds.sha(1002), builds.sha(1003)) == (downstream.suspect_range.green, downstream.suspect_range.red)
    assert downstream.age_days == 1.0


def test_a_pin_is_green_only_when_every_config_built_at_it_is(builds):
    """A config's newest build at the pin decides; one red config is enough."""
    first = [at(builds, 1, 1), at(builds, 2, 1, "failed", "s", config="asan")]
    second = [at(builds, 3, 2, "failed", "s"), at(builds, 4, 2)]
    (line,) = lines_of([*first, *second])

    assert [span.is_green for span in line.spans] == [False, True]


def test_safe_to_bump_to_is_the_newest_pin_green_everywhere(builds):
    """q broke on 3, so 2 is safe for both; p is shown who else broke."""
    p = [at(builds, 1, 2), at(builds, 2, 3, "failed", "s")]
    q = [at(builds, 1, 1, project="q"), at(builds, 2, 2, project="q"), at(builds, 3, 3, "failed", "t", project="q")]

    pins = matrix([*lines_of(p), *lines_of(q)], builds.noon_at)

    assert builds.sha(1002) == pins.safe_to_bump_to
    assert {d.project: d.also_broken for d in pins.downstreams} == {"p": ["q"], "q": ["p"]}


def test_what_is_not_known_is_named(builds):
    """No common green pin and no commit time are both named."""
    p = lines_of([at(builds, 1, 1, committed=False)])
    q = lines_of([at(builds, 1, 2, project="q", committed=False)])

    pins = matrix([*p, *q], builds.noon_at)

    assert pins.safe_to_bump_to is None
    assert [d.age_days for d in pins.downstreams] == [None, None]
    assert len(pins.unknown) == 2


def test_a_release_branch_holds_nobody_back(builds):
    """A project stands in the matrix with the branch it builds most."""
    main = lines_of([at(builds, 1, 2), at(builds, 2, 3)])
    release = lines_of([at(builds, 9, 1, branch="release")])

    assert [line.branch for line in leading([*release, *main])] == ["main"]
