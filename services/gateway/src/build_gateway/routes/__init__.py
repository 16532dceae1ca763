"""The gateway's own REST routes, one file per noun."""

from fastapi import APIRouter

from build_gateway.routes import agents, auth, badges, commands, keys, projects, users


def routers() -> list[APIRouter]:
    """All of them."""
    nouns = (auth, users, keys, agents, commands, projects, badges)
    return [noun.router for noun in nouns]
