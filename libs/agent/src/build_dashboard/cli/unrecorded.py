"""`run` where there are no processes as POSIX has them (Windows itself): the command runs, and is not recorded."""

import os
import subprocess
from collections.abc import Sequence

from build_dashboard.builds.console import say
from build_dashboard.builds.run_options import parse
from build_dashboard.redaction.own_key import child_environment


def main(arguments: Sequence[str]) -> int:
    """Run the command of these arguments; its exit code."""
    options = parse(arguments)
    if options.resume:
        say("nothing can be recorded on this system, so nothing is left to deliver")
        return 0
    if not options.quiet:
        say("this system has no POSIX processes: the build runs unrecorded (WSL 2 has them)")
    environment = child_environment(os.environ, keep_key=options.keep_key)
    try:
        return subprocess.run(options.command, env=environment, check=False).returncode
    except FileNotFoundError:
        say(f"{options.command[0]}: command not found")
        return 127
    except OSError as error:
        say(f"{options.command[0]}: {error.strerror}")
        return 126
