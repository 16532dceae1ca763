"""`python -m ingest`: the service as a process of its own."""

from chassis.bus import open_bus
from chassis.peers import HttpPeer
from chassis.service import serve
from chassis.settings import read_settings

from ingest.app import create_app
from ingest.settings import Settings


def main() -> None:
    """Read the settings, wire, serve."""
    settings = read_settings(Settings)
    artifacts = (
        HttpPeer("artifacts", settings.artifacts_url, settings.jwt_secret_key) if settings.artifacts_url else None
    )
    serve(create_app(settings, open_bus(settings.amqp_url), artifacts=artifacts), settings)


if __name__ == "__main__":
    main()
