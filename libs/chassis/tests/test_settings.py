"""Settings that a service cannot start with."""

from datetime import date
from pathlib import Path

import pytest
from build_chassis.settings import ServiceSettings, read_settings
from build_testkit.signing import SECRET
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict


class Settings(ServiceSettings):
    """A service of the tests."""

    model_config = SettingsConfigDict(env_prefix="LOOM_")

    service: str = "loom"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JWT_SECRET_KEY", raising=False)


def refusal() -> str:
    with pytest.raises(SystemExit) as stopped:
        read_settings(Settings)
    assert isinstance(stopped.value.code, str)  # which Python prints on stderr, and exits with 1
    return stopped.value.code


def test_a_service_without_a_signing_key_does_not_start() -> None:
    """Signed with nothing means signed by anybody."""
    assert refusal() == (
        "loom: JWT_SECRET_KEY is not set: make one with `openssl rand -hex 32` and give every service the same"
    )


@pytest.mark.parametrize("value", ["your_jwt_secret", "x", "0" * 64, "  "])
def test_a_weak_signing_key_is_refused_from_everywhere(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """In the process environment and in `.env`, in one sentence; the settings themselves cannot hold it either."""
    monkeypatch.setenv("JWT_SECRET_KEY", value)
    exported = refusal()
    monkeypatch.delenv("JWT_SECRET_KEY")
    Path(".env").write_text(f"JWT_SECRET_KEY='{value}'\n")

    assert exported == refusal()
    assert exported.startswith("loom: JWT_SECRET_KEY ")
    assert len(exported.splitlines()) == 1
    with pytest.raises(ValidationError) as refused:
        Settings(_env_file=None, jwt_secret_key=value)
    assert f"'{value}'" not in str(refused.value)


def test_a_confirmed_date_is_a_date_or_blank(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a compose file passes on unset confirms nothing; anything else that is no date is refused by name."""
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
    for value, expected in (("", None), ("2026-11-30", date(2026, 11, 30))):
        monkeypatch.setenv("CLOCK_CONFIRMED_ON", value)
        assert read_settings(Settings).clock_confirmed_on == expected
    monkeypatch.setenv("CLOCK_CONFIRMED_ON", "today")
    assert "CLOCK_CONFIRMED_ON" in refusal()


def test_every_variable_that_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line each, under the name that a person set."""
    monkeypatch.setenv("JWT_SECRET_KEY", "x")
    monkeypatch.setenv("LOOM_PORT", "eighty")
    monkeypatch.setenv("LOG_LEVEL", "LOUD")

    lines = refusal().splitlines()

    assert ["loom: JWT_SECRET_KEY has", "loom: LOG_LEVEL: Inpu", "loom: LOOM_PORT: Inpu"] == sorted(
        line[:24].rstrip() if "JWT" in line else line[:21] for line in lines
    )


def test_a_strong_key_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was given goes before what is set."""
    monkeypatch.setenv("JWT_SECRET_KEY", "your_jwt_secret")

    assert read_settings(Settings, jwt_secret_key=SECRET).jwt_secret_key == SECRET


def test_a_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Named by the environment or by `.env`, for every setting; the line feed at its end is none of it."""
    for name, text in (("jwt", f"{SECRET}\n"), ("amqp", "amqp://u:p@broker/\n"), ("store", "sqlite:///x.sqlite")):
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("JWT_SECRET_KEY_FILE", str(tmp_path / "jwt"))
    monkeypatch.setenv("LOOM_STORE_URL_FILE", str(tmp_path / "store"))
    Path(".env").write_text(f"AMQP_URL_FILE={tmp_path / 'amqp'}\n")

    settings = read_settings(Settings)

    assert (SECRET, "amqp://u:p@broker/") == (settings.jwt_secret_key, settings.amqp_url)
    assert settings.store_url == "sqlite:///x.sqlite"


@pytest.mark.parametrize("content", [None, b"\xff", b"x" * 70_000])
def test_a_file_that_cannot_be_read_starts_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    """Missing, no text, or no secret: named in one sentence, never taken for unset."""
    path = tmp_path / "jwt"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("JWT_SECRET_KEY_FILE", str(path))

    assert refusal().startswith(f"loom: JWT_SECRET_KEY_FILE: {path} ")


def test_a_secret_that_is_there_twice_starts_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Which of them is meant is not guessed; set to nothing, as docker-compose does, is unset."""
    (tmp_path / "jwt").write_text(SECRET)
    monkeypatch.setenv("JWT_SECRET_KEY_FILE", str(tmp_path / "jwt"))
    monkeypatch.setenv("JWT_SECRET_KEY", "")
    assert read_settings(Settings).jwt_secret_key == SECRET
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)

    assert refusal() == "loom: JWT_SECRET_KEY and JWT_SECRET_KEY_FILE are both set: keep one of them"


def test_every_key_of_a_ring_is_strong(monkeypatch: pytest.MonkeyPatch) -> None:
    """One weak key among several would sign for all."""
    monkeypatch.setenv("JWT_SECRET_KEY", f"{SECRET}\nchangeme")

    assert refusal().startswith("loom: JWT_SECRET_KEY is a placeholder")
