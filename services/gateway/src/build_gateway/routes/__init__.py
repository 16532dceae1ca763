"""The gateway's own REST routes, one file per noun."""

from collections.abc import Sequence

from fastapi import APIRouter

from build_gateway.routes import agents, audit, auth, badges, commands, keys, parking, projects, users
from build_gateway.settings import Settings


def routers(_: Settings) -> Sequence[APIRouter]:
    """Every route of the gateway's own."""
    nouns = (auth, users, keys, agents, commands, parking, projects, badges, audit)
    return [noun.router for noun in nouns]
