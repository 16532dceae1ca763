"""Settings every service has; each service's own class adds to them. Read once, in `__main__`."""

import sys
from collections.abc import Mapping
from datetime import date
from ipaddress import ip_network
from typing import Any, Literal, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from build_chassis.secret_files import SecretFileFault, SecretFiles
from build_chassis.secret_rules import SIGNING_KEY


class ServiceSettings(BaseSettings):
    """Environment of one service. `<SERVICE>_STORE_URL` wins; else `MYSQL_URI` with database `<DB_NAME>_<service>`."""

    model_config = SettingsConfigDict(
        env_file=".env",
        extra="ignore",
        populate_by_name=True,
        hide_input_in_errors=True,  # it may be a secret
    )

    service: str
    amqp_url: str = Field(
        "amqp://guest:guest@localhost/",
        validation_alias="AMQP_URL",
        description="The bus: `amqp://`, `amqps://`, or `sqlite:///` in one process.",
    )
    store_url: str = Field("", description="The service's own database; its scheme chooses the driver.")
    mysql_uri: str | None = Field(None, validation_alias="MYSQL_URI", description="The scheme chooses the driver.")
    db_name: str = Field(
        "build_dashboard",
        validation_alias="DB_NAME",
        description="First part of the names of the databases on MYSQL_URI.",
    )
    jwt_secret_key: str = Field(
        "",
        validation_alias="JWT_SECRET_KEY",
        description="At least 32 random bytes; the first line signs, all are believed.",
    )
    config_path: str = Field(
        "config.yaml", validation_alias="BUILD_DASHBOARD_CONFIG", description="The projects' file."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, description="Port to listen on.")
    metrics_host: str = Field("127.0.0.1", description="Where `/metrics` is served, on a listener of its own.")
    metrics_port: int = Field(0, ge=0, le=65535, description="Its port; 0: 1000 above the service's.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", validation_alias="LOG_LEVEL", description="Logs are lines on stderr: text on a terminal, else JSON."
    )
    cloudwatch_namespace: str = Field(
        "",
        validation_alias="CLOUDWATCH_NAMESPACE",
        description="Writes the service's metrics to its output once a minute, as CloudWatch reads them; "
        "empty: does not.",
    )
    trusted_proxies: str = Field(
        "", validation_alias="TRUSTED_PROXIES", description="Addresses and networks whose X-Forwarded-For is believed."
    )

    clock_confirmed_on: date | None = Field(
        None,
        validation_alias="CLOCK_CONFIRMED_ON",
        description="Today's date, UTC: a person's word that the clock is right, and that much may be deleted.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  pydantic-settings' signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, files that the environment or `.env` names, the environment, `.env`; the earlier goes first."""
        dotenv = dotenv_settings.env_vars if isinstance(dotenv_settings, DotEnvSettingsSource) else {}
        named = {name.upper(): value for name, value in dotenv.items()}  # pydantic-settings lowers them
        return init_settings, SecretFiles(settings_cls, named), env_settings, dotenv_settings

    @property
    def peer_urls(self) -> Mapping[str, str]:
        """Where the services are that this one asks, by name; one without an address is done without."""
        return {}

    @field_validator("clock_confirmed_on", mode="before")
    @classmethod
    def _blank_confirms_nothing(cls, value: Any) -> Any:
        # As `${CLOCK_CONFIRMED_ON:-}` of a compose file leaves it.
        return value or None

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_addresses(cls, value: str) -> str:
        # The server would take anything else for a name that no peer ever has.
        for part in value.split(",") if value.strip() not in ("", "*") else ():
            try:
                ip_network(part.strip())
            except ValueError as error:
                raise ValueError(
                    f"TRUSTED_PROXIES: {error}; write addresses or networks, 10.0.0.7,10.0.1.0/24"
                ) from None
        return value.strip()

    @field_validator("jwt_secret_key")
    @classmethod
    def _signing_key_is_strong(cls, value: str) -> str:
        if value and (fault := SIGNING_KEY.fault(value)):
            raise ValueError(fault)
        return value

    @model_validator(mode="after")
    def _derive_store_url(self) -> Self:
        if not self.store_url:
            self.store_url = store_url_of(self.service, self.mysql_uri, self.db_name)
        return self


S = TypeVar("S", bound=ServiceSettings)


def read_settings(kind: type[S], **given: Any) -> S:
    """A service's settings, to start it with.

    Args:
        kind: The service's own class of settings.
        **given: Fields that the environment does not decide.

    Raises:
        SystemExit: With one sentence for each variable it cannot start with.
    """
    try:
        settings = kind(**given)
    except SecretFileFault as fault:
        sys.exit(f"{kind.model_fields['service'].default}: {fault}")
    except ValidationError as error:
        sys.exit("\n".join(_sentence(kind, fault["loc"], fault["msg"]) for fault in error.errors()))
    if not settings.jwt_secret_key:
        # Signed with nothing means signed by anybody.
        sys.exit(f"{settings.service}: {SIGNING_KEY.fault('')}")
    return settings


def _sentence(kind: type[ServiceSettings], where: tuple[int | str, ...], what: str) -> str:
    own = what.removeprefix("Value error, ")
    if own == what and where:  # pydantic's words, which name no variable
        own = f"{_variable(kind, str(where[0]))}: {what}"
    return f"{kind.model_fields['service'].default}: {own}"


def _variable(kind: type[ServiceSettings], field: str) -> str:
    if field not in kind.model_fields:
        return field  # an alias, which is the variable's name
    alias = kind.model_fields[field].validation_alias
    return str(alias or f"{kind.model_config.get('env_prefix', '')}{field}".upper())


def store_url_of(service: str, server: str | None, db_name: str) -> str:
    """The store URL of a service.

    Args:
        service: The service's name.
        server: The URL of a database server that services share; None for a local SQLite file.
        db_name: The beginning of the names of databases on it: `<db_name>_<service>`.
    """
    if server is None:
        return f"sqlite:///{service}.sqlite"
    parts = urlsplit(server)
    return urlunsplit(parts._replace(path=f"/{db_name}_{service}"))
