"""The agent's own messages, on standard error: the build's output is never mixed with it."""

import contextlib
import sys


def say(text: str) -> None:
    """Show the person at the terminal one line; what a file is called can neither begin another nor colour it."""
    text = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    with contextlib.suppress(OSError):
        sys.stderr.write(f"build-dashboard: {text}\n")
        sys.stderr.flush()
