"""`python -m artifacts`: the service as a process of its own."""

from chassis.bus import open_bus
from chassis.service import serve
from chassis.settings import read_settings

from artifacts.app import create_app
from artifacts.settings import Settings


def main() -> None:
    """Read the settings, wire, serve."""
    settings = read_settings(Settings)
    serve(create_app(settings, open_bus(settings.amqp_url)), settings)


if __name__ == "__main__":
    main()
