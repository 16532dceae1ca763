"""Buildbot steps that show their builds on the dashboard: put this file beside master.cfg.

    from buildbot.plugins import steps
    from build_dashboard_steps import deliver, shown

    factory.addStep(steps.ShellCommand(**shown("llvm", ["ninja", "check-mlir"], config_name="release")))
    factory.addStep(steps.ShellCommand(**deliver()))

The worker has `build-dashboard` on its PATH, and WS_ENDPOINT and BUILD_DASHBOARD_API_KEY in its own environment
(`buildbot-worker` passes it on): so the key stands neither in master.cfg nor in a step's log.
"""

from collections.abc import Sequence
from typing import Any

GRACE_SECONDS = 10
"""The agent passes SIGTERM on at once; Buildbot's SIGKILL comes after this."""


def shown(
    project: str, command: Sequence[Any], *, config_name: str = "default", artifacts: Sequence[str] = (), **step: Any
) -> dict[str, Any]:
    """Arguments for `steps.ShellCommand`: the command, wrapped. `step` are others of its arguments."""
    options = ["--project", project, "--config-name", config_name]
    for pattern in artifacts:
        options += ["--artifact", pattern]
    return {
        "name": "build",
        "haltOnFailure": True,
        # A stopped build is ended in order, and reported as cancelled.
        "interruptSignal": "TERM",
        "sigtermTime": GRACE_SECONDS,
        **step,
        "command": ["build-dashboard", "run", *options, "--", *command],
    }


def deliver(wait_seconds: int = 300) -> dict[str, Any]:
    """Arguments for a last `steps.ShellCommand`: delivers what a slow dashboard has not taken yet, and never fails."""
    return {
        "name": "deliver to the dashboard",
        "alwaysRun": True,
        "flunkOnFailure": False,
        "warnOnFailure": True,
        "command": ["build-dashboard", "run", "--resume", "--wait", str(wait_seconds)],
    }
