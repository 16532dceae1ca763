"""The command `build-dashboard`: `run` starts at once; the other commands load what they need.

Distributions add commands by entry points of the group `build_dashboard.commands`: a name, and a function that takes
the arguments behind it. It is loaded only when called; `build-dashboard up` comes so from the embedded system.
"""

import os
import sys


def main() -> None:
    """Entry point."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["run"]:
        # A build must not wait for the imports of commands it does not use.
        if hasattr(os, "posix_spawn"):
            from build_dashboard.cli.run import main as run  # noqa: PLC0415  (see above)
        else:
            from build_dashboard.cli.unrecorded import main as run  # noqa: PLC0415  (as above)

        code = run(arguments[1:])
        _leave_lost_output()
        sys.exit(code)
    from build_dashboard.cli.other_commands import load, other_commands  # noqa: PLC0415  (as above)

    others = other_commands()
    if arguments and arguments[0] in others:
        sys.exit(load(others[arguments[0]])(arguments[1:]))
    from build_dashboard.cli.commands import app  # noqa: PLC0415  (as above)

    for name in others:
        app.command(name, help=f"See `{name} --help`.")(lambda: None)  # listed only; called above
    app(prog_name="build-dashboard")


def _leave_lost_output() -> None:
    """Python would end with 120 instead of the build's exit code where its own output cannot be written."""
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except (AttributeError, OSError, ValueError):
            setattr(sys, name, None)
