"""Settings of artifacts, read once in `__main__`."""

from collections.abc import Mapping
from typing import Literal, Self

from build_chassis.secret_rules import is_placeholder
from build_chassis.settings import ServiceSettings
from build_protocol.clock import DAY_SECONDS
from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict
from typing_extensions import override


class Settings(ServiceSettings):
    """`ARTIFACTS_STORE_URL`, ..., `S3_BUCKET` and the `AWS_*` names; usable without any variable set."""

    model_config = SettingsConfigDict(env_prefix="ARTIFACTS_")

    service: str = "artifacts"
    port: int = 8083
    prefetch: int = Field(50, ge=1, le=1000, description="Deliveries in one batch, at most.")

    directory: str = Field("artifacts-objects", description="Where the bytes are when there is no bucket.")
    s3_bucket: str = Field("", validation_alias="S3_BUCKET", description="Empty: the bytes are in the directory.")
    aws_access_key: str = Field("", validation_alias="AWS_ACCESS_KEY", description="Empty: boto3's own search.")
    aws_secret_key: str = Field("", validation_alias="AWS_SECRET_KEY", description="Of that access key.")
    aws_region: str = Field("us-east-1", validation_alias="AWS_REGION", description="Region of the bucket.")
    s3_endpoint: str = Field("", description="Address of an S3 that is not Amazon's, as this service reaches it.")
    s3_public_endpoint: str = Field("", description="The same, as agents and browsers reach it.")
    s3_transfer: Literal["direct", "gateway"] = Field(
        "direct", description="How bytes reach agents and browsers: from the object store itself, or through us."
    )
    s3_prefix: str = Field("artifacts/", description="What every key in the bucket begins with.")
    s3_encryption: Literal["", "AES256", "aws:kms"] = Field("", description="Server-side encryption asked for.")
    s3_kms_key: str = Field("", description="Key id for aws:kms; empty: the bucket's.")

    upload_seconds: int = Field(900, ge=10, le=7 * DAY_SECONDS, description="How long a planned upload may begin.")
    download_seconds: int = Field(60, ge=1, le=60, description="How long a download link may be opened.")
    per_build: int = Field(200, ge=1, le=10_000, description="Artifacts one build may upload.")
    per_key: int = Field(2000, ge=1, description="Uploads that keys of one name may have begun and not finished.")
    ingest_url: str = Field("http://127.0.0.1:8081", description="Where it is asked whose a build is.")
    keep_days: int = Field(90, ge=1, description="Artifacts are deleted after this, except the last good build's.")
    keep_builds: int = Field(50, ge=1, description="Builds of one lane whose artifacts are kept, at most.")
    abandoned_hours: int = Field(24, ge=1, description="An upload without progress for so long is aborted.")

    @property
    @override
    def peer_urls(self) -> Mapping[str, str]:
        return {"ingest": self.ingest_url}

    @model_validator(mode="after")
    def _keys_are_real(self) -> Self:
        for variable, value in (("AWS_ACCESS_KEY", self.aws_access_key), ("AWS_SECRET_KEY", self.aws_secret_key)):
            if self.s3_bucket and is_placeholder(value):
                raise ValueError(
                    f"{variable} is a placeholder from an example: set the key that may use the bucket of S3_BUCKET, "
                    "or leave S3_BUCKET empty to keep the bytes in a directory"
                )
        return self
