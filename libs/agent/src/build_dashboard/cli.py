"""The command `build-dashboard`: `run` starts at once; the other commands load what they need."""

import sys


def main() -> None:
    """Entry point."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["run"]:
        # A build must not wait for the imports of commands it does not use.
        from build_dashboard.run import main as run  # noqa: PLC0415  (see above)

        sys.exit(run(arguments[1:]))
    from build_dashboard.commands import app  # noqa: PLC0415  (see above)

    app()
