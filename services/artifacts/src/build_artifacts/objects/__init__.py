"""Where the bytes are kept; `open_objects(settings)` chooses S3 when a bucket is named, else a directory."""

from pathlib import Path

from build_artifacts.objects.contract import NotWhole, Objects, Put, UploadGone
from build_artifacts.settings import Settings

__all__ = ["NotWhole", "Objects", "Put", "UploadGone", "open_objects"]


def open_objects(settings: Settings) -> Objects:
    """The bytes these settings name."""
    # Imported here, so that a system on a directory never loads boto3.
    if settings.s3_bucket:
        from build_artifacts.objects.s3 import S3Objects  # noqa: PLC0415

        return S3Objects(settings)
    from build_artifacts.objects.directory import DirectoryObjects  # noqa: PLC0415

    return DirectoryObjects(Path(settings.directory), settings.jwt_secret_key)
