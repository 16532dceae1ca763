"""Python tracebacks, read backwards from the line that names the exception."""

import re
from collections.abc import Sequence

from build_analysis.candidate import Candidate
from build_analysis.rule import rank_of

_FRAME = re.compile(r'^\s*(?:E\s+)?(?:File ")?(?P<file>[^"]{1,400})", line (?P<line>\d+)(?:, in (?P<function>.+))?')
_START = re.compile(r"Traceback \(most recent call last\)")
# Frames of the import machinery and of test runners are not where a project's fault lies.
_MACHINERY = re.compile(
    r"<frozen |importlib[/\\]__init__|[/\\](?:unittest|_?pytest|pluggy|lit)[/\\]|[/\\]runpy\.py|^<string>$"
)
_TEST_FILE = re.compile(r"(?:^|[/\\])(?:test_[^/\\]*|[^/\\]*_test|conftest)\.py$|[/\\]tests?[/\\]")
_IMPORT = re.compile(r"^(?:ImportError|ModuleNotFoundError)$")
_UNPARSED = frozenset({"SyntaxError", "IndentationError", "TabError"})
_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\]")
REACH_LINES = 120


def look_through_frames(candidate: Candidate, lines: Sequence[tuple[int, str]]) -> None:
    """Fill the place of a Python exception from the frames above it (`lines`: nearest first).

    An exception while all frames are module bodies is an import that failed, whatever its class.
    A failed test is placed in its innermost frame inside a test file, an import in its innermost frame, anything else
    in the innermost frame that is not an installed package's.
    """
    frames: list[re.Match[str]] = []
    for number, text in lines[:REACH_LINES]:
        if _START.search(text) or number < candidate.first_line - REACH_LINES:
            break
        if match := _FRAME.match(text):
            frames.append(match)
    own = [frame for frame in frames if not _MACHINERY.search(frame["file"])]
    importing = bool(own) and all((frame["function"] or "") == "<module>" for frame in own)
    exception = candidate.fields.get("code", "").rpartition(".")[2]
    if candidate.category == "python_test_failure" and importing and exception != "CalledProcessError":
        candidate.category, candidate.rank, candidate.fault = (
            "python_import_error",
            rank_of("python_import_error"),
            "config",
        )
    if not own:
        return
    place = own[0]
    if exception in _UNPARSED:
        # The nearest frame is the file that does not parse; no function runs in it.
        candidate.fields.setdefault("file", place["file"])
        candidate.fields.setdefault("line", place["line"])
        return
    if candidate.category != "python_import_error":
        place = next((frame for frame in own if not _INSTALLED.search(frame["file"])), place)
    if candidate.category == "python_test_failure":
        place = next((frame for frame in own if _TEST_FILE.search(frame["file"])), place)
    candidate.fields.setdefault("file", place["file"])
    candidate.fields.setdefault("line", place["line"])
    if _IMPORT.match(exception) and len(own) > 1:
        candidate.fields.setdefault("location", f"{own[-1]['file']}:{own[-1]['line']}")
