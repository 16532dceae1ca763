"""`build-dashboard run`: wraps one command, reports it, and exits as it did.

The command starts first; everything the dashboard needs happens beside it. Whatever goes wrong on our side, the
command's output and exit code are what they would have been.
"""

import argparse
import contextlib
import errno
import os
import re
import signal
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from build_protocol.branches import branch_fault
from build_protocol.ids import BadBuildName, read_build_name

from build_dashboard.builds.console import say
from build_dashboard.duration import read_duration
from build_dashboard.endpoint import spool_directory
from build_dashboard.evidence.build_tree import find_trees
from build_dashboard.holder.holding import GRACE_SECONDS, open_standard_descriptors, start
from build_dashboard.holder.signals import Signals
from build_dashboard.recording.directory import BuildDirectory, build_facts
from build_dashboard.redaction.environment import child_environment, declared_secrets
from build_dashboard.redaction.redactor import Redactor

LINGER_SECONDS = 10.0


def main(arguments: Sequence[str]) -> int:
    """Run the command of these arguments; its exit code."""
    options = parse(arguments)
    if options.resume:
        from build_dashboard.builds.resume import resume  # noqa: PLC0415  (a build needs nothing of it to start)

        return resume(options)
    is_input_closed = open_standard_descriptors()
    environment = child_environment(os.environ, keep_key=options.keep_key)
    try:
        redactor = Redactor.of(os.environ, options.secret, options.redact)
        directory = BuildDirectory.create(spool_directory(options.spool), _facts(options, redactor))
    except OSError as error:
        say(f"cannot write the spool ({error}): the build runs unrecorded")
        return _become(options.command, is_input_closed=is_input_closed)
    environment["BUILD_DASHBOARD_BUILD_ID"] = directory.build_id
    environment["BUILD_DASHBOARD_REPORTS"] = str(directory.reports.resolve())
    trees = find_trees(options.command, str(Path.cwd()))
    terminal = _terminal_mode()
    holding = start(
        directory.path,
        options.command,
        environment,
        is_terminal=os.isatty(1),
        timeout_seconds=options.timeout,
        silence_seconds=options.silence_timeout,
        grace_seconds=options.grace,
        is_input_closed=is_input_closed,
    )
    signals = Signals(holding)
    try:
        from build_dashboard.builds.wrapping import Wrapping  # noqa: PLC0415  (the command runs; now there is time)

        wrapping = Wrapping(directory, holding, options, signals, trees, redactor=redactor)
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


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of `run`; what follows `--` is the command."""
    parser = argparse.ArgumentParser(
        prog="build-dashboard run",
        description="Run a build and show it on the dashboard. Its output and exit code stay as they are.",
        usage="build-dashboard run --project P [options] -- COMMAND...",
    )
    add = parser.add_argument
    add("--project", help="project name; BUILD_DASHBOARD_PROJECT where not given")
    add("--branch", help="branch; the checkout's where not given")
    add("--commit", help="commit; the checkout's where not given")
    add("--config-name", default="default", help="what is built how, e.g. release or asan")
    add("--origin", choices=("ci", "premerge", "local"), help="local builds never count as red or green; else guessed")
    add("--deepen", action="store_true", help="may fetch history into a shallow clone, to tell what came since green")
    add("--retry-of", metavar="ID", help="whole id of the build that this one tries again")
    add("--artifact", action="append", default=[], metavar="GLOB", help="files to upload when the build ends")
    add("--junit", action="append", default=[], metavar="GLOB", help="test reports (JUnit XML) that the build writes")
    add("--timeout", type=float, default=0, metavar="S", help="end the build after this many seconds")
    add("--silence-timeout", type=float, default=0, metavar="S", help="end the build after so long without output")
    add("--grace", type=float, default=GRACE_SECONDS, metavar="S", help="from SIGTERM to SIGKILL (default 10)")
    add("--linger", type=float, default=LINGER_SECONDS, metavar="S", help="wait for delivery at most (default 10)")
    add(
        "--wait",
        type=_duration,
        default=os.environ.get("BUILD_DASHBOARD_WAIT") or None,
        metavar="DURATION",
        help="wait so long (90s, 10m) for a dashboard that is away, instead of --linger; BUILD_DASHBOARD_WAIT",
    )
    add("--endpoint", help="the dashboard's address; WS_ENDPOINT or BUILD_DASHBOARD_URL where not given")
    add("--spool", metavar="DIR", help="where output is kept until it is stored; BUILD_DASHBOARD_SPOOL")
    add("--redact", action="append", default=[], metavar="REGEX", help="also mask what this matches")
    add(
        "--secret",
        action="append",
        default=[],
        metavar="NAME",
        help="also mask this: a variable, an @file, or text",
    )
    add("--keep-key", action="store_true", help="let the command have the agent's own key")
    add("--tty", action="store_true", help="keep the terminal's last row for progress, time left, cache and link")
    add("--quiet", action="store_true", help="say nothing of our own")
    add("--resume", action="store_true", help="deliver what earlier builds left in the spool, and exit")
    add("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.command[:1] == ["--"]:
        options.command = options.command[1:]
    options.deepen = options.deepen or os.environ.get("BUILD_DASHBOARD_DEEPEN", "") not in ("", "0", "false")
    options.project = options.project or os.environ.get("BUILD_DASHBOARD_PROJECT")
    if not options.resume:
        if not options.command:
            parser.error("no command: write it after --, as in: build-dashboard run --project P -- ninja")
        if not options.project or not _is_project_name(options.project):
            parser.error("--project must be a name of a-z, 0-9, _ . and -, beginning with one of a-z, 0-9")
        # What CI systems give where there is no branch: an unset variable, and a checkout of a commit.
        options.branch = None if options.branch in ("", "HEAD") else options.branch
        if options.branch is not None and (fault := branch_fault(options.branch)):
            parser.error(f"--branch: {fault}")
        options.retry_of = _whole_id(parser, options.retry_of)
        _check_redaction(parser, options)
    return options


def _duration(text: str) -> float:
    try:
        return read_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _check_redaction(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """What is to be masked is known before the command can print it."""
    try:
        for text in options.redact:
            re.compile(text)
    except re.error as error:
        parser.error(f"--redact {text}: no regular expression: {error}")
    try:
        options.secret = list(declared_secrets(options.secret))
    except (OSError, ValueError) as error:
        parser.error(f"--secret: {error}")


def _whole_id(parser: argparse.ArgumentParser, text: str | None) -> str | None:
    """The id, as it is sent: a record with any other would be refused, and with it the whole build."""
    if not text:
        return None
    try:
        name = read_build_name(text)
    except BadBuildName as error:
        parser.error(f"--retry-of: {error}")
    if not name.is_whole:
        parser.error(f"--retry-of {text}: give the whole id, no build waits until the dashboard was asked for it")
    return name.beginning


def _facts(options: argparse.Namespace, redactor: Redactor) -> dict[str, Any]:
    return build_facts(
        options.project,
        redactor.command(options.command),
        branch=options.branch,
        commit=options.commit,
        config=options.config_name,
        origin=options.origin,
        retry_of=options.retry_of,
        artifacts=options.artifact,
        junit=options.junit,
        is_terminal=os.isatty(1),
    )


def _terminal_mode() -> list[Any] | None:
    """How the terminal is set, should the holder be killed before it can restore it."""
    try:
        return termios.tcgetattr(0)
    except termios.error:
        return None


def _is_project_name(name: str) -> bool:
    allowed = "abcdefghijklmnopqrstuvwxyz0123456789"
    return len(name) <= 64 and name[0] in allowed and all(character in allowed + "_.-" for character in name)
