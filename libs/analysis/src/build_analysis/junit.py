"""JUnit XML, as pytest, googletest, ctest, lit, surefire, jest, nextest, Bazel and their like write it.

A structured source beats the log's text: names are whole, seconds are exact, nothing is interleaved. Tools write such
reports carelessly and die while they do: what can be read is, and what could not be is stated. No entity is expanded
and nothing is fetched: a document type is cut out before the parser sees the text.
"""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from build_analysis.test_results import Outcome, TestResult

RESUMES_MAX = 100
"""After so many broken places the rest of a report is given up."""

DEPTH_MAX = 1000
"""Elements are not nested deeper in any report."""

RESULTS_MAX = 200_000
"""So many results of one report are read."""

TEARDOWN_RESULTS = 200
"""So far back pytest's first report of a test is looked for."""

BODY_CHARACTERS = 300
"""So much of a failure's text is looked at."""

_ROOTS = frozenset({"testsuites", "testsuite", "testrun", "testcase"})


class NotJUnit(ValueError):
    """The bytes are not a JUnit report; `root` is the name of their root element, empty where there is none."""

    def __init__(self, problem: str, root: str = "") -> None:
        super().__init__(problem)
        self.root = root


@dataclass(frozen=True, slots=True)
class JUnitReport:
    """The results of one report, in its order; `problem` says what of it could not be read, None: all was."""

    results: list[TestResult]
    problem: str | None = None


def read_junit(data: bytes) -> JUnitReport:
    """Read a JUnit XML report.

    Args:
        data: The file's bytes, in the encoding that they declare.

    Raises:
        NotJUnit: it is other XML, or no XML at all.
    """
    text, problem = _decode(data)
    reader = _Reader()
    broken = reader.read(_clean(text).encode())
    if not reader.is_junit:
        nothing = "it is not XML" if text.strip() else "it is empty"
        raise NotJUnit(f"its root element is <{reader.root}>" if reader.root else nothing, reader.root)
    return JUnitReport(reader.results(), broken or problem)


# --- the text ---

