"""Settings of history, read once in `__main__`."""

from collections.abc import Mapping

from build_chassis.settings import ServiceSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class Settings(ServiceSettings):
    """`HISTORY_STORE_URL`, `HISTORY_HOST`, `HISTORY_PORT`, ...; usable without any variable set."""

    model_config = SettingsConfigDict(env_prefix="HISTORY_")

    service: str = "history"
    port: int = 8084
    ingest_url: str = Field("http://127.0.0.1:8081", description="Where the tests and steps of ended builds are read.")
    prefetch: int = Field(200, ge=1, le=2000, description="Deliveries in one batch, at most.")
    keep_days: int = Field(
        730, ge=1, description="Single builds are forgotten after this; days and failure groups are not."
    )

    @property
    def peer_urls(self) -> Mapping[str, str]:
        """Where the services are that this one asks, by name."""
        return {"ingest": self.ingest_url}
