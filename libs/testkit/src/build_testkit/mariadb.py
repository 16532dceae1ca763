"""A real MariaDB for tests: `MARIADB_URL`, else a private server that this process starts, else a container."""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from build_testkit.server import ServerProgram, running_in_a_directory, some_server
from build_testkit.stack import free_port

IMAGE = "mariadb:11.8"
"""Where a container is all there is: the one of docker-compose.yml."""


class Database:
    """A server at `mysql://user:password@host:port`, which somebody else runs: tests that restart it are skipped."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url.rstrip("/")

    def database_url(self, name: str) -> str:
        """The URL of a database of this name, which need not exist."""
        return f"{self._server_url}/{name}"

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        pytest.skip("this MariaDB is not ours to restart")

    def kill(self) -> None:
        """Kill the server with SIGKILL."""
        pytest.skip("this MariaDB is not ours to kill")


class PrivateDatabase(Database):
    """A server of our own on its own port, all files in one directory; works as root too."""

    def __init__(self, directory: Path, server: str) -> None:
        self._directory = directory
        self._server = server
        self._port = free_port()
        self._program = ServerProgram("MariaDB", directory)
        super().__init__(f"mysql://root@127.0.0.1:{self._port}")

    def _install(self) -> None:
        """Create the system tables; the account root needs no password and listens on 127.0.0.1 only."""
        installer = shutil.which("mariadb-install-db") or "mysql_install_db"
        command = [
            installer,
            "--no-defaults",
            f"--datadir={self._directory / 'data'}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            *_as_root(),
        ]
        ran = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if ran.returncode:
            raise RuntimeError(f"{installer} ended with {ran.returncode}:\n{ran.stdout}")

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        if not (self._directory / "data").exists():
            self._install()
        command = [
            self._server,
            "--no-defaults",
            f"--datadir={self._directory / 'data'}",
            f"--socket={self._directory / 'socket'}",
            f"--pid-file={self._directory / 'pid'}",
            f"--port={self._port}",
            "--bind-address=127.0.0.1",
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=32M",
            *_as_root(),
        ]
        self._program.start(command, self._accepts)

    def kill(self) -> None:
        """Kill the server with SIGKILL."""
        self._program.end()

    def stop(self) -> None:
        """Stop the server in order."""
        self._program.end(signal.SIGTERM)

    def forget(self) -> None:
        """End the server."""
        self.kill()

    def _accepts(self) -> bool:
        engine = create_engine(f"mysql+pymysql://root@127.0.0.1:{self._port}", connect_args={"connect_timeout": 1})
        try:
            engine.connect().close()
        except OperationalError:
            return False
        finally:
            engine.dispose()
        return True


@contextmanager
def private_mariadb() -> Iterator[PrivateDatabase]:
    """A server of our own, gone with the context; raises FileNotFoundError where MariaDB is not installed."""
    server = _installed()
    if server is None:
        raise FileNotFoundError("mariadbd is not installed")
    with running_in_a_directory(lambda directory: PrivateDatabase(directory, server)) as database:
        yield database


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Database]:
    """A real server. In CI (`CI` is set) a missing one fails the test, elsewhere it skips it with the reason."""
    with some_server("MARIADB_URL", Database, private_mariadb, _contained, "install mariadb-server") as database:
        yield database


@pytest.fixture
def mariadb_url(mariadb: Database) -> str:
    """The URL of a database of the test's own, not created yet."""
    return mariadb.database_url(f"test_{secrets.token_hex(6)}")


@contextmanager
def _contained() -> Iterator[Database]:
    from testcontainers.community.mysql import MySqlContainer  # noqa: PLC0415  only where nothing else is there

    with MySqlContainer(IMAGE, username="root", root_password="test") as container:  # noqa: S106  a test's
        yield Database(f"mysql://root:test@{container.get_container_host_ip()}:{container.get_exposed_port(3306)}")


def _installed() -> str | None:
    return shutil.which("mariadbd") or shutil.which("mysqld") or shutil.which("mariadbd", path="/usr/sbin")


def _as_root() -> list[str]:
    # The server refuses to run as root unless an option says that this is meant.
    return ["--user=root"] if os.geteuid() == 0 else []
