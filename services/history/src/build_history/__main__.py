"""`python -m build_history`: the service as a process of its own."""

from build_chassis.bus import open_bus
from build_chassis.service import serve
from build_chassis.service_client import http_peers
from build_chassis.settings import read_settings

from build_history.app import create_app
from build_history.settings import Settings


def main() -> None:
    """Read the settings, wire, serve."""
    settings = read_settings(Settings)
    peers = http_peers(settings.peer_urls, settings.jwt_secret_key)
    serve(create_app(settings, open_bus(settings.amqp_url), peers=peers), settings)


if __name__ == "__main__":
    main()
