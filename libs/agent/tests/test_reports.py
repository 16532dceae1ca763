"""Which test reports of a build are read, and what is noted of those that cannot be."""

import os
from pathlib import Path
from typing import Any

import pytest
from build_dashboard.evidence import reports
from build_dashboard.evidence.reports import Reports, find_reports

ONE = '<testsuite><testcase name="{}"/></testsuite>'


def found(directory: Path, *, command: tuple[str, ...] = (), patterns: tuple[str, ...] = ()) -> Reports:
    """What is found when the build ran in this directory, from 1000 seconds after the epoch on."""
    return find_reports(command, {"GTEST_OUTPUT": "xml:variable.xml"}, [str(directory)], patterns, 1000)


def carried(seen: Reports, name: str) -> list[Any]:
    """What the updates carry under a name."""
    return [item for update in seen.updates() for item in update.get(name, [])]


def problems(seen: Reports) -> list[str]:
    """What could not be read of them."""
    return [fact["reason"] for fact in carried(seen, "missingFacts")]


def names(seen: Reports) -> list[str]:
    """The tests that are reported."""
    return [test["name"] for test in carried(seen, "tests")]


@pytest.fixture
def bazel(tmp_path: Path) -> Path:
    """A workspace beside whose sources Bazel keeps its logs, behind a link."""
    workspace, logs = tmp_path / "workspace", tmp_path / "elsewhere"
    for place in (workspace, logs / "pkg" / "lib_test"):
        place.mkdir(parents=True)
    (logs / "pkg" / "lib_test" / "test.xml").write_text(ONE.format("pkg/lib_test"))
    (workspace / "bazel-testlogs").symlink_to(logs)
    return workspace


def test_bazels_reports_are_found_behind_its_link(bazel: Path) -> None:
    """`bazel-testlogs` leads out of the workspace."""
    assert ["pkg/lib_test"] == names(found(bazel))


def test_reports_are_found_where_tools_put_them(tmp_path: Path) -> None:
    """The usual names and places of each tool, the command's and variables' own words; each report once."""
    usual = ["junit.xml", "my-xunit-1.xml", "TEST-a.xml", "meson-logs/testlog.junit.xml", "variable.xml", "named.xml"]
    usual += ["target/nextest/default/any.xml", "target/surefire-reports/TEST-b.xml", "test-reports/c.xml"]
    for name in usual:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(ONE.format(name))

    seen = found(tmp_path, command=("pytest", "--junit-xml=named.xml"), patterns=("**/*.xml",))

    assert sorted(usual) == sorted(names(seen))
    assert [] == problems(seen)


def test_what_could_not_be_read_is_a_missing_fact(tmp_path: Path) -> None:
    """A damaged, a broken and an unreadable report are named with the reason; what was whole in them is shown."""
    (tmp_path / "junit.xml").write_text("<testsuite><testcase name='good'/><testcase name='cu")
    (tmp_path / "TEST-a.xml").write_text("")
    (tmp_path / "named.xml").write_text("<coverage/>")

    seen = found(tmp_path, command=("ctest", "--output-junit", "named.xml"))

    assert ["good"] == names(seen)
    assert [
        "test report named.xml could not be read: its root element is <coverage>",
        "test report junit.xml is damaged: it breaks off in line 1; results read from it: 1",
        "test report TEST-a.xml could not be read: it is empty",
    ] == problems(seen)


def test_a_pattern_without_a_report_is_a_missing_fact(tmp_path: Path) -> None:
    """Who names reports wants to know that none was written; one from before the build counts as none."""
    (tmp_path / "old.xml").write_text(ONE.format("old"))
    os.utime(tmp_path / "old.xml", (999, 999))

    assert ["no test report that this build wrote is named *.xml"] == problems(found(tmp_path, patterns=("*.xml",)))


def test_other_xml_of_such_a_name_is_passed_over(tmp_path: Path) -> None:
    """A file that nobody named as a report may be anything."""
    (tmp_path / "my-junit-coverage.xml").write_text("<coverage/>")

    assert [] == list(found(tmp_path).updates())


@pytest.mark.parametrize(
    ("limit", "value", "note"),
    [
        ("FILE_BYTES", 20, "test report TEST-1.xml could not be read: it is larger than 0 MiB"),
        ("FILES_MAX", 1, "test report TEST-2.xml could not be read: more than 1 reports were written"),
    ],
)
def test_limits_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, note: str) -> None:
    """No report is left out without a word."""
    for number in (1, 2):
        (tmp_path / f"TEST-{number}.xml").write_text(ONE.format(number))
    monkeypatch.setattr(reports, limit, value)

    assert note in problems(found(tmp_path))


def test_many_broken_reports_are_counted(tmp_path: Path) -> None:
    """The first few are named."""
    for number in range(30):
        (tmp_path / f"TEST-{number}.xml").write_text("")

    notes = problems(found(tmp_path))

    assert len(notes) == 11
    assert notes[-1] == "20 more test reports could not be read whole"
