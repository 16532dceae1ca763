"""The objects of a bucket as files, by their keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from build_artifacts.objects.s3 import connect
from build_artifacts.settings import Settings

from build_embedded.backup.manifest import BackupFault, File, write

OBJECTS = Path("bucket")
_BLOCK = 1024 * 1024


def dump(settings: Settings, directory: Path) -> dict[str, File]:
    """Copy every object below the prefix to files; what was copied. Raises BackupFault."""
    client = connect(settings, settings.s3_endpoint)
    files = {}
    with _explained(settings):
        for key in _keys(client, settings):
            name = (OBJECTS / key.removeprefix(settings.s3_prefix)).as_posix()
            body = client.get_object(Bucket=settings.s3_bucket, Key=key)["Body"]
            files[name] = write(body.iter_chunks(_BLOCK), directory / name)
    return files


def load(directory: Path, settings: Settings) -> None:
    """Put every file to its key; what is there already stays. Raises BackupFault."""
    client = connect(settings, settings.s3_endpoint)
    root = directory / OBJECTS
    with _explained(settings):
        there = set(_keys(client, settings))
        for path in (path for path in root.rglob("*") if path.is_file()):
            key = settings.s3_prefix + path.relative_to(root).as_posix()
            if key not in there:
                client.upload_file(str(path), settings.s3_bucket, key)


def _keys(client: Any, settings: Settings) -> Iterator[str]:
    pages = client.get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=settings.s3_bucket, Prefix=settings.s3_prefix):
        for found in page.get("Contents", ()):
            yield str(found["Key"])


@contextmanager
def _explained(settings: Settings) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise BackupFault(f"bucket {settings.s3_bucket}: {error}") from error
