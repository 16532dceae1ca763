"""`python -m build_ingest`: the service as a process of its own."""

from build_chassis.service import run_service
from build_chassis.settings import read_settings

from build_ingest.app import create_app
from build_ingest.settings import Settings


def main() -> None:
    """Read the settings, wire, serve."""
    run_service(read_settings(Settings), create_app)


if __name__ == "__main__":
    main()
