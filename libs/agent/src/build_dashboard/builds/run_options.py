"""The options of `run`. A build's command waits for what this imports: argparse is asked only for the unusual."""

import os

from build_dashboard.holder.holding import GRACE_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, NoReturn

LINGER_SECONDS = 10.0

_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def _duration(text: str) -> float:
    from build_dashboard.duration import read_duration  # noqa: PLC0415  (most runs name none)

    try:
        return read_duration(text)
    except ValueError as error:
        from argparse import ArgumentTypeError  # noqa: PLC0415  (as above)

        raise ArgumentTypeError(str(error)) from error


OPTIONS: "Mapping[str, Mapping[str, Any]]" = {
    "--project": {"help": "project name; BUILD_DASHBOARD_PROJECT where not given"},
    "--branch": {"help": "branch; the checkout's where not given"},
    "--commit": {"help": "commit; the checkout's where not given"},
    "--config-name": {"default": "default", "help": "what is built how, e.g. release or asan"},
    "--origin": {
        "choices": ("ci", "premerge", "local"),
        "help": "local ones never count as red or green; else guessed",
    },
    "--deepen": {
        "action": "store_true",
        "help": "may fetch history into a shallow clone, to tell what came since green",
    },
    "--retry-of": {"metavar": "ID", "help": "whole id of the build that this one tries again"},
    "--artifact": {"action": "append", "default": [], "metavar": "GLOB", "help": "files to upload when the build ends"},
    "--junit": {
        "action": "append",
        "default": [],
        "metavar": "GLOB",
        "help": "test reports (JUnit XML) that the build writes",
    },
    "--timeout": {"type": float, "default": 0, "metavar": "S", "help": "end the build after this many seconds"},
    "--silence-timeout": {
        "type": float,
        "default": 0,
        "metavar": "S",
        "help": "end the build after so long without output",
    },
    "--grace": {
        "type": float,
        "default": GRACE_SECONDS,
        "metavar": "S",
        "help": "from SIGTERM to SIGKILL (default 10)",
    },
    "--linger": {
        "type": float,
        "default": LINGER_SECONDS,
        "metavar": "S",
        "help": "wait for delivery at most (default 10)",
    },
    "--wait": {
        "type": _duration,
        "metavar": "DURATION",
        "help": "wait so long (90s, 10m) for a dashboard that is away, instead of --linger; BUILD_DASHBOARD_WAIT",
    },
    "--endpoint": {"help": "the dashboard's address; WS_ENDPOINT or BUILD_DASHBOARD_URL where not given"},
    "--spool": {"metavar": "DIR", "help": "where output is kept until it is stored; BUILD_DASHBOARD_SPOOL"},
    "--redact": {"action": "append", "default": [], "metavar": "REGEX", "help": "also mask what this matches"},
    "--secret": {
        "action": "append",
        "default": [],
        "metavar": "NAME",
        "help": "also mask this: a variable, an @file, or text",
    },
    "--keep-key": {"action": "store_true", "help": "let the command have the agent's own key"},
    "--tty": {"action": "store_true", "help": "keep the terminal's last row for progress, time left, cache and link"},
    "--quiet": {"action": "store_true", "help": "say nothing of our own"},
    "--resume": {"action": "store_true", "help": "deliver what earlier builds left in the spool, and exit"},
}
"""Each option as argparse takes it."""


class RunOptions:
    """What `run` was asked for."""

    project: str
    branch: str | None
    commit: str | None
    config_name: str
    origin: str | None
    deepen: bool
    retry_of: str | None
    artifact: list[str]
    junit: list[str]
    timeout: float
    silence_timeout: float
    grace: float
    linger: float
    wait: float | None
    endpoint: str | None
    spool: str | None
    redact: list[str]
    secret: list[str]
    keep_key: bool
    tty: bool
    quiet: bool
    resume: bool
    command: list[str]


def parse(arguments: "Sequence[str]") -> RunOptions:
    """The options of `run`; what follows `--` is the command. Where they are wrong the process ends with a sentence."""
    options = read_usual(arguments) or parser().parse_args(arguments, RunOptions())
    if options.command[:1] == ["--"]:
        options.command = options.command[1:]
    options.deepen = options.deepen or os.environ.get("BUILD_DASHBOARD_DEEPEN", "") not in ("", "0", "false")
    options.project = options.project or os.environ.get("BUILD_DASHBOARD_PROJECT", "")
    if options.wait is None and (wait := os.environ.get("BUILD_DASHBOARD_WAIT")):
        options.wait = _wait(wait)
    if not options.resume:
        # What CI systems give where there is no branch: an unset variable, and a checkout of a commit.
        options.branch = None if options.branch in ("", "HEAD") else options.branch
        _check(options)
    return options