_DECLARED = re.compile(rb"""\s*<\?xml[^>]{0,200}?\bencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NO_ENCODINGS = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"})
"""Python has them, no report does, and some take quadratic time."""


def _decode(data: bytes) -> tuple[str, str | None]:
    """The text, and what is wrong with it."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, "replace"), None
    if data[1:2] == b"\0" or data[:1] == b"\0":
        return data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-16-be", "replace"), None
    declared = match[1].decode() if (match := _DECLARED.match(data)) else "utf-8"
    try:
        encoding = codecs.lookup(declared).name
        if encoding in _NO_ENCODINGS:
            raise LookupError(declared)
        # Half a character a time would be none of it: who declares that wrote bytes after all.
        return data.decode("utf-8" if encoding.startswith(("utf-16", "utf-32")) else encoding, "replace"), None
    except LookupError:
        return data.decode("utf-8", "replace"), f"its encoding {declared} is unknown: it was read as UTF-8"


# What is not terminated takes the rest of the text with it, so that no text is searched twice.
_PARTS = re.compile(
    r"(?P<kept><!\[CDATA\[(?>.*?\]\]>))"
    r"|(?P<dropped><!\[CDATA\[.*|<!--(?>.*?-->)|<!--.*|<\?(?>.*?\?>)|<\?.*"
    r"""|<!DOCTYPE(?>(?:[^\[\]<>"']|"[^"]*"|'[^']*'|\[(?>(?:[^\]"'<]|"[^"]*"|'[^']*'|<!--(?>.*?-->)|<(?!!--))*)\])*)>|<!DOCTYPE.*)"""
    r"|&#(?:(?P<decimal>\d{1,7})|[xX](?P<hex>[0-9a-fA-F]{1,6}));"
    r"|(?P<amp>&(?!(?:amp|lt|gt|quot|apos);))"
    r"|(?P<angle><(?![A-Za-z_:/!]))"
    r"|(?P<end>\]\]>)",
    re.DOTALL,
)
_CONTROLS = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def _clean(text: str) -> str:
    """The same lines as XML that may stand inside an element: no declarations, nothing that XML forbids."""
    return _PARTS.sub(_clean_part, _CONTROLS.sub("\ufffd", text))


def _clean_part(match: re.Match[str]) -> str:
    kind, whole = match.lastgroup, match[0]
    if kind == "kept":
        return whole
    if kind == "dropped":
        return "\n" * whole.count("\n")
    if kind in ("decimal", "hex"):
        code = int(match["decimal"]) if match["decimal"] else int(match["hex"], 16)
        return whole if code < 0x110000 and not _CONTROLS.match(chr(code)) else "\ufffd"
    return {"amp": "&amp;", "angle": "&lt;"}.get(kind or "", "]]&gt;")


# --- the elements ---

_FAILED = frozenset({"failure", "error"})
_FLAKY = frozenset({"flakyFailure", "flakyError"})
_OPEN = "reports"
_START = re.compile(rb"<(?:[\w.-]+:)?test(?:(case)|suites?)[\s/>]")


class _Enough(Exception):
    """The rest is not read."""


@dataclass(slots=True)
class _Case:
    attributes: Mapping[str, str]
    failure: Mapping[str, str] | None = None
    body: str = ""
    skipped: Mapping[str, str] | None = None
    is_flaky: bool = False


@dataclass(slots=True)
class _Reader:
    """Takes what expat sees. Prefixes are left out of names; attributes of namespaces do not matter here."""

    root: str = ""
    is_junit: bool = False
    _open: list[str] = field(default_factory=list)
    _case: _Case | None = None
    _results: list[TestResult] = field(default_factory=list)

    def read(self, data: bytes) -> str | None:
        """Read it all, past broken places; the first of them, or None."""
        whole, at, problem = memoryview(data), 0, None
        for _ in range(RESUMES_MAX):
            names = [_OPEN, *self._open]
            self._open = []
            lead = "".join(f"<{name}>" for name in names).encode()
            parser = expat.ParserCreate("utf-8")
            parser.buffer_text = True
            parser.Parse(lead)
            self._open = names[1:]
            parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
            parser.CharacterDataHandler = self._characters
            try:
                parser.Parse(whole[at:])
                parser.Parse(f"</{_OPEN}>".encode(), True)
                return problem
            except _Enough as enough:
                return problem or str(enough)
            except expat.ExpatError as error:
                broken = min(max(0, at + parser.ErrorByteIndex - len(lead)), len(data))
                line = data.count(b"\n", 0, broken) + 1
                following = _START.search(data, broken + 1)
                if following is None:
                    problem = problem or f"it breaks off in line {line}"
                problem = problem or f"line {line}: {expat.ErrorString(error.code)}"
            self._end_case(is_whole=False)
            if following is None:
                break
            at = following.start()
            if following[1] is None:
                self._open = []
            elif "testcase" in self._open:
                del self._open[self._open.index("testcase") :]
        return problem

    def results(self) -> list[TestResult]:
        """What was read."""
        return self._results

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        above = self._open[-1] if self._open else ""
        self._open.append(local)
        if len(self._open) > DEPTH_MAX:
            raise _Enough(f"its elements are nested deeper than {DEPTH_MAX}: the rest was not read")
        if not above:
            self.root = self.root or local
            self.is_junit = self.is_junit or local in _ROOTS
        if local == "testcase" and self._open[0] in _ROOTS:
            self._end_case(is_whole=False)
            self._case = _Case(attributes)
        case = self._case
        if case is None or above != "testcase":
            return
        if local in _FAILED:
            case.failure = case.failure or attributes or {"message": ""}
        elif local in _FLAKY:
            case.is_flaky = True
        elif local == "skipped":
            case.skipped = attributes

    def _characters(self, text: str) -> None:
        case = self._case
        if case is not None and self._open[-1] in _FAILED and len(case.body) < BODY_CHARACTERS:
            case.body += text[:BODY_CHARACTERS]

    def _end(self, name: str) -> None:
        if self._open:
            self._open.pop()
        if name.rpartition(":")[2] == "testcase":
            self._end_case(is_whole=True)

    def _end_case(self, *, is_whole: bool) -> None:
        """Of a case that was cut off only a failure is certain."""
        case, self._case = self._case, None
        if case is not None and (is_whole or case.failure is not None):
            self._add(TestResult(_name(case), _outcome(case), "junit", _seconds(case.attributes.get("time"))), case)

    def _add(self, result: TestResult, case: _Case) -> None:
        # pytest reports a test whose fixture fails after it a second time.
        if case.failure is not None and case.failure.get("message", "").startswith("failed on teardown with"):
            for place in range(len(self._results) - 1, max(-1, len(self._results) - TEARDOWN_RESULTS), -1):
                if self._results[place].name == result.name:
                    if self._results[place].outcome == "passed":
                        self._results[place] = result
                    return
        if len(self._results) >= RESULTS_MAX:
            raise _Enough(f"it has more than {RESULTS_MAX} results: the rest was not read")
        self._results.append(result)


def _name(case: _Case) -> str:
    name, suite = case.attributes.get("name", "").strip(), case.attributes.get("classname", "").strip()
    has_suite = suite == name or f"{suite}:" in name  # meson: `deep - project:name`
    return f"{suite}.{name}" if suite and name and not has_suite else name or suite or "(a test without a name)"


_TIMED_OUT_TYPES = ("test timeout", "TestTimedOutException")
"""nextest; JUnit 4."""

_TIMED_OUT_BODY = re.compile(
    r"Exit Code: -?\d+\nTimeout: Reached timeout of \d+ seconds"  # lit
    r"|Test did not finish before configured timeout\."  # meson
    r"|Error: thrown: \"Exceeded timeout of \d+ ms for a (?:test|hook)"  # jest
)
_TIMED_OUT_MESSAGE = re.compile(
    r"(?:Failed: )?Timeout (?:\(>|>)\d+(?:\.\d+)?s\)? ?(?:from pytest-timeout\.|$)|\S+\(.*\) timed out after \d+ \w+$"
)
_CTEST_CRASHES = ("SEGFAULT", "ILLEGAL", "NUMERICAL", "INTERRUPT", "BAD_COMMAND", "OTHER_FAULT", "Exception")


def _outcome(case: _Case) -> Outcome:
    status = case.attributes.get("status")
    if case.failure is not None:
        return _failure(case.failure, case.body.lstrip(), is_ctest=status == "fail")
    if case.skipped is not None:
        if status == "notrun" and not case.skipped.get("message", "SKIP_").startswith("SKIP_"):
            return "failed"  # ctest could not run it, and counts it among the failed
        return "xfailed" if case.skipped.get("type") == "pytest.xfail" else "skipped"
    if status in ("disabled", "notrun") or case.attributes.get("result") in ("suppressed", "skipped"):
        return "skipped"
    return "flaky" if case.is_flaky else "passed"


def _failure(failure: Mapping[str, str], body: str, *, is_ctest: bool) -> Outcome:
    """A time-out or a crash where the report itself says so; a message may say anything."""
    kind, message = failure.get("type", ""), failure.get("message", "")
    if is_ctest and (message == "Timeout" or message.endswith(" aborted") or message.startswith(_CTEST_CRASHES)):
        return "timed_out" if message == "Timeout" else "crashed"
    if kind.startswith("test abort"):
        return "crashed"
    if kind.endswith(_TIMED_OUT_TYPES) or _TIMED_OUT_BODY.match(body):
        return "timed_out"
    # JUnit 5 has a type for it that tested code throws too.
    if _TIMED_OUT_MESSAGE.match(message) and kind in ("", "java.util.concurrent.TimeoutException"):
        return "timed_out"
    return "failed"


def _seconds(text: str | None) -> float | None:
    """Seconds; surefire groups thousands by commas, some locales write decimals with one."""
    whole, comma, rest = (text or "").strip().partition(",")
    is_decimal = comma and "." not in rest and "," not in rest and (whole in ("", "0") or len(rest) != 3)
    try:
        return float(f"{whole}.{rest}" if is_decimal else (text or "").replace(",", ""))
    except ValueError:
        return None
