"""Secrets of an embedded system: given by the environment or `.env`, else made once and kept in its data directory."""

import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from build_chassis.secret_files import SecretFileFault, SecretFiles
from build_chassis.secret_rules import ADMIN_PASSWORD, API_KEY, SIGNING_KEY, is_placeholder
from build_dashboard.whole_file import write_whole
from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

RULES = {rule.name: rule for rule in (ADMIN_PASSWORD, API_KEY, SIGNING_KEY)}
PASSWORD, KEY, SIGNING = RULES
Source = tuple[str, Mapping[str, str]]


@dataclass(frozen=True)
class Secrets:
    """What the system starts with: `values` by variable, what was `made` just now, and where each came from."""

    values: Mapping[str, str]
    made: tuple[str, ...]
    origins: Mapping[str, str]


class _Given(BaseSettings):
    """Read as the services read theirs; set to nothing is unset."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    password: str = Field("", validation_alias=PASSWORD)
    key: str = Field("", validation_alias=KEY)
    signing: str = Field("", validation_alias=SIGNING)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,  # noqa: ARG003  pydantic-settings' signature
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, SecretFiles(settings_cls)

    def by_variable(self) -> dict[str, str]:
        return {PASSWORD: self.password, KEY: self.key, SIGNING: self.signing}


class _InFile(_Given):
    model_config = SettingsConfigDict(env_file=".env")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  pydantic-settings' signature
        init_settings: PydanticBaseSettingsSource,  # noqa: ARG003  as above
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003  as above
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (dotenv_settings,)


def given() -> list[Source]:
    """What the process environment and `.env` say; the earlier source goes first."""
    try:
        return [("the environment", _Given().by_variable()), (".env", _InFile().by_variable())]
    except SecretFileFault as fault:
        sys.exit(f"build-dashboard up: {fault}")


def load_secrets(
    data: Path, sources: Sequence[Source], *, is_local: bool, exists: Mapping[str, str] | None = None
) -> Secrets:
    """The secrets of the system in `data`; SystemExit with what is wrong with a given one.

    A placeholder counts as not given on this machine alone (`is_local`), for `.env.example` to work as it is, and is
    refused elsewhere. For a variable in `exists`, which only seeds what the store has already, nothing is made or kept.
    """
    path = data / "secrets.json"
    kept = kept_secrets(data)
    values: dict[str, str] = {}
    made: dict[str, str] = {}
    origins: dict[str, str] = {}
    for name in RULES:
        note = ""
        for origin, source in sources:
            value = source.get(name, "")
            if is_local and is_placeholder(value):
                note = f" (the placeholder in {origin} is not used)"
            elif value and name not in values:
                _refuse_weak(name, value, origin)
                values[name], origins[name] = value, f"from {origin}"
        if name not in values and exists and name in exists:
            origins[name] = exists[name] + note
        elif name not in values and name in kept:
            _refuse_weak(name, kept[name], str(path))
            values[name], origins[name] = kept[name], f"kept in {path}{note}"
        elif name not in values:
            values[name] = made[name] = _fresh(name)
            origins[name] = f"made, kept in {path}{note}"
    if made:
        # What is given stays where it is: a file must not outlive a rotated secret.
        write_whole(path, _text(kept | made))
    return Secrets(values, tuple(made), origins)


def forget(data: Path, name: str) -> None:
    """Keep this secret no longer: another one is in force."""
    path = data / "secrets.json"
    kept = kept_secrets(data)
    if kept.pop(name, None) is not None:
        write_whole(path, _text(kept))


def _fresh(name: str) -> str:
    if name == PASSWORD:
        return secrets.token_urlsafe(12)
    return f"key-{secrets.token_hex(16)}" if name == KEY else secrets.token_hex(32)


def _refuse_weak(name: str, value: str, origin: str) -> None:
    if fault := RULES[name].fault(value):
        sys.exit(f"build-dashboard up: in {origin}: {fault}")


def kept_secrets(data: Path) -> dict[str, str]:
    """What was made and kept for the system in `data`; SystemExit where the file cannot be used."""
    path = data / "secrets.json"
    try:
        kept = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        _unusable(path, error)
    if not isinstance(kept, dict) or not all(isinstance(value, str) for value in kept.values()):
        _unusable(path, "it is not an object of strings")
    return kept


def _unusable(path: Path, why: object) -> NoReturn:
    sys.exit(
        f"build-dashboard: {path} cannot be read ({why}): put it back from a backup, or delete it; "
        "then a new signing key is made, everybody logs in again, and accounts and agent keys stay as they are"
    )


def _text(values: Mapping[str, str]) -> str:
    return json.dumps(values, indent=2) + "\n"
