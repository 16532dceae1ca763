"""Settings of the gateway, read once in `__main__`."""

from collections.abc import Mapping
from typing import Literal, Self
from urllib.parse import urlsplit

from build_chassis.secret_rules import ADMIN_PASSWORD, API_KEY, SIGNING_KEY, Rule
from build_chassis.settings import ServiceSettings
from build_protocol import limits
from build_protocol.clock import DAY_SECONDS, HOUR_SECONDS
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from build_gateway import keys
from build_gateway.accounts.provider import is_plain
from build_gateway.headers import hostname

SHORTEST_SECRET = 32
LOOPBACK = "127.0.0.1,::1"
LOCAL_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


class Settings(ServiceSettings):
    """Environment of the gateway; lists are comma separated."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", env_file=".env", extra="ignore", populate_by_name=True)

    service: str = "gateway"
    name: str = Field("", description="This gateway's own name among several; random where unset.")
    jwt_algorithm: Literal["HS256", "HS384", "HS512"] = Field(
        "HS256", validation_alias="JWT_ALGORITHM", description="How tokens are signed."
    )
    access_seconds: int = Field(600, gt=0, description="Life of an access token.")
    refresh_seconds: int = Field(14 * DAY_SECONDS, gt=0, description="Life of a refresh cookie.")
    session_seconds: int = Field(30 * DAY_SECONDS, gt=0, description="Life of a log-in, however often it is renewed.")
    admin_password: SecretStr | None = Field(
        None,
        validation_alias="BUILD_DASHBOARD_ADMIN_PASSWORD",
        description="Of the user `admin`, who is made at the first start.",
    )
    api_key: SecretStr | None = Field(
        None,
        validation_alias="BUILD_DASHBOARD_API_KEY",
        description="An agent's key for all projects, made at the first start.",
    )
    ci_token_seconds: int = Field(
        HOUR_SECONDS, ge=60, le=DAY_SECONDS, description="Life of a key that a CI's job gets for its token."
    )
    dashboard_url: str | None = Field(
        None, validation_alias="BUILD_DASHBOARD_URL", description="The address people use; https:// decides cookies."
    )
    allowed_origins: str = Field("", description="Origins of pages served elsewhere; the own host is always allowed.")
    allowed_hosts: str = Field("", description="Names it is reached by, beside that of BUILD_DASHBOARD_URL.")
    ingest_url: str = Field("http://127.0.0.1:8081", description="Where ingest is.")
    notifier_url: str | None = Field(None, description="Where the notifier is.")
    artifacts_url: str | None = Field(None, description="Where artifacts is.")
    history_url: str | None = Field(None, description="Where history is.")
    frame_bytes: int = Field(limits.FRAME_BYTES, gt=0, description="Largest WebSocket frame, bytes.")
    window_bytes: int = Field(limits.WINDOW_BYTES, gt=0, description="Unconfirmed bytes one agent may have sent.")
    inflight_bytes: int = Field(64 * 1024 * 1024, gt=0, description="Unconfirmed bytes of all agents together.")
    connections_per_key: int = Field(500, gt=0, description="Connections that agents with one key may have at once.")
    connections: int = Field(5000, gt=0, description="Agents this gateway holds at most, and as many viewers.")
    unproven_per_address: int = Field(
        100, gt=0, description="Pages of one address whose sockets are open and not logged in yet."
    )
    oidc_issuer: str = Field("", description="The single sign-on's issuer; its configuration is read from there.")
    oidc_client_id: str = Field("", description="As what the dashboard is registered there.")
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="Of that client.")
    oidc_scopes: str = Field("openid profile email", description="What is asked for; `offline_access` where needed.")
    oidc_name_claim: str = Field("preferred_username", description="The claim that is the user name here.")
    oidc_groups_claim: str = Field("groups", description="The claim that lists a person's groups.")
    oidc_label: str = Field("single sign-on", description="What the log-in page calls it.")
    oidc_only: bool = Field(False, description="Passwords let in user `admin` only, for emergencies.")
    oidc_away_seconds: int = Field(
        900,
        ge=60,
        description="How long people stay in while the provider does not answer; a refusal counts at once.",
    )
    visitor_requests_per_second: int = Field(
        10, gt=0, description="Requests without a login that one address may make, sustained; twice as many at once."
    )
    apigateway_url: str = Field(
        "",
        description="Where API Gateway's connections are answered, https://ID.execute-api.REGION.amazonaws.com/STAGE.",
    )
    apigateway_secret: SecretStr = Field(
        SecretStr(""), description="What API Gateway's integrations, and the gateways among each other, show here."
    )
    apigateway_table: str = Field(
        "",
        description="DynamoDB table of API Gateway's connections; unset: this is the only gateway, and it remembers.",
    )
    apigateway_own_url: str = Field(
        "", description="Where the other gateways reach this one; its address and port where unset."
    )
    frames_per_second: int = Field(1000, gt=0, description="Frames one agent may send per second, sustained.")

    @field_validator("jwt_secret_key")
    @classmethod
    def _secret_is_set(cls, value: str) -> str:
        if not value:
            raise ValueError(SIGNING_KEY.fault(value))
        return value

    @field_validator("dashboard_url")
    @classmethod
    def _url_is_an_address(cls, value: str | None) -> str | None:
        if not value:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"BUILD_DASHBOARD_URL: {value!r} is no address; write https://host[:port]")
        return value

    @model_validator(mode="after")
    def _front_is_trusted(self) -> Self:
        # A proxy terminates TLS for this gateway: without a named one it runs on the same machine.
        if self.is_secure and not self.trusted_proxies:
            self.trusted_proxies = LOOPBACK
        return self

    @field_validator("admin_password")
    @classmethod
    def _password_is_strong(cls, value: SecretStr | None) -> SecretStr | None:
        return _seed(ADMIN_PASSWORD, value)

    @field_validator("api_key")
    @classmethod
    def _key_is_strong(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) > keys.LONGEST:
            raise ValueError(f"{API_KEY.name} has more than {keys.LONGEST} characters: {API_KEY.remedy}")
        return _seed(API_KEY, value)

    @model_validator(mode="after")
    def _sso_is_whole(self) -> Self:
        if not self.oidc_issuer:
            return self
        if is_plain(self.oidc_issuer):
            raise ValueError(f"GATEWAY_OIDC_ISSUER: {self.oidc_issuer!r} has no TLS; write https://...")
        if not self.oidc_client_id or not self.oidc_client_secret.get_secret_value():
            raise ValueError("GATEWAY_OIDC_CLIENT_ID and GATEWAY_OIDC_CLIENT_SECRET: the provider shows both")
        if not self.dashboard_url:
            raise ValueError("BUILD_DASHBOARD_URL: the single sign-on sends people back there, so it must be known")
        return self

    @model_validator(mode="after")
    def _api_gateway_is_whole(self) -> Self:
        if self.apigateway_url and len(self.apigateway_secret.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(
                f"GATEWAY_APIGATEWAY_SECRET: {SHORTEST_SECRET} characters at least; whoever has it speaks for any agent"
            )
        return self

    @model_validator(mode="after")
    def _known_origins(self) -> Self:
        for origin in self.origins:
            if "://" not in origin:
                raise ValueError(f"GATEWAY_ALLOWED_ORIGINS: {origin!r} is no origin; write https://host[:port]")
        return self

    @property
    def peer_urls(self) -> Mapping[str, str]:
        """Addresses of the services this one calls, by name; an empty one is left out."""
        return {
            "ingest": self.ingest_url,
            "notifier": self.notifier_url or "",
            "artifacts": self.artifacts_url or "",
            "history": self.history_url or "",
        }

    @property
    def origins(self) -> frozenset[str]:
        """The allowed origins as a set, lower case, without a trailing slash."""
        parts = (part.strip().rstrip("/").lower() for part in self.allowed_origins.split(","))
        return frozenset(part for part in parts if part)

    @property
    def hosts(self) -> frozenset[str]:
        """The names with a dot it answers to; none, where it listens for others and knows no own name: then any."""
        named = {hostname(part) for part in self.allowed_hosts.split(",") if part.strip()}
        named |= {hostname(urlsplit(url).netloc) for url in (self.dashboard_url or "", *self.origins) if url}
        is_local = self.host in LOCAL_HOSTS
        return frozenset(named | {"localhost"}) if named or is_local else frozenset()

    @property
    def is_secure(self) -> bool:
        """Whether people reach the dashboard over TLS, whatever the last hop to this gateway speaks."""
        return urlsplit(self.dashboard_url or "").scheme == "https"

    @property
    def page_origins(self) -> frozenset[str]:
        """Origins of the dashboard's page: the allowed ones, and that of its public address."""
        parts = urlsplit((self.dashboard_url or "").lower())
        default_port = ":443" if parts.scheme == "https" else ":80"
        own = {f"{parts.scheme}://{parts.netloc.removesuffix(default_port)}"} if parts.netloc else set()
        return self.origins | own


def _seed(rule: Rule, value: SecretStr | None) -> SecretStr | None:
    """What the first start creates with; set to nothing, as docker-compose does, is unset. Raises ValueError."""
    if value is None or not value.get_secret_value():
        return None
    if fault := rule.fault(value.get_secret_value()):
        raise ValueError(fault)
    return value
