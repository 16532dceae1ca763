"""`python -m gateway`: the gateway as a process of its own."""

from chassis.bus import open_bus
from chassis.peers import HttpPeer
from chassis.service import serve
from chassis.settings import read_settings

from gateway.app import create_app
from gateway.settings import Settings
from gateway.store import open_store


def main() -> None:
    """Read the environment, wire the edges, serve."""
    settings = read_settings(Settings)
    urls = {
        "ingest": settings.ingest_url,
        "notifier": settings.notifier_url,
        "artifacts": settings.artifacts_url,
        "history": settings.history_url,
    }
    peers = {name: HttpPeer(name, url, settings.jwt_secret_key) for name, url in urls.items() if url}
    app = create_app(settings, bus=open_bus(settings.amqp_url), store=open_store(settings.store_url), peers=peers)
    serve(app, settings, frame_bytes=settings.frame_bytes)


if __name__ == "__main__":
    main()
