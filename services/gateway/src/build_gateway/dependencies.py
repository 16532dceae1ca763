"""What the gateway's routes depend on: made once by `create_app`, the same for every request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from build_chassis.bus import Bus
from build_chassis.parts import ServiceParts, dependencies_of
from build_chassis.projects import Projects
from build_chassis.retention_guard import RetentionGuard
from build_chassis.service_client import ServiceClient
from fastapi import Depends

from build_gateway.accounts.attempts import Attempts
from build_gateway.accounts.directory import Directory
from build_gateway.accounts.passwords import Passwords
from build_gateway.accounts.second_factor import SecondFactors
from build_gateway.accounts.sso import SingleSignOn
from build_gateway.accounts.visitor_rates import VisitorRates
from build_gateway.agents.roster import Roster
from build_gateway.agents.valve import Valve
from build_gateway.apigateway.front import ApiGatewayFront
from build_gateway.audit import Audit
from build_gateway.auto_stop import AutoStop
from build_gateway.ci.jobs import Jobs
from build_gateway.commands import Commands
from build_gateway.control import Control
from build_gateway.endpoint import Endpoint
from build_gateway.ingest_view import IngestView
from build_gateway.keys import Keys
from build_gateway.live import Live
from build_gateway.metrics import Metrics
from build_gateway.settings import Settings
from build_gateway.store.contract import GatewayStore
from build_gateway.viewers.audience import Audience


@dataclass(frozen=True, slots=True)
class Dependencies(ServiceParts[Settings, GatewayStore]):
    """The parts of one gateway."""

    bus: Bus
    guard: RetentionGuard
    peers: Mapping[str, ServiceClient]
    projects: Projects
    metrics: Metrics
    passwords: Passwords
    second_factors: SecondFactors
    attempts: Attempts
    audit: Audit
    control: Control
    keys: Keys
    jobs: Jobs
    directory: Directory
    ingest: IngestView
    commands: Commands
    roster: Roster
    audience: Audience
    live: Live
    auto_stop: AutoStop
    valve: Valve
    endpoint: Endpoint
    front: ApiGatewayFront | None
    visitor_rates: VisitorRates
    sso: SingleSignOn | None


Needs = Annotated[Dependencies, Depends(dependencies_of)]
"""A route parameter: `async def list_users(needs: Needs, ...)`."""
