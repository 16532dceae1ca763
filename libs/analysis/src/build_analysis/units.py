"""Units: the source file whose compilation printed a diagnostic, and the object that make builds of it.

Recipes of make run side by side; what distinguishes their output is the file that each names.
"""

import re
from collections.abc import Iterable

_SOURCE = re.compile(r"\.(?:c|cc|cpp|cxx|c\+\+|C|cu|m|mm|f|F|f90|F90|f95|hip|cl|s|S|asm)$")
_OBJECT = re.compile(r"\.(?:o|obj|lo|os|pic\.o|gch|pch|ii?|bc|ptx|cubin)$")
_INCLUDED = re.compile(
    r"^(?:In file included|\s+)(?: ?from) (?P<file>(?:[A-Za-z]:)?[^:\s][^:]{0,400}):\d+(?::\d+)?[,:]"
)
CHAIN_LINES = 40
"""No chain of includes is longer."""


def unit_of(match: re.Match[str], lines: Iterable[tuple[int, str]]) -> str | None:
    """The source file that was being compiled when a diagnostic was printed, None where the log does not show it.

    Args:
        match: how a rule matched the diagnostic.
        lines: the lines before it, nearest first.
    """
    file = match.groupdict().get("file")
    if file is None:
        return None
    if _SOURCE.search(file):
        return file
    for count, (_, text) in enumerate(lines):
        included = _INCLUDED.match(text)
        # Between the chain and the diagnostic stands at most the function that it is in.
        if (included is None and ": In " not in text and count) or count >= CHAIN_LINES:
            return None
        if included and _SOURCE.search(included["file"]):
            return included["file"]
    return None


def builds(target: str, source: str) -> bool:
    """Whether make's target is the object of a source file: `lib/CMakeFiles/t.dir/ops.cpp.o` is that of `ops.cpp`."""
    made, name = _last_name(target), _last_name(source)
    stem = _SOURCE.sub("", name)
    return _OBJECT.sub("", made) in (name, stem) or _SOURCE.sub("", _OBJECT.sub("", made)).endswith(f"-{stem}")


def is_object(target: str) -> bool:
    """Whether a target is what one compilation makes."""
    return _OBJECT.search(target) is not None


def _last_name(path: str) -> str:
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]
