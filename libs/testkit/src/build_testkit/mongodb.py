"""A real MongoDB wire server for tests: `MONGODB_URL`, else a stand-in started as a program, else a container.

The stand-in is SecantusDB, which runs MongoDB's storage engine. It is GPL and a beta: installed into a virtual
environment of its own in the user's cache, started as a program by tests only, never imported and never a dependency.
What passes on it still has to pass on a MongoDB: set `MONGODB_URL`.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from build_testkit.program import install
from build_testkit.server import ServerProgram, running_in_a_directory, some_server
from build_testkit.stack import free_port

IMAGE = "mongo:8.0"
"""Where a container is all there is: the one of docker-compose.yml."""

STAND_IN = "secantusdb==0.7.0b3"


class Mongo:
    """A server at a URL, which somebody else runs: tests that restart it are skipped."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url

    def database_url(self, name: str) -> str:
        """The URL of a database of this name, which need not exist."""
        return urlunsplit(urlsplit(self._server_url)._replace(path=f"/{name}"))

    def start(self) -> None:
        """Start the server and wait until it answers."""
        pytest.skip("this MongoDB is not ours to restart")

    def kill(self) -> None:
        """Kill the server with SIGKILL."""
        pytest.skip("this MongoDB is not ours to kill")


class PrivateMongo(Mongo):
    """The stand-in, on its own port, all files in one directory."""

    def __init__(self, directory: Path, program: Path) -> None:
        self._directory = directory
        self._file = program
        self._port = free_port()
        self._program = ServerProgram("the MongoDB stand-in", directory)
        super().__init__(f"mongodb://127.0.0.1:{self._port}/?replicaSet=secantus")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        place = ("--host", "127.0.0.1", "--port", str(self._port), "--storage-path", str(self._directory / "data"))
        limits = ("--cache-size", "128M", "--oplog-max-entries", "5000")
        # Without --sync-on-commit acknowledged writes are lost by a kill.
        self._program.start([self._file, *place, "--sync-on-commit", *limits], self._answers)

    def kill(self) -> None:
        """Kill the server with SIGKILL."""
        self._program.end()

    def forget(self) -> None:
        """End the server."""
        self.kill()

    def _answers(self) -> bool:
        client: MongoClient[dict[str, object]] = MongoClient(self._server_url, serverSelectionTimeoutMS=1000)
        try:
            client.admin.command("ping")
        except PyMongoError:
            return False
        finally:
            client.close()
        return True


@contextmanager
def private_mongodb() -> Iterator[PrivateMongo]:
    """The stand-in, installed on first use, gone with the context; raises OSError or SubprocessError without it."""
    program = install(STAND_IN, "secantusd-py")
    with running_in_a_directory(lambda directory: PrivateMongo(directory, program)) as mongo:
        yield mongo


@pytest.fixture(scope="session")
def mongodb() -> Iterator[Mongo]:
    """A real server. In CI (`CI` is set) a missing one fails the test, elsewhere it skips it with the reason."""
    with some_server("MONGODB_URL", Mongo, private_mongodb, _contained, f"let uv install {STAND_IN}") as mongo:
        yield mongo


@pytest.fixture
def mongodb_url(mongodb: Mongo) -> str:
    """The URL of a database of the test's own."""
    return mongodb.database_url(f"test_{secrets.token_hex(6)}")


@contextmanager
def _contained() -> Iterator[Mongo]:
    from testcontainers.community.mongodb import MongoDbContainer  # noqa: PLC0415  only where nothing else is there

    with MongoDbContainer(IMAGE) as container:
        yield Mongo(container.get_connection_url())
