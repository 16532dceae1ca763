"""The README names what there is."""

from pathlib import Path

import pytest
from build_chassis.settings import ServiceSettings
from build_ingest.metrics import Metrics
from build_ingest.settings import Settings
from prometheus_client import CollectorRegistry

README = (Path(__file__).parent.parent / "README.md").read_text()


@pytest.mark.parametrize("name", sorted(Settings.model_fields.keys() - ServiceSettings.model_fields.keys()))
def test_every_setting_of_ingest_is_in_the_readme(name: str) -> None:
    """A setting that nobody can read of does not exist."""
    assert f"`INGEST_{name.upper()}`" in README


def test_every_metric_is_in_the_readme() -> None:
    """Operators find each metric's name and meaning."""
    registry = CollectorRegistry()
    Metrics(registry)

    missing = [family.name for family in registry.collect() if f"`{family.name}" not in README]

    assert missing == []
