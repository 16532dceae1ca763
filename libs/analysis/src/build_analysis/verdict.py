"""The verdict of a failure: whose is it? A pure function of the failure and what history knows.

`unknown` never reads as harmless: only evidence makes a failure somebody else's, and the evidence is shown. A change is
cleared of a failure by seeing the same signature without the change, never by a guess alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from build_analysis.failure import Fault

VerdictKind = Literal["new", "already_red", "flaky", "infra", "unknown"]

MACHINE_CATEGORIES = frozenset(
    {"disk_full", "network_error", "cache_error", "runner_lost", "device_error", "ci_service_error"}
)
"""What no change to the code brings about by itself, though a change can name a host or a file that is not there.

Memory is not among them: a change can need too much of it.
"""

COMING_AND_GOING = frozenset(
    {
        "lit_test_failure",
        "gtest_failure",
        "ctest_failure",
        "python_test_failure",
        "timeout",
        "crash",
        "sanitizer_report",
        "missing_header",
    }
)
"""What may fail now and then without a change: tests, and headers that a race generates too late."""

NAMELESS = "unknown"
"""The category of what failed without a known cause: alike in its wrapper's words only."""


ONLY_HERE_AFTER = 2
"""So many more failures of one commit alike, and of no other commit, and the machine is no longer to blame."""


class Symptom(Protocol):
    """A failure as far as its verdict needs it: as analysis found it, or as a message carries it."""

    @property
    def category(self) -> str:
        """What kind of failure it is."""
        ...

    @property
    def signature(self) -> str | None:
        """What it is recognised by; None when nobody could tell what failed."""
        ...

    @property
    def fault(self) -> Fault | None:
        """Whose fault failures of its kind are."""
        ...


@dataclass(frozen=True, slots=True)
class PastBuild:
    """A finished build of the same project and config, as history keeps it.

    `on_base` is True for a build without the change under judgement: a build of the branch that a pull request starts
    from, or an earlier build of the same branch; an earlier attempt at the same commit is not.
    """

    build_id: str
    commit: str
    succeeded: bool
    signatures: frozenset[str] = frozenset()
    fault: Fault | None = None
    on_base: bool = True


