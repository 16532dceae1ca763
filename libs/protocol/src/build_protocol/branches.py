"""Names of branches: git's own rule (`git check-ref-format --branch`), in one place for whoever is given one. Pure."""

import re

CHARACTERS_MAX = 512
"""Of a branch on the wire; git itself names no limit."""

_REFUSED = re.compile(
    r"""
    ^-                          # would be taken for an option
    | ^HEAD$
    | (?:^|/)(?:\.|/|$)         # an empty part, or one that begins with a dot
    | \.lock(?:/|$)
    | \.\. | @\{                # ranges and reflogs
    | \.$
    | [\0-\x20\x7f~^:?*[\\]     # controls, space, revisions, patterns
    | [\ud800-\udfff]           # no text: bytes that are not UTF-8
    """,
    re.VERBOSE,
)


def branch_fault(name: str) -> str | None:
    """Why this is no name of a branch, as a sentence; None where git takes it."""
    if _REFUSED.search(name):
        return f"{name[:80]!r} is no name of a branch (see `git help check-ref-format`)"
    if len(name) > CHARACTERS_MAX:
        return f"{name[:80]!r}... is longer than {CHARACTERS_MAX} characters"
    return None
