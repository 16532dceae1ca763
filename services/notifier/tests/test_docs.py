"""The README knows every setting."""

from pathlib import Path

from build_chassis.settings import ServiceSettings
from build_notifier.settings import Settings

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_every_setting_is_in_the_readme():
    """Under the name an operator sets."""
    for name, field in Settings.model_fields.items():
        if name not in ServiceSettings.model_fields or name == "prefetch":
            variable = field.validation_alias or f"NOTIFIER_{name.upper()}"
            assert f"`{variable}`" in README
