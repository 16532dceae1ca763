"""The shapes in which tools wrap one another, and the one line in each that is the cause."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from build_analysis.analyzer import LogAnalyzer

SHAPES = yaml.safe_load(Path(__file__).with_name("shapes.yaml").read_text("utf-8"))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape["name"])
def test_the_cause_is_told_from_its_wrappers(shape: dict[str, Any]) -> None:
    """One failure, at the cause's line; what wraps it is neither the category nor a second failure."""
    analyzer = LogAnalyzer()
    analyzer.feed(1, shape["log"].rstrip("\n").split("\n"))

    failures = analyzer.finish().failures

    assert [(shape["category"], shape["line"])] == [(failure.category, failure.first_line) for failure in failures]
