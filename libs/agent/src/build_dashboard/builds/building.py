"""Building: runs one command as a build, for agents that live on after it."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from build_dashboard.builds.driven import DrivenBuild
from build_dashboard.builds.handlers import Handlers
from build_dashboard.builds.reporter import BuildReporter
from build_dashboard.delivery.delivery import Delivery
from build_dashboard.evidence import facts
from build_dashboard.evidence.build_tree import find_trees
from build_dashboard.evidence.collector import EvidenceCollector
from build_dashboard.evidence.commit_range import gather_range, may_deepen
from build_dashboard.holder.holding import GRACE_SECONDS, start
from build_dashboard.recording.directory import BuildDirectory, build_facts
from build_dashboard.redaction.environment import redactor_of
from build_dashboard.redaction.own_key import child_environment
from build_dashboard.redaction.redactor import Redactor

ENVIRONMENT_MAX = 64
"""Variables that BUILD_START carries, at most."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to build, and as what."""

    project: str
    command: Sequence[str]
    cwd: str
    branch: str | None = None
    commit: str | None = None
    config: str = "default"
    origin: str | None = "ci"
    timeout_seconds: float = 0
    silence_seconds: float = 0
    grace_seconds: float = GRACE_SECONDS
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Sequence[str] = ()
    """Variables, `@files` or values to mask, beside what looks secret by itself."""

    keep_key: bool = False
    """Whether the command gets the agent's own key."""


@dataclass(frozen=True, slots=True)
class BuildResult:
    """How a build ended: `status` is succeeded, failed, cancelled or timed_out."""

    build_id: str
    status: str
    exit_code: int


def drive(plan: Plan, spool: Path, delivery: Delivery, handlers: Handlers) -> DrivenBuild:
    """Begin a build that the caller drives; `end` it.

    Raises:
        OSError: the spool cannot be written.
    """
    redactor = _redactor(plan, delivery)
    directory = _directory(plan, spool, redactor, is_terminal=False)
    gathering = facts.gather(plan.cwd, os.environ)
    reporter = BuildReporter(directory, redactor, delivery, is_new=True)
    gather_range(gathering, delivery, directory.facts, may_deepen=may_deepen(os.environ))
    return DrivenBuild(directory, reporter, handlers, gathering)


def build(
    plan: Plan,
    spool: Path,
    delivery: Delivery,
    on_start: Callable[[str], None],
    handlers: Handlers | None = None,
) -> BuildResult:
    """Run the command to its end and report it; its records may still be on their way on return.

    Raises:
        OSError: the spool cannot be written.
    """
    is_terminal = os.isatty(1)
    redactor = _redactor(plan, delivery)
    directory = _directory(plan, spool, redactor, is_terminal=is_terminal)
    trees = find_trees(plan.command, plan.cwd)
    holding = start(
        str(directory.path),
        plan.command,
        {
            **child_environment(os.environ, keep_key=plan.keep_key),
            **plan.environment,
            "BUILD_DASHBOARD_BUILD_ID": directory.build_id,
            "BUILD_DASHBOARD_REPORTS": str(directory.reports.resolve()),
        },
        is_terminal=is_terminal,
        timeout_seconds=plan.timeout_seconds,
        silence_seconds=plan.silence_seconds,
        grace_seconds=plan.grace_seconds,
        cwd=plan.cwd,
    )
    gathering = facts.gather(plan.cwd, os.environ)
    collector = EvidenceCollector(directory.facts, trees, os.environ, spool, redactor)
    reporter = BuildReporter(directory, redactor, delivery, is_new=True, collector=collector, handlers=handlers)
    collector.begin()
    gather_range(gathering, delivery, directory.facts, may_deepen=may_deepen(os.environ))
    reporter.start(gathering)
    on_start(directory.build_id)
    end = reporter.follow(holding, gathering)
    return BuildResult(directory.build_id, end.status, holding.wait())


def _redactor(plan: Plan, delivery: Delivery) -> Redactor:
    environment = {**os.environ, **plan.environment}
    return redactor_of(environment, plan.secrets, api_key=delivery.endpoint.api_key)


def _directory(plan: Plan, spool: Path, redactor: Redactor, *, is_terminal: bool) -> BuildDirectory:
    noted = build_facts(
        plan.project,
        redactor.command(plan.command),
        branch=plan.branch,
        commit=plan.commit,
        config=plan.config,
        origin=plan.origin,
        is_terminal=is_terminal,
        cwd=plan.cwd,
    )
    explaining = {**plan.environment, **facts.environment_facts(os.environ)}
    noted["start"]["environment"] = redactor.environment(dict(list(explaining.items())[:ENVIRONMENT_MAX]))
    directory = BuildDirectory.create(spool, noted)
    directory.seal_redaction(redactor)
    return directory
