"""What the agent says of its own, on standard error: the build's output is never mixed with it."""

import contextlib
import sys


def say(text: str) -> None:
    """Tell the person at the terminal."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"build-dashboard: {text}\n")
        sys.stderr.flush()
