"""Routes of ingest: builds and their logs for people, what is stored for the gateway."""

from ingest.routes import builds, internal, logs

ROUTERS = (builds.router, logs.router, internal.router)

__all__ = ["ROUTERS"]
