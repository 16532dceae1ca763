"""`build-dashboard run`: wraps one command, reports it, and exits as it did.

The command starts first, so only what its start needs is imported here; everything the dashboard needs is imported and
happens beside it. Whatever goes wrong on our side, the command's output and exit code are what they would have been.
"""

import contextlib
import errno
import os
import signal
import termios
import time
from collections.abc import Sequence

from build_protocol.new_id import new_build_id

from build_dashboard.builds.console import say
from build_dashboard.builds.run_options import RunOptions, parse
from build_dashboard.evidence.build_tree import find_trees
from build_dashboard.holder.holding import open_standard_descriptors, start
from build_dashboard.holder.signals import Signals
from build_dashboard.recording.places import Places
from build_dashboard.redaction.own_key import child_environment
from build_dashboard.spool_path import spool_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from build_dashboard.builds.wrapping import Wrapping


def main(arguments: Sequence[str]) -> int:
    """Run the command of these arguments; its exit code."""
    options = parse(arguments)
    if options.resume:
        from build_dashboard.builds.resume import resume  # noqa: PLC0415  (a build needs nothing of it to start)

        return resume(options)
    is_input_closed = open_standard_descriptors()
    environment = child_environment(os.environ, keep_key=options.keep_key)
    cwd = os.getcwd()  # noqa: PTH109  (pathlib would be waited for)
    now_ms = time.time_ns() // 1_000_000
    is_terminal = os.isatty(1)
    try:
        places = Places(spool_path(options.spool, os.environ), new_build_id(now_ms), now_ms)
        places.note(first_facts(options, places, cwd, is_terminal=is_terminal))
    except OSError as error:
        say(f"cannot write the spool ({error}): the build runs unrecorded")
        return _become(options.command, is_input_closed=is_input_closed)
    environment["BUILD_DASHBOARD_BUILD_ID"] = places.build_id
    environment["BUILD_DASHBOARD_REPORTS"] = places.reports
    trees = find_trees(options.command, cwd)
    terminal = _terminal_mode()
    holding = start(
        places.path,
        options.command,
        environment,
        is_terminal=is_terminal,
        timeout_seconds=options.timeout,
        silence_seconds=options.silence_timeout,
        grace_seconds=options.grace,
        is_input_closed=is_input_closed,
    )
    signals = Signals(holding)
    wrapping: Wrapping | None = None
    try:
        from build_dashboard.builds.wrapping import wrap  # noqa: PLC0415  (the command runs; now there is time)

        wrapping = wrap(places, holding, options, signals, trees, cwd=cwd, is_terminal=is_terminal)
        wrapping.follow()
    except Exception as error:  # noqa: BLE001  (a fault of ours must not become one of the build)
        say(f"recording stopped ({type(error).__name__}: {error}); the build goes on")
        wrapping = None
    code = holding.wait()
    if terminal is not None:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(0, termios.TCSADRAIN, terminal)
    if wrapping is not None:
        with contextlib.suppress(Exception):
            wrapping.deliver(options.linger, options.wait)
    return code


def first_facts(options: RunOptions, places: Places, cwd: str, *, is_terminal: bool) -> dict[str, object]:
    """What the build is, should this process be killed before `build_facts` knows more.

    What in its arguments is secret is not known yet, so the command has only its name.
    """
    start = {
        "branch": options.branch,
        "commit": options.commit,
        "config": options.config_name,
        "origin": options.origin,
        "command": options.command[:1],
        "cwd": cwd,
        "tty": is_terminal,
        "retryOf": options.retry_of,
    }
    return {
        "buildId": places.build_id,
        "project": options.project,
        "branch": options.branch,
        "config": options.config_name,
        "startedAt": places.began_at,
        "artifacts": options.artifact,
        "junit": options.junit,
        "start": start,
    }


def _become(command: list[str], *, is_input_closed: bool) -> int:
    """Be the command from now on; the exit code where there is no such command."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python ignores them, a command expects them
    if is_input_closed:
        os.close(0)
    try:
        os.execvp(command[0], command)  # noqa: S606  (it is what the person asked for)
    except OSError as error:
        say(f"{command[0]}: {error.strerror}")
        return 127 if error.errno == errno.ENOENT else 126


def _terminal_mode() -> "list[Any] | None":
    """How the terminal is set, should the holder be killed before it can restore it."""
    try:
        return termios.tcgetattr(0)
    except termios.error:
        return None
