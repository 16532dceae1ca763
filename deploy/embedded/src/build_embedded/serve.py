"""`build-dashboard serve SERVICE`: one service as a process of its own, for systems larger than one process."""

import argparse
import runpy
import sys
from collections.abc import Sequence

SERVICES = ("gateway", "ingest", "notifier", "artifacts", "history")


def serve(arguments: Sequence[str]) -> None:
    """Run one service until it is stopped; its settings come from the environment (docs/configuration.md).

    Args:
        arguments: the words behind `serve`: the service, then what `python -m build_SERVICE` takes.
    """
    parser = argparse.ArgumentParser(
        prog="build-dashboard serve",
        description="Run one service; all five together are `build-dashboard up`. Settings: the environment.",
    )
    parser.add_argument("service", choices=SERVICES)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="the service's own: `serve gateway reset-admin`")
    options = parser.parse_args(arguments)
    sys.argv = [f"build-dashboard serve {options.service}", *options.arguments]
    runpy.run_module(f"build_{options.service}", run_name="__main__")
