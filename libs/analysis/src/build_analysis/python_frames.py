"""Python tracebacks, read backwards from the line that names the exception."""

import re
from collections.abc import Sequence

from build_analysis.candidate import Candidate
from build_analysis.rule import PACKAGER_RANK, rank_of

_FRAME = re.compile(r'^\s*(?:E\s+)?(?:File ")?(?P<file>[^"]{1,400})", line (?P<line>\d+)(?:, in (?P<function>.+))?')
# IPython, and what runs notebooks, name a frame so.
_CELL_FRAME = re.compile(r"^File (?P<file>[^\s:,]{1,400}\.pyx?):(?P<line>\d+)(?:, in (?P<function>\w+))?")
_START = re.compile(r"Traceback \(most recent call last\)")
# Frames of the import machinery and of test runners are not where a project's fault lies.
_MACHINERY = re.compile(
    r"<frozen |importlib[/\\]__init__|[/\\](?:unittest|_?pytest|pluggy|lit)[/\\]|[/\\]runpy\.py|^<string>$"
)
_TEST_FILE = re.compile(r"(?:^|[/\\])(?:test_[^/\\]*|[^/\\]*_test|conftest)\.py$|[/\\]tests?[/\\]")
_TEST_NAME = re.compile(r"test(?:_|[A-Z]|$)")
# Who is among the callers when a package is built.
_PACKAGING = re.compile(
    r"[/\\](?:setuptools|distutils|_distutils|pyproject_hooks|scikit_build_core|skbuild|setuptools_scm|vcs_versioning|flit_core|poetry|pdm|hatchling|mesonpy|maturin)[/\\]"
    r"|pip-build-env|pip-install-|pip-req-build|<pip-setuptools-caller>"
)
_IMPORT = re.compile(r"^(?:ImportError|ModuleNotFoundError)$")
_UNPARSED = frozenset({"SyntaxError", "IndentationError", "TabError"})
_INSTALLED = re.compile(
    r"[/\\](?:site|dist)-packages[/\\]|[/\\]lib[/\\]python\d[\d.]*[/\\]|[/\\]Python[\d.]*[/\\][Ll]ib[/\\]"
)
"""Dependencies and the standard library: where an exception is raised, not where it is brought about."""
_IN_TESTS = frozenset({"python_test_failure", "device_error"})
"""What is placed in the test that met it."""
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
        if match := _FRAME.match(text) or _CELL_FRAME.match(text):
            frames.append(match)
    own = [frame for frame in frames if not _MACHINERY.search(frame["file"])]
    exception = candidate.fields.get("code", "").rpartition(".")[2]
    if candidate.category == "python_test_failure":
        _classify(candidate, exception, frames, own)
    # Code that was passed as a text, as setup.py is by pip, has no place of its own.
    is_text = bool(frames) and frames[0]["file"] == "<string>" and candidate.category != "python_test_failure"
    place = _place(candidate.category, exception, own) if own and not is_text else None
    if place is None:
        return
    candidate.fields.setdefault("file", place["file"])
    candidate.fields.setdefault("line", place["line"])
    if _IMPORT.match(exception) and len(own) > 1:
        candidate.fields.setdefault("location", f"{own[-1]['file']}:{own[-1]['line']}")


def _classify(
    candidate: Candidate, exception: str, frames: Sequence[re.Match[str]], own: Sequence[re.Match[str]]
) -> None:
    """Distinguish an import that failed, and a package that could not be built, from a failed test."""
    if own and exception != "CalledProcessError" and all((frame["function"] or "") == "<module>" for frame in own):
        candidate.category, candidate.fault = "python_import_error", "config"
        candidate.rank = rank_of("python_import_error")
    elif any(_PACKAGING.search(frame["file"]) for frame in frames):
        candidate.category, candidate.fault = "python_packaging_error", "config"
        candidate.rank = PACKAGER_RANK


def _place(category: str, exception: str, own: Sequence[re.Match[str]]) -> re.Match[str] | None:
    innermost = own[0]
    # The innermost frame of a text that does not parse is that text; no function runs in it.
    if exception in _UNPARSED or category == "python_import_error":
        return innermost
    if category == "python_packaging_error":
        return None if _INSTALLED.search(innermost["file"]) else innermost
    place = next((frame for frame in own if not _INSTALLED.search(frame["file"])), innermost)
    return (_in_test(own) or place) if category in _IN_TESTS else place


def _in_test(own: Sequence[re.Match[str]]) -> re.Match[str] | None:
    """The innermost frame in the file whose function is the test; else in a file named or kept like a test."""
    test = next((frame for frame in own if _TEST_NAME.match(frame["function"] or "")), None)
    if test is not None:
        return next(frame for frame in own if frame["file"] == test["file"])
    return next((frame for frame in own if _TEST_FILE.search(frame["file"])), None)
