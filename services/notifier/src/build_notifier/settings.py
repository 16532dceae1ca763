"""Settings of notifier, read once in `__main__`."""

from collections.abc import Mapping
from typing import Self, get_args

from build_chassis.secret_rules import is_placeholder
from build_chassis.settings import ServiceSettings
from build_protocol.project_config import NotifyOn
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict


class Settings(ServiceSettings):
    """`NOTIFIER_STORE_URL`, `NOTIFIER_PORT`, ... and the seed's names; usable without any variable set."""

    model_config = SettingsConfigDict(env_prefix="NOTIFIER_", env_file=".env", extra="ignore", populate_by_name=True)

    service: str = "notifier"
    port: int = 8082
    prefetch: int = Field(200, ge=1, le=2000, description="Deliveries in one batch, at most.")
    ingest_url: str = Field("http://127.0.0.1:8081", description="Where log extracts are read.")
    history_url: str = Field("http://127.0.0.1:8084", description="Where verdicts are read, and deeds are noted.")
    artifacts_url: str = Field("http://127.0.0.1:8083", description="Where it is asked what a build left.")
    dashboard_url: str = Field(
        "http://127.0.0.1:8080", validation_alias="BUILD_DASHBOARD_URL", description="Where links of a mail lead."
    )

    quiet_seconds: float = Field(
        30, ge=0, description="An incident collects configs this long before people are notified."
    )
    poll_seconds: float = Field(
        1, gt=0, description="How soon a message due by the clock, or decided by another replica, is noticed."
    )
    digest_hour: int = Field(7, ge=0, le=23, description="Hour (UTC) at which what is still red is summed up.")
    must_arrive: str = Field(
        "", description="Rules (comma separated) whose mail is sent once more when nobody knows whether it arrived."
    )
    keep_days: int = Field(365, ge=1, description="The delivery log and idle branches are forgotten after this.")
    senders: int = Field(4, ge=1, le=64, description="Notifications in flight at once.")

    notification_email: str = Field("", validation_alias="NOTIFICATION_EMAIL", description="Sender of every mail.")
    sendgrid_api_key: SecretStr = Field(
        SecretStr(""), validation_alias="SECRET_API_KEY", description="SendGrid's key; empty: SMTP."
    )
    sendgrid_host: str = Field("https://api.sendgrid.com", description="Where SendGrid is.")
    sendgrid_webhook_key: str = Field("", description="Public key of the signed Event Webhook, base64 as shown there.")

    smtp_host: str = Field("", description="Used where there is no SendGrid key.")
    smtp_port: int = Field(587, gt=0, lt=65536, description="Its port.")
    smtp_username: str = Field("", description="Empty: no log-in.")
    smtp_password: SecretStr = Field(SecretStr(""), description="Of that user.")
    smtp_tls: bool = Field(True, description="STARTTLS, which must succeed; from the first byte on port 465.")

    github_token: SecretStr = Field(SecretStr(""), description="For channels `github://owner/repository`.")
    github_app_id: str = Field(
        "", description="A GitHub App, as which check runs are made (channels `github-checks://owner/repository`)."
    )
    github_app_key: SecretStr = Field(SecretStr(""), description="Its private key, PEM.")
    github_host: str = Field("https://api.github.com", description="Where the API of GitHub is.")

    @model_validator(mode="after")
    def _known_rules(self) -> Self:
        unknown = self.must_arrive_rules - set(get_args(NotifyOn))
        if unknown:
            raise ValueError(f"NOTIFIER_MUST_ARRIVE: no such rule: {', '.join(sorted(unknown))}")
        return self

    @property
    def must_arrive_rules(self) -> frozenset[str]:
        """The rules of `must_arrive`, as a set."""
        return frozenset(rule.strip() for rule in self.must_arrive.split(",") if rule.strip())

    @property
    def placeholders(self) -> list[str]:
        """The variables with a credential that is an example's: nobody would accept it, it counts as not set."""
        return [
            str(field.validation_alias or f"NOTIFIER_{name.upper()}")
            for name, field in type(self).model_fields.items()
            if name not in ServiceSettings.model_fields
            and isinstance(value := getattr(self, name), SecretStr)
            and is_placeholder(value.get_secret_value())
        ]

    @property
    def quiet_ms(self) -> int:
        """`quiet_seconds` in milliseconds."""
        return round(self.quiet_seconds * 1000)

    @property
    def peer_urls(self) -> Mapping[str, str]:
        """Where the services are that this one asks, by name."""
        return {"ingest": self.ingest_url, "history": self.history_url, "artifacts": self.artifacts_url}


def credential(value: SecretStr) -> str:
    """The credential; empty where it still is an example's."""
    return "" if is_placeholder(value.get_secret_value()) else value.get_secret_value()
