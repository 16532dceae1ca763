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
    "disk full, seen here only": (failure("disk_full", "infra"), History([green()]), "unknown"),
    "disk full in another project, too": (
        failure("disk_full", "infra"),
        History([green()], other_projects_failing=frozenset({"iree"})),
        "infra",
    ),
    "disk full, the base, too": (failure("disk_full", "infra"), History([red("sig", fault="infra"), green()]), "infra"),
    "disk was full once, long before a green": (
        failure("disk_full", "infra"),
        History([green(), red("sig", fault="infra")]),
        "unknown",
    ),
    "a mistyped host of a clone": (failure("network_error", "infra"), History([green()]), "unknown"),
    "a mistyped host, tried again": (
        failure("network_error", "infra"),
        History([green()], same_commit=[red("sig", fault="infra")]),
        "unknown",
    ),
    "a mistyped host on the pull request before": (
        failure("network_error", "infra"),
        History([red("sig", on_base=False, fault="infra"), green()]),
        "unknown",
    ),
    "a network error, the same commit passed": (
        failure("network_error", "infra"),
        History([green()], [green()]),
        "infra",
    ),
    "a lost runner, seen here only": (failure("runner_lost", "infra"), History([green()]), "unknown"),
    "a lost runner, the base lost one, too": (
        failure("runner_lost", "infra"),
        History([red("sig", fault="infra"), green()]),
        "infra",
    ),
    "a lost runner, the same commit passed": (failure("runner_lost", "infra"), History([green()], [green()]), "infra"),
    "a cache that answers nobody": (
        failure("cache_error", "infra"),
        History([green()], other_projects_failing=frozenset({"iree", "circt"})),
        "infra",
    ),
    "a cache whose address the change mistyped": (failure("cache_error", "infra"), History([green()]), "unknown"),
    "no GPU for anybody": (
        failure("device_error", "infra"),
        History([red("sig", fault="infra"), red("sig", fault="infra"), green()]),
        "infra",
    ),
    "no GPU for a test that newly asks for one": (failure("device_error", "infra"), History([green()]), "unknown"),
    "a CI service without history": (failure("ci_service_error", "infra"), History(), "unknown"),
    "permission denied, which a change can bring about": (
        failure("permission_error", "infra"),
        History([green()]),
        "new",
    ),
    "permission denied, the base, too": (
        failure("permission_error", "infra"),
        History([red("sig"), green()]),
        "already_red",
    ),
    "the same commit compiled before: another compiler": (
        failure(),
        History([green()], same_commit=[green()]),
        "unknown",
    ),
    "the same commit linked before": (failure("link_error"), History([green()], same_commit=[green()]), "unknown"),
    "the same commit was configured before": (
        failure("cmake_configure_error", "config"),
        History([green()], same_commit=[green()]),
        "unknown",
    ),
    "the same commit's import worked before": (
        failure("python_import_error", "config"),
        History([green()], same_commit=[green()]),
        "unknown",
    ),
    "a generated header that came too late": (
        failure("missing_header"),
        History([green()], same_commit=[green()]),
        "flaky",
    ),
    "a crash, the same commit passed": (failure("crash"), History([green()], same_commit=[green()]), "flaky"),
    "a time-out, the same commit passed": (
        failure("timeout", "flaky"),
        History([green()], same_commit=[green()]),
        "flaky",
    ),
    "a crash that another project shows alike": (
        failure("crash"),
        History([green()], other_projects_failing=frozenset({"iree"})),
        "new",
    ),
    "a sanitizer's report that another project shows alike": (
        failure("sanitizer_report"),
        History([green()], other_projects_failing=frozenset({"iree"})),
        "new",
    ),
    "out of memory in two projects": (
        failure("out_of_memory", "infra"),
        History([green()], other_projects_failing=frozenset({"iree"})),
        "unknown",
    ),
    "only a wrapper's word, as on the base": (failure("unknown"), History([red("sig"), green()]), "unknown"),
    "only a wrapper's word, with an incident open": (
        failure("unknown"),
        History(open_incidents=frozenset({"sig"})),
        "unknown",
    ),
    "only a wrapper's word, the base is green": (failure("unknown"), History([green()]), "new"),
    "only a wrapper's word, the same commit passed": (
        failure("unknown"),
        History([green()], same_commit=[green()]),
        "unknown",
    ),
    "a test that is born red": (TEST, History([green()]), "new"),
    "a test that is born red, tried again": (
        TEST,
        History([green()], same_commit=[red("sig"), red("sig")]),
        "new",
    ),
    "a test born red on a pull request, on its second push": (
        TEST,
        History([red("sig", on_base=False), green()]),
        "new",
    ),
    "two changes green alone and red together": (
        failure(),
        History([green(name="b"), green(name="a")]),
        "new",
    ),
    "two changes red together, a third on top": (failure(), History([red("sig"), green()]), "already_red"),
    "a premerge build of a branch that is red": (
        failure(),
        History([red("other", on_base=False), red("sig"), green()]),
        "already_red",
    ),
    "a premerge build of a branch that is green": (
        failure(),
        History([red("sig", on_base=False), red("sig", on_base=False), green()]),
        "new",
    ),
    "red on other pull requests only": (failure(), History([red("sig", on_base=False)]), "unknown"),
    "the base was fixed since": (failure(), History([green(), red("sig")]), "new"),
    "the base is red another way, and another build was red alike": (
        failure(),
        History([red("other"), red("sig"), green()]),
        "new",
    ),
    "a test that came and went, and is born anew on this pull request": (
        TEST,
        History([red("sig", on_base=False), green(), green()]),
        "new",
    ),
    "a compile error that came and went": (
        failure(),
        History([green(), red("sig"), green(), red("sig"), green(), red("sig"), green()]),
        "new",
    ),
    "a person says new": (TEST, History([red("sig")], override="new"), "new"),
    "a person says infra": (failure(), History([green()], override="infra"), "infra"),
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
        "new",
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


def test_no_history_clears_a_change_of_what_only_it_shows() -> None:
    """Whatever failed: with a green base, and nothing else that shows it, nobody else is to blame."""
    categories = [judged.category for judged, _, _ in SCENARIOS.values()]

    answers = {category: verdict(failure(category), History([green()])).kind for category in categories}

    assert {"new", "unknown"} >= set(answers.values()), answers
    assert len(SCENARIOS) >= 60
