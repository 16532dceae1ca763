"""The gateway's own REST routes, one file per noun."""

from collections.abc import Sequence

from fastapi import APIRouter

from build_gateway.routes import (
    agents,
    audit,
    auth,
    badges,
    ci,
    commands,
    groups,
    keys,
    members,
    operation,
    parking,
    projects,
    second_factor,
    sso,
    tokens,
    users,
)
from build_gateway.settings import Settings


def routers(_: Settings) -> Sequence[APIRouter]:
    """Every route of the gateway's own."""
    nouns = (
        auth,
        ci,
        sso,
        second_factor,
        users,
        tokens,
        keys,
        agents,
        commands,
        parking,
        operation,
        projects,
        badges,
        audit,
        groups,
        members,
    )
    return [noun.router for noun in nouns]
