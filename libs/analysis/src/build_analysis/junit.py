"""JUnit XML, as lit (`--xunit-xml-output`), ctest (`--output-junit`), pytest (`--junit-xml`) and gtest write it.

A structured source beats the log's text: names are whole, seconds are exact, nothing is interleaved.
"""

import xml.etree.ElementTree as ET
from xml.parsers import expat

from build_analysis.test_results import Outcome, TestResult


class NotJUnit(ValueError):
    """The text is not a JUnit report."""


def read_junit(text: str) -> list[TestResult]:
    """The test results of a JUnit XML report, in its order."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        msg = "a JUnit report has no document type"
        raise NotJUnit(msg)
    try:
        root = ET.fromstring(text)  # noqa: S314 - no document type, so no entities to expand
    except (ET.ParseError, expat.ExpatError) as error:
        msg = f"not XML: {error}"
        raise NotJUnit(msg) from error
    if root.tag not in ("testsuites", "testsuite"):
        msg = f"the root element is <{root.tag}>, not <testsuites> or <testsuite>"
        raise NotJUnit(msg)
    return [_result(case) for case in root.iter("testcase")]


def _result(case: ET.Element) -> TestResult:
    name, suite = case.get("name", ""), case.get("classname", "")
    whole = f"{suite}.{name}" if suite and suite != name else name
    return TestResult(whole, _outcome(case), "junit", _seconds(case.get("time")))


def _outcome(case: ET.Element) -> Outcome:
    failure = case.find("failure")
    if failure is None:
        failure = case.find("error")
    if failure is not None:
        words = f"{failure.get('message', '')} {failure.get('type', '')}"
        return "timed_out" if "imeout" in words else "failed"
    skipped = case.find("skipped")
    if skipped is not None:
        return "xfailed" if "xfail" in (skipped.get("type") or "") else "skipped"
    if case.get("status") in ("disabled", "notrun"):
        return "skipped"
    return "passed"


def _seconds(text: str | None) -> float | None:
    try:
        return float((text or "").replace(",", ""))
    except ValueError:
        return None