def read_usual(arguments: "Sequence[str]") -> RunOptions | None:
    """Options that are spelled out and have their values, and a command behind `--`; None for all else."""
    values = {name: given.get("default", False if _is_flag(given) else None) for name, given in OPTIONS.items()}
    values = {name: [] if isinstance(value, list) else value for name, value in values.items()}
    left = list(reversed(arguments))
    try:
        while left and left[-1] != "--":
            name, has_value, value = left.pop().partition("=")
            given = OPTIONS[name]
            if _is_flag(given):
                if has_value:
                    return None
                values[name] = True
                continue
            if not has_value and (value := left.pop()).startswith("-"):
                return None
            read: Callable[[str], Any] = given.get("type", str)
            if given.get("action") == "append":
                values[name].append(value)
            elif value not in given.get("choices", (value,)):
                return None
            else:
                values[name] = read(value)
    except Exception:  # noqa: BLE001  (argparse finds it again, and has the words for it)
        return None
    options = RunOptions()
    for name, value in values.items():
        setattr(options, name[2:].replace("-", "_"), value)
    options.command = left[-2::-1] if left else []
    return options


def _wait(text: str) -> float:
    try:
        return _duration(text)
    except Exception as error:  # noqa: BLE001  (argparse's own class: see _duration)
        _refuse(f"BUILD_DASHBOARD_WAIT: {error}")


def _is_flag(given: "Mapping[str, Any]") -> bool:
    return given.get("action") == "store_true"


def parser() -> "ArgumentParser":
    """What reads all options, and knows the words for help and mistakes."""
    import argparse  # noqa: PLC0415  (see above)

    made = argparse.ArgumentParser(
        prog="build-dashboard run",
        description="Run a build and show it on the dashboard. Its output and exit code stay as they are.",
        usage="build-dashboard run --project P [options] -- COMMAND...",
    )
    for name, given in OPTIONS.items():
        # A list of defaults would be added to.
        made.add_argument(name, **{**given, "default": list(given["default"])} if "append" in given.values() else given)
    made.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return made


def _refuse(sentence: str) -> "NoReturn":
    parser().error(sentence)


def _check(options: RunOptions) -> None:
    """End the process where something is wrong that the parser does not know of."""
    if not options.command:
        _refuse("no command: write it after --, as in: build-dashboard run --project P -- ninja")
    if not options.project or not _is_project_name(options.project):
        _refuse("--project must be a name of a-z, 0-9, _ . and -, beginning with one of a-z, 0-9")
    if options.branch is not None:
        from build_protocol.branches import branch_fault  # noqa: PLC0415  (mostly the checkout's)

        if fault := branch_fault(options.branch):
            _refuse(f"--branch: {fault}")
    options.retry_of = _whole_id(options.retry_of)
    if options.redact or options.secret or os.environ.get("BUILD_DASHBOARD_SECRETS"):
        _check_redaction(options)


def _check_redaction(options: RunOptions) -> None:
    """What is to be masked is known before the command can print it."""
    import re  # noqa: PLC0415  (most runs name nothing)

    from build_dashboard.redaction.environment import declared_secrets  # noqa: PLC0415  (as above)

    text = ""
    try:
        for text in options.redact:
            re.compile(text)
    except re.error as error:
        _refuse(f"--redact {text}: no regular expression: {error}")
    try:
        options.secret = list(declared_secrets(options.secret))
    except (OSError, ValueError) as error:
        _refuse(f"--secret: {error}")


def _whole_id(text: str | None) -> str | None:
    """The id, as it is sent: a record with any other would be refused, and with it the whole build."""
    if not text:
        return None
    from build_protocol.ids import BadBuildName, read_build_name  # noqa: PLC0415  (few builds try one again)

    try:
        name = read_build_name(text)
    except BadBuildName as error:
        _refuse(f"--retry-of: {error}")
    if not name.is_whole:
        _refuse(f"--retry-of {text}: give the whole id, no build waits until the dashboard was asked for it")
    return name.beginning


def _is_project_name(name: str) -> bool:
    return (
        len(name) <= 64
        and name[0] in _NAME_CHARACTERS
        and all(character in _NAME_CHARACTERS + "_.-" for character in name)
    )
