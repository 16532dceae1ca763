"""`python -m build_gateway`: the gateway as a process of its own; with `reset-admin`: the way back in."""

import secrets
import sys

from build_chassis.service import run_service
from build_chassis.settings import read_settings

from build_gateway import reset_admin
from build_gateway.app import create_app
from build_gateway.settings import Settings


def main() -> None:
    """Read the settings, wire, serve."""
    if sys.argv[1:2] == ["reset-admin"]:
        # Only the store's place is of interest here, not whether the gateway could start.
        place = read_settings(Settings, jwt_secret_key=secrets.token_hex(32), admin_password=None, api_key=None)
        reset_admin.main(place.store_url, sys.argv[2:])
        return
    settings = read_settings(Settings)
    run_service(settings, create_app, frame_bytes=settings.frame_bytes)


if __name__ == "__main__":
    main()
