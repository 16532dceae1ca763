"""Routes of ingest: builds and their logs for people, what is stored for the gateway."""

from build_ingest.routes import builds, feedback, internal, logs

ROUTERS = (builds.router, feedback.router, logs.router, internal.router)

__all__ = ["ROUTERS"]