@dataclass(frozen=True, slots=True)
class History:
    """What is known of the time before a failure; whatever is not known is empty.

    `builds` are the finished builds of the same config that started before this one, newest first; `same_commit` the
    other attempts at the same commit and config; `open_incidents` the signatures of incidents that are open on the base
    and that the change under judgement cannot have opened;
    `other_projects_failing` the projects that show the same signature at the same time; `override` a person's word.
    """

    builds: Sequence[PastBuild] = ()
    same_commit: Sequence[PastBuild] = ()
    open_incidents: frozenset[str] = frozenset()
    other_projects_failing: frozenset[str] = frozenset()
    override: VerdictKind | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict and why, in sentences a page can show."""

    kind: VerdictKind
    evidence: tuple[str, ...] = ()


def verdict(failure: Symptom, history: History) -> Verdict:
    """Judge whose a failure is by what came before it; a person's override stands above everything.

    Args:
        failure: What failed, and how.
        history: The builds and overrides known at that time.

    Returns:
        The verdict and its evidence, as sentences.
    """
    if history.override is not None:
        return Verdict(history.override, ("a person decided so",))
    return (
        _red_base(failure, history)
        or _both_ways(failure, history)
        or _machine(failure, history)
        or _isolated(failure, history)
        or _by_last_build(failure, history)
    )


def _red_base(failure: Symptom, history: History) -> Verdict | None:
    if failure.signature is None or failure.category == NAMELESS:
        return None  # what only a wrapper calls failed may be two failures
    last = _last_on_base(history)
    if last is not None and not last.succeeded and failure.signature in last.signatures:
        return Verdict("already_red", (f"build {last.build_id} of {last.commit[:12]} failed the same way before",))
    if failure.signature in history.open_incidents and (last is None or not last.succeeded):
        return Verdict("already_red", ("an incident with this signature is open on the base",))
    return None


def _both_ways(failure: Symptom, history: History) -> Verdict | None:
    passed = next((build for build in history.same_commit if build.succeeded), None)
    if passed is None:
        return None
    evidence = f"build {passed.build_id} of the same commit and config passed"
    if failure.category in MACHINE_CATEGORIES or failure.category == "out_of_memory":
        return Verdict("infra", (evidence, _category(failure)))
    if failure.category in COMING_AND_GOING:
        return Verdict("flaky", (evidence,))
    # The same sources either compile or do not: what is around them is not what it was.
    return Verdict("unknown", (evidence, f"{failure.category.replace('_', ' ')}: the environment changed"))


def _machine(failure: Symptom, history: History) -> Verdict | None:
    """What only a machine brings about is its doing where something else than this commit shows it, too."""
    if failure.category not in MACHINE_CATEGORIES:
        if failure.category == "out_of_memory":
            return Verdict("unknown", ("memory ran out; whether the change needs more of it is not known",))
        return None
    again = _again_with_this_commit_only(failure, history)
    if again >= ONLY_HERE_AFTER:
        repeated = f"{again} more builds of the same commit failed this way, and no other commit did"
        return Verdict("unknown", (_category(failure), repeated))
    elsewhere = [f"seen at the same time in {project}" for project in sorted(history.other_projects_failing)]
    elsewhere += [
        f"build {build.build_id} of {build.commit[:12]} failed the same way, without the change"
        for build in _alike_on_base(failure, history)
    ][:1]
    if elsewhere:
        return Verdict("infra", (_category(failure), *elsewhere))
    return Verdict("unknown", (_category(failure), "nothing else shows it: the change may name what is not there"))


def _alike_on_base(failure: Symptom, history: History) -> list[PastBuild]:
    """The newest builds without the change that failed the same way, up to the last that passed."""
    alike = []
    for build in history.builds:
        if build.on_base and build.succeeded:
            break
        if build.on_base and failure.signature is not None and failure.signature in build.signatures:
            alike.append(build)
    return alike


def _again_with_this_commit_only(failure: Symptom, history: History) -> int:
    """How often the same commit failed alike while no other did: a change can bring about what looks like an outage."""
    if history.other_projects_failing or any(
        failure.signature in build.signatures for build in history.builds if build.on_base
    ):
        return 0
    return sum(failure.signature in build.signatures for build in history.same_commit)


def _isolated(failure: Symptom, history: History) -> Verdict | None:
    """What comes and goes is flaky; one return may be a break that was fixed, and broke again."""
    if failure.category not in COMING_AND_GOING or failure.signature is None:
        return None
    meaningful = [build for build in history.builds if build.succeeded or build.fault != "infra"]
    if meaningful and failure.signature in meaningful[0].signatures:
        return None  # red up to now
    # Only a red that stood alone between two greens: a break that lasted until somebody fixed it did not go by itself.
    returns = sum(
        failure.signature in build.signatures
        for newer, build, older in zip(meaningful, meaningful[1:], meaningful[2:], strict=False)
        if newer.succeeded and older.succeeded
    )
    if returns < 2:
        return None
    return Verdict("flaky", (f"came and went {returns} times in the last {len(meaningful)} builds of this config",))


def _by_last_build(failure: Symptom, history: History) -> Verdict:
    last = _last_on_base(history)
    if last is None:
        return Verdict("unknown", ("no earlier build of this config shows it",))
    named = f"build {last.build_id} of {last.commit[:12]}"
    if last.succeeded:
        return Verdict("new", (f"{named} passed before",))
    if last.signatures and failure.signature is not None and failure.category != NAMELESS:
        return Verdict("new", (f"{named} failed before, but not this way",))
    return Verdict("unknown", (f"{named} failed before; how is not known of both",))


def _last_on_base(history: History) -> PastBuild | None:
    """The newest build without the change; a build that the machine broke says nothing about the code."""
    return next(
        (build for build in history.builds if build.on_base and (build.succeeded or build.fault != "infra")), None
    )


def _category(failure: Symptom) -> str:
    return f"{failure.category.replace('_', ' ')}: the machine's doing, as far as the log shows"
