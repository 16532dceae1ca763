"""`python -m gateway`: the gateway as a process of its own. `python -m gateway reset-admin`: the way back in."""

import secrets
import sys

from chassis.bus import open_bus
from chassis.peers import HttpPeer
from chassis.service import serve
from chassis.settings import read_settings

from gateway import reset_admin
from gateway.app import create_app
from gateway.settings import Settings
from gateway.store import open_store


def main() -> None:
    """Read the environment, wire the edges, serve."""
    if sys.argv[1:2] == ["reset-admin"]:
        # Only the store's place is of interest here, not whether the gateway could start.
        place = read_settings(Settings, jwt_secret_key=secrets.token_hex(32), admin_password=None, api_key=None)
        reset_admin.main(place.store_url, sys.argv[2:])
        return
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
