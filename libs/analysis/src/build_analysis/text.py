"""The text of a log line without what terminals and CI systems put around it.

Most lines carry nothing of this, so each function first asks the cheapest question that can say so.
"""

import re

# CSI (colours, cursor), OSC and APC (titles, hyperlinks, Buildkite's times; ended by BEL or ST), and the short two- and
# three-byte escapes.
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]?[0-~])")


def strip_ansi(line: str) -> str:
    """The line without terminal escape sequences."""
    if "\x1b" not in line:
        return line
    return _ESCAPE.sub("", line)


def last_overwrite(line: str) -> str:
    """What a terminal would show of a line that carriage returns wrote over: its last written part."""
    if "\r" not in line:
        return line
    return line.rstrip("\r").rpartition("\r")[2]
