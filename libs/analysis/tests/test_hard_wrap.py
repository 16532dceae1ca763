"""Text that a terminal's width cut in mid-word is read as it was."""

import pytest
from build_analysis.analyzer import LogAnalyzer
from build_analysis.failure import Failure

FUNCTION = "T& tally::ArrayRef<T>::operator[](size_t) const [with T = tally::Operand]"
HEADER = "tally/Dialect/Tally/IR/TallyDialectWithAVeryLongName.h.inc"
ERRORS = [
    f"/home/ci/work/tally/include/Dialect/Tally/IR/Tally.h:14:10: fatal error: {HEADER}: No such file or directory",
    f"tally-opt: /home/ci/work/tally/ArrayRef.h:417: {FUNCTION}: Assertion `Index < this->size()' failed.",
    "ERROR: tally_core-20310513.837-cp311-cp311-macosx_11_0_universal2.whl is not a supported wheel on this platform.",
]
AROUND = ["Unpacking everything that the next step of this build will want to have at hand, patiently, one by one"]


def first_of(lines: list[str]) -> Failure | None:
    analyzer = LogAnalyzer()
    analyzer.feed(1, lines)
    return analyzer.finish().first()


def wrapped(lines: list[str], width: int) -> list[str]:
    return [line[at : at + width] for line in lines for at in range(0, len(line), width)]


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error[:20])
def test_a_wrapped_error_is_the_same_failure(error: str, width: int) -> None:
    """Category, place and signature are those of the whole line; the line is the first part's."""
    lines = [*AROUND, *AROUND, error, "done"]
    plain, cut = first_of(lines), first_of(wrapped(lines, width))

    assert plain is not None
    assert cut is not None
    assert (plain.signature, plain.file, plain.line) == (cut.signature, cut.file, cut.line)
    assert cut.first_line == len(wrapped([*AROUND, *AROUND], width)) + 1


def test_lines_that_are_only_long_are_not_joined() -> None:
    """Two errors of the same length, with their sources below, stay two lines."""
    error = "/src/lib/A.cpp:12:3: error: 'tally_something_that_nobody_declared' was not declared in this scope"
    lines = [
        error,
        "  return tally();",
        error.replace("12:3", "19:3"),
        "  return tally();",
        error.replace("12:3", "21:3"),
    ]

    first = first_of(lines)

    assert first is not None
    assert first.message == error.partition(": ")[2]
