"""What the environment or `.env` names for a system of several processes, and the embedded one has no use for."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_INSTEAD = {
    "MYSQL_URI": "its data are SQLite files in {data}",
    "AMQP_URL": "its messages are in {data}, too",
    "S3_BUCKET": "artifacts are files in {data}",
}


class _Named(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    mysql_uri: str = Field("", validation_alias="MYSQL_URI")
    amqp_url: str = Field("", validation_alias="AMQP_URL")
    s3_bucket: str = Field("", validation_alias="S3_BUCKET")


def set_aside(data: str) -> dict[str, str]:
    """A sentence for each variable that is set and not used, by its name; `data` is where everything is instead."""
    named = _Named().model_dump()
    return {
        name: f"not used, {instead.format(data=data)} (`build-dashboard serve` uses it)"
        for name, instead in _INSTEAD.items()
        if named[name.lower()]
    }
