"""JUnit reports as real tools write them, and as they are found after an accident."""

from pathlib import Path

import pytest
import yaml
from build_analysis import junit
from build_analysis.junit import JUnitReport, NotJUnit, read_junit
from build_analysis.test_results import TestResult

REPORTS = Path(__file__).parent / "junit"
EXPECTED = yaml.safe_load((REPORTS / "expected.yaml").read_text())

OUT = "<system-out>{}</system-out>"
CONTROLS = "\x1b[31m red \x00 \x08 &#27; &#x0; &#xD800; &#1114112;"
HEAD = '<?xml version="1.0"?>'
TWO = '<testcase classname="s" name="é" time="1"/><testcase classname="s" name="bad"><failure message="no"/></testcase>'
READ = [("s.é", "passed"), ("s.bad", "failed")]


def outcomes(report: JUnitReport) -> list[tuple[str, str]]:
    """Names and outcomes."""
    return [(result.name, result.outcome) for result in report.results]


def shown(result: TestResult) -> str:
    """Outcome, name and seconds."""
    return f"{result.outcome} {result.name} {'-' if result.seconds is None else format(result.seconds, 'g')}"


def read(text: str) -> JUnitReport:
    """Read text as UTF-8."""
    return read_junit(text.encode())


def test_every_sample_has_its_expectations() -> None:
    """No report lies here unread."""
    assert sorted(EXPECTED) == sorted(path.name for path in REPORTS.glob("*.xml"))


@pytest.mark.parametrize("name", EXPECTED)
def test_reports_of_real_tools_are_read_whole(name: str) -> None:
    """Names, outcomes and seconds of each tool's report; a message that speaks of a time-out is not one."""
    report = read_junit((REPORTS / name).read_bytes())

    assert report.problem is None
    assert EXPECTED[name] == [shown(result) for result in report.results]


@pytest.mark.parametrize(
    "data",
    [
        f"<testsuite>{TWO}</testsuite>".encode(),
        f"\n  {HEAD}<testsuites><testsuite>{TWO}</testsuite></testsuites>\n\n".encode(),
        f"<testsuite>{TWO}</testsuite>".encode("utf-8-sig"),
        f'<?xml version="1.0" encoding="utf-16"?><testsuite>{TWO}</testsuite>'.encode("utf-16"),
        f'<?xml version="1.0" encoding="UTF-16LE"?><testsuite>{TWO}</testsuite>'.encode("utf-16-le"),
        f"{HEAD}<testsuite>{TWO}</testsuite>".encode("utf-16-be"),
        f"<testsuite>{TWO}</testsuite>".encode("utf-32"),
        f'<?xml version="1.0" encoding="utf-16"?><testsuite>{TWO}</testsuite>'.encode(),
        f"<?xml version='1.0' encoding='ISO-8859-1' ?><testsuite>{TWO}</testsuite>".encode("latin-1"),
        f'<?xml version="1.0" encoding="windows-1252"?><testsuite>{TWO}</testsuite>'.encode("cp1252"),
        f'<testsuite xmlns="urn:default">{TWO}</testsuite>'.encode(),
        f'<t:testsuite xmlns:t="urn:t">{TWO.replace("<testcase", "<t:testcase").replace("</testcase", "</t:testcase")}'
        "</t:testsuite>".encode(),
        f"<testsuite xsi:schema='x'>{TWO}</testsuite>".encode(),
        f"<!DOCTYPE testsuite SYSTEM 'junit.dtd'><testsuite>{TWO}</testsuite>".encode(),
        f'<!DOCTYPE t [<!ELEMENT t (a|"b")><!-- ]> " --><!ENTITY x "]>">]><testsuite>{TWO}</testsuite>'.encode(),
        f"<testsuite>{TWO}{OUT.format('<![CDATA[<!DOCTYPE html><testcase name=1/>&x;]]>')}</testsuite>".encode(),
        f"<testsuite><!-- <testcase name='no'/> & < -->{TWO}<?php <testcase ?></testsuite>".encode(),
        f"<testsuite>{TWO}{OUT.format(CONTROLS)}</testsuite>".encode(),
        f"<testsuite>{TWO}<system-out>a & b &nbsp; a < b ]]> x </system-out></testsuite>".encode(),
        f"<testsuite>{TWO}<system-out>".encode() + b"\xff\xfe\xe9</system-out></testsuite>",
        f"{HEAD}<testsuite>{TWO[: TWO.index('/>') + 2]}</testsuite>\n{HEAD}<testsuite>{TWO[TWO.index('/>') + 2 :]}"
        "</testsuite>".encode(),
    ],
)
def test_careless_reports_are_read_like_careful_ones(data: bytes) -> None:
    """Encodings, namespaces, document types, control bytes, bare ampersands and several roots cost no result."""
    report = read_junit(data)

    assert report.problem is None
    assert READ == outcomes(report)


