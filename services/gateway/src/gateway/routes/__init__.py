"""The gateway's own REST routes, one file per noun."""

from fastapi import APIRouter

from gateway.routes import agents, auth, commands, keys, projects, users


def routers() -> list[APIRouter]:
    """All of them."""
    return [auth.router, users.router, keys.router, agents.router, commands.router, projects.router]
