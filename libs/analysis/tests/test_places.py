"""The place of a failure, and the place in the project that led there."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from build_analysis.analyzer import LogAnalyzer
from build_analysis.places import is_foreign

PLACES = yaml.safe_load(Path(__file__).with_name("places.yaml").read_text("utf-8"))


@pytest.mark.parametrize("case", PLACES, ids=lambda case: case["name"])
def test_both_places_are_found(case: dict[str, Any]) -> None:
    """The tool's own place stays the place; what led there is the project's, never a system header's."""
    analyzer = LogAnalyzer()
    analyzer.feed(1, case["log"].rstrip("\n").split("\n"))

    first = analyzer.finish().first()

    assert first is not None
    assert (case["place"], case["from"]) == (f"{first.file}:{first.line}", first.project_location)


@pytest.mark.parametrize(
    "path", ["/usr/include/c++/13/vector", "/s/third_party/x.h", "/v/lib/site-packages/x.py", "external/x/y.h"]
)
def test_what_others_wrote_is_foreign(path: str) -> None:
    """System headers, dependencies and installed packages are not the project's."""
    assert is_foreign(path)


@pytest.mark.parametrize("path", ["/home/a/src/lib/A.cpp", "lib/A.cpp", r"D:\a\lib\A.cpp", "/s/mlir/IR/Builders.h"])
def test_what_the_project_wrote_is_not(path: str) -> None:
    """Sources and headers of the project are its own."""
    assert not is_foreign(path)