@pytest.mark.parametrize("cut", [0, 1, 7, 30])
def test_what_was_complete_before_a_crash_is_kept(cut: int) -> None:
    """The result that was being written is left out, and the report says that it breaks off."""
    whole = f"<testsuites><testsuite>{TWO}<testcase name='third' time='0.5'/>"

    report = read(whole[: len(whole) - cut])

    assert READ + [("third", "passed")] * (cut == 0) == outcomes(report)
    assert report.problem == "it breaks off in line 1"


@pytest.mark.parametrize("text", ["<![CDATA[cut", "cut", "<![CDATA[<testcase name='x'/>", "<!-- cut", "<?cut"])
def test_a_failure_that_was_begun_is_certain(text: str) -> None:
    """However its text ends, the test had failed."""
    report = read(f"<testsuite><testcase name='bad'><failure message='no'>{text}")

    assert [("bad", "failed")] == outcomes(report)
    assert report.problem is not None


def test_results_behind_a_broken_place_are_read() -> None:
    """A broken tag costs one result; another run's report behind a report that breaks off costs none."""
    broken = read("<testsuites>\n<testsuite>\n<testcase name='a<b' \"/>\n<testcase name='c'/></testsuite></testsuites>")
    appended = read(f"<testsuite><testcase name='first'/><testcase name='cu{HEAD}<testsuite>{TWO}</testsuite>")

    assert [("c", "passed")] == outcomes(broken)
    assert broken.problem == "line 3: not well-formed (invalid token)"
    assert [("first", "passed"), *READ] == outcomes(appended)
    assert appended.problem is not None


def test_no_entity_is_expanded() -> None:
    """Ten lines that would be ten gigabytes, and a file of this machine, stay what they are: names."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    text = f"<!DOCTYPE t [<!ENTITY l0 'ha'>{laughs}<!ENTITY file SYSTEM 'file:///etc/passwd'>]>"
    text += "<testsuite><testcase name='&l9;'/><testcase name='x'><failure>&file;</failure></testcase></testsuite>"

    assert [("&l9;", "passed"), ("x", "failed")] == outcomes(read(text))


@pytest.mark.parametrize("text", ["", " ", "{}", "nonsense", "<html/>", "<coverage><testcase name='a'/></coverage>"])
def test_what_is_no_junit_report_is_refused(text: str) -> None:
    """Other files and other XML raise the same error, and results in other XML are none."""
    with pytest.raises(NotJUnit):
        read(text)


def test_unknown_encodings_are_named() -> None:
    """What was read in another encoding than declared says so."""
    for name in ("klingon", "hex", "punycode"):
        report = read(f'<?xml version="1.0" encoding="{name}"?><testsuite>{TWO}</testsuite>')

        assert READ == outcomes(report)
        assert report.problem is not None
        assert name in report.problem


@pytest.mark.parametrize(
    "text",
    [
        "<testsuite>" + "<a>" * 100_000,
        "<testsuite>" + "<testcase <" * 100_000,
        "<testsuite>" + "<!DOCTYPE [" * 100_000,
        "<testsuite>" + "<![CDATA[" * 100_000,
        "<testsuite>" + "<!--" * 100_000,
        "<!DOCTYPE x [" + "<!-- -->" * 100_000,
        "<!DOCTYPE x [" + "'" * 100_001,
        "<testsuite>" + "&#27;" * 100_000,
    ],
)
def test_hostile_reports_cost_linear_time(text: str) -> None:
    """Deep, broken and unterminated text is given up within the suite's time limit, and says so."""
    try:
        problem = read(text + "<testsuite/>").problem
    except NotJUnit as error:
        problem = str(error)

    assert problem


def test_a_report_without_end_is_read_up_to_a_limit(monkeypatch) -> None:
    """Beyond the limit no result is kept, and the report says so."""
    monkeypatch.setattr(junit, "RESULTS_MAX", 2)

    report = read(f"<testsuite>{TWO}<testcase name='third'/></testsuite>")

    assert READ == outcomes(report)
    assert report.problem == "it has more than 2 results: the rest was not read"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,234.567", 1234.567),
        ("1,234", 1234.0),
        ("0,123", 0.123),
        ("0,5", 0.5),
        ("12,34", 12.34),
        ("x", None),
        ("", None),
    ],
)
def test_seconds_are_read_in_each_notation(text: str, expected: float | None) -> None:
    """Thousands may be grouped by commas, decimals may follow one."""
    (result,) = read(f"<testsuite><testcase name='a' time='{text}'/></testsuite>").results

    assert expected == result.seconds
