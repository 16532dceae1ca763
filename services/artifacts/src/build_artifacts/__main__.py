"""`python -m build_artifacts`: the service as a process of its own."""

from build_chassis.service import run_service
from build_chassis.settings import read_settings

from build_artifacts.app import create_app
from build_artifacts.settings import Settings


def main() -> None:
    """Read the settings, wire, serve."""
    run_service(read_settings(Settings), create_app)


if __name__ == "__main__":
    main()
