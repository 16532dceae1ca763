"""A MySQL or MariaDB database as one file: by the server's own tools, compressed on the way."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import zstandard
from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from build_embedded.backup.manifest import BackupFault, File, write

_BLOCK = 1024 * 1024
_DUMP = ("--single-transaction", "--quick", "--skip-lock-tables", "--hex-blob", "--no-tablespaces", "--skip-dump-date")


def dump(url: str, target: Path) -> File:
    """Write the database as SQL, of one moment, while it is used. Raises BackupFault."""
    place = make_url(url)
    with _options(place) as options, _running(("mariadb-dump", "mysqldump"), options, *_DUMP, _name(place)) as process:
        compressor = zstandard.ZstdCompressor()
        return write(compressor.read_to_iter(_output(process), read_size=_BLOCK), target)


def load(source: Path, url: str) -> None:
    """Run the SQL in an empty database, which is made where it is missing. Raises BackupFault."""
    place = make_url(url)
    _make_empty(place)
    with (
        source.open("rb") as file,
        _options(place) as options,
        _running(("mariadb", "mysql"), options, "--binary-mode", _name(place), reads=True) as process,
    ):
        if process.stdin is None:
            raise BackupFault("no pipe")
        zstandard.ZstdDecompressor().copy_stream(file, process.stdin)
        process.stdin.close()


def _make_empty(place: URL) -> None:
    engine = create_engine(place.set(drivername="mysql+pymysql", database=""))
    try:
        with engine.connect() as connection:
            quoted = engine.dialect.identifier_preparer.quote_identifier(_name(place))
            connection.exec_driver_sql(
                f"create database if not exists {quoted} character set utf8mb4 collate utf8mb4_bin"
            )
            if inspect(connection).get_table_names(schema=_name(place)):
                raise BackupFault(f"database {_name(place)} is not empty: name another one, or drop it")
    except SQLAlchemyError as error:
        raise BackupFault(f"database {_name(place)}: {error}") from error
    finally:
        engine.dispose()


@contextmanager
def _options(place: URL) -> Iterator[str]:
    """The name of a file that says where and who: a command line would show the password to everybody."""
    with tempfile.NamedTemporaryFile("w", suffix=".cnf") as file:  # for its owner only
        quoted = str(place.password or "").replace("\\", "\\\\").replace('"', '\\"')
        lines = [f"host={place.host or 'localhost'}", f"port={place.port or 3306}", f"user={place.username or ''}"]
        file.write("\n".join(["[client]", *lines, f'password="{quoted}"', ""]))
        file.flush()
        yield file.name


@contextmanager
def _running(
    names: tuple[str, ...], options: str, *arguments: str, reads: bool = False
) -> Iterator["subprocess.Popen[bytes]"]:
    program = next((found for name in names if (found := shutil.which(name))), None)
    if program is None:
        raise BackupFault(f"needs {' or '.join(names)}: install the client programs of MariaDB or MySQL")
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            [program, f"--defaults-extra-file={options}", "--default-character-set=utf8mb4", *arguments],
            stdin=subprocess.PIPE if reads else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if reads else subprocess.PIPE,
            stderr=complaints,
            env={**os.environ, "LC_ALL": "C"},
        )
        try:
            yield process
        except BrokenPipeError:
            pass  # it ended early, and says why
        except BaseException:
            process.kill()
            raise
        finally:
            code = process.wait()
        if code:
            complaints.seek(0)
            raise BackupFault(f"{Path(program).name}: {complaints.read(2000).decode(errors='replace').strip()}")


def _output(process: "subprocess.Popen[bytes]") -> IO[bytes]:
    if process.stdout is None:
        raise BackupFault("no pipe")
    return process.stdout


def _name(place: URL) -> str:
    return str(place.database)
