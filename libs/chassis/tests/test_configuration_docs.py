"""docs/configuration.md lists every shared setting."""

from pathlib import Path

import pytest
from build_chassis.settings import ServiceSettings, store_url_of

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


@pytest.mark.parametrize("name", sorted(ServiceSettings.model_fields))
def test_every_setting_is_documented(name: str) -> None:
    """Under the name of its environment variable, with its default."""
    field = ServiceSettings.model_fields[name]
    variable = str(field.validation_alias or f"<SERVICE>_{name.upper()}")

    row, *_ = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| `{variable}`")]
    if field.default and isinstance(field.default, str | int) and name != "service":
        assert f"| `{field.default}` |" in row


@pytest.mark.parametrize(
    ("server", "url"),
    [
        (None, "sqlite:///history.sqlite"),
        ("mysql://u:p@db:3307/", "mysql://u:p@db:3307/build_dashboard_history"),
        ("mongodb://localhost:27017/", "mongodb://localhost:27017/build_dashboard_history"),
        ("mongodb://a,b/?replicaSet=rs", "mongodb://a,b/build_dashboard_history?replicaSet=rs"),
    ],
)
def test_a_shared_server_gives_each_service_its_database(server: str | None, url: str) -> None:
    """The scheme stays, the path becomes the service's own."""
    assert store_url_of("history", server, "build_dashboard") == url


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A store URL of the service's own wins over the shared server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MYSQL_URI", "mysql://db/")
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")

    shared = ServiceSettings(service="history")
    own = ServiceSettings(service="history", store_url="sqlite:///own.sqlite")

    assert (shared.store_url, shared.log_level) == ("mysql://db/build_dashboard_history", "DEBUG")
    assert own.store_url == "sqlite:///own.sqlite"
