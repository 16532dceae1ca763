"""Settings of ingest, read once in `__main__`."""

import socket
from collections.abc import Mapping

from build_chassis.settings import ServiceSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class Settings(ServiceSettings):
    """`INGEST_STORE_URL`, `INGEST_HOST`, `INGEST_PORT`, ...; usable without any variable set."""

    model_config = SettingsConfigDict(env_prefix="INGEST_")

    service: str = "ingest"
    port: int = 8081
    prefetch: int = Field(200, ge=1, le=2000, description="Deliveries of a shard in one batch, at most.")
    keep_days: int = Field(365, ge=0, description="Builds that started longer ago are deleted; 0 keeps all.")
    hot_days: int = Field(30, ge=0, description="After so long an archived log's text is dropped here; 0 keeps it.")
    reanalyse_days: int = Field(14, ge=0, description="Logs so old are read again after a change of rules; 0: none.")
    artifacts_url: str = Field("http://127.0.0.1:8083", description="Where logs are archived; empty: nowhere.")
    replica: str = Field("", description="Name of this replica in claims; host and port where empty.")

    @property
    def replica_name(self) -> str:
        """A name no other living replica has, and a restarted one has again."""
        return self.replica or f"{socket.gethostname()}:{self.port}"

    @property
    def peer_urls(self) -> Mapping[str, str]:
        """Where the services are that this one asks, by name."""
        return {"artifacts": self.artifacts_url}
