"""Verdicts on the histories that occur; a failure that may be the change's is never called somebody else's."""

from types import SimpleNamespace

import pytest
from build_analysis.failure import Failure
from build_analysis.verdict import History, PastBuild, Symptom, VerdictKind, verdict


def failure(category: str = "compile_error", fault: str = "code") -> Failure:
    return Failure(category, "m", 1, 1, "sig", (category, "m"), "r", 30, fault=fault)  # type: ignore[arg-type]


def nameless() -> Symptom:
    return SimpleNamespace(category="unclassified", signature=None, fault=None)


def green(name: str = "g", **more: object) -> PastBuild:
    return PastBuild(name, "c" * 40, True, **more)  # type: ignore[arg-type]


def red(*signatures: str, name: str = "r", **more: object) -> PastBuild:
    return PastBuild(name, "d" * 40, False, frozenset(signatures), **more)  # type: ignore[arg-type]


OUTAGE = red("net", fault="infra")
TEST = failure("lit_test_failure")
SCENARIOS: dict[str, tuple[Symptom, History, VerdictKind]] = {
    "new break after green": (failure(), History([green()]), "new"),
    "joined break: another failure was red": (failure(), History([red("other")]), "new"),
    "red base": (failure(), History([red("sig"), green()]), "already_red"),
    "red base behind an outage": (failure(), History([OUTAGE, red("sig")]), "already_red"),
    "green base behind an outage": (failure(), History([OUTAGE, green()]), "new"),
    "open incident, no build of this config": (failure(), History(open_incidents=frozenset({"sig"})), "already_red"),
    "open incident elsewhere, this config was green": (
        failure(),
        History([green()], open_incidents=frozenset({"sig"})),
        "new",
    ),
    "red on the pull request only": (failure(), History([red("sig", on_base=False), green()]), "new"),
    "re-red after a fix": (failure(), History([green(), red("sig"), green()]), "new"),
    "re-red of a compile error after two fixes": (
        failure(),
        History([green(), red("sig"), green(), red("sig"), green()]),
        "new",
    ),
    "flaky test: same commit passed": (TEST, History([green()], same_commit=[green()]), "flaky"),
    "flaky test: came and went": (TEST, History([green(), red("sig"), green(), red("sig"), green()]), "flaky"),
    "test once red, then fixed": (TEST, History([green(), red("sig"), green()]), "new"),
    "test red up to now": (TEST, History([red("sig"), green(), red("sig"), green()]), "already_red"),
    "same commit failed again": (TEST, History([green()], same_commit=[red("sig")]), "new"),
    "time-out once": (failure("timeout", "flaky"), History([green()]), "new"),
    "disk full": (failure("disk_full", "infra"), History([green()]), "infra"),
    "network down in two projects": (
        failure("network_error", "infra"),
        History([green()], other_projects_failing=frozenset({"iree"})),
        "infra",
    ),
    "no history at all": (failure(), History(), "unknown"),
    "base failed, nobody knows how": (failure(), History([red()]), "unknown"),
    "only outages are known": (failure(), History([OUTAGE]), "unknown"),
    "out of memory may be the change's": (failure("out_of_memory", "infra"), History([green()]), "unknown"),
    "out of memory, the same commit passed": (
        failure("out_of_memory", "infra"),
        History([green()], [green()]),
        "infra",
    ),
    "the compiler crashes on the change": (failure("compiler_crash", "infra"), History([green()]), "new"),
    "the compiler crashes in two projects": (
        failure("compiler_crash", "infra"),
        History([green()], other_projects_failing=frozenset({"iree"})),
        "infra",
    ),
    "a network error with this commit only, again and again": (
        failure("network_error", "infra"),
        History([green()], same_commit=[red("sig", fault="infra"), red("sig", fault="infra")]),
        "unknown",
    ),
    "an outage that also hit other commits": (
        failure("network_error", "infra"),
        History([red("sig", fault="infra"), green()], same_commit=[red("sig", fault="infra")] * 2),
        "infra",
    ),
    "test fixed twice after it was red for long": (
        TEST,
        History([green(), red("sig"), red("sig"), green(), red("sig"), red("sig"), green()]),
        "new",
    ),
    "a retry of the first red attempt": (failure(), History([red("sig", on_base=False), green()]), "new"),
    "nobody knows how it failed, the base is green": (nameless(), History([green()]), "new"),
    "nobody knows how it failed, the base is red": (nameless(), History([red("other")]), "unknown"),
    "a person says flaky": (failure(), History([green()], override="flaky"), "flaky"),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_verdict_follows_the_evidence(name: str) -> None:
    """Each scenario has its verdict, and says why."""
    judged, history, expected = SCENARIOS[name]

    answer = verdict(judged, history)

    assert expected == answer.kind
    assert answer.evidence
