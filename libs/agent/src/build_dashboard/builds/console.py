"""The agent's own messages, on standard error: the build's output is never mixed with it."""

import contextlib
import os


def say(text: str) -> None:
    """Show the person at the terminal one line; what a file is called can neither begin another nor colour it."""
    text = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    draw(f"build-dashboard: {text}\n")


def draw(text: str) -> None:
    """Write to the terminal as it stands; one that is gone misses it."""
    with contextlib.suppress(OSError):
        # Not through sys.stderr: what a full disk did not take would stay in it, and change the exit code at the end.
        os.write(2, text.encode("utf-8", "replace"))
