"""`python -m notifier`: the service as a process of its own."""

from chassis.bus import open_bus
from chassis.peers import HttpPeer
from chassis.service import serve
from chassis.settings import read_settings

from notifier.app import create_app
from notifier.settings import Settings


def main() -> None:
    """Read the settings, wire, serve."""
    settings = read_settings(Settings)
    ingest = HttpPeer("ingest", settings.ingest_url, settings.jwt_secret_key)
    serve(create_app(settings, open_bus(settings.amqp_url), ingest), settings)


if __name__ == "__main__":
    main()
