"""The gateway as one thing: its parts, wired, and the tasks that run as long as it does."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from build_chassis.backoff import Backoff
from build_chassis.bus import Bus
from build_chassis.errors import StoreUnavailable
from build_chassis.projects import Projects
from build_chassis.secret_rules import ADMIN_PASSWORD
from build_chassis.service_client import ServiceClient
from build_chassis.vital import vital
from build_protocol.frames import AgentConnected, Close, CommandStored, Revoked
from prometheus_client import CollectorRegistry

from build_gateway.accounts.directory import RESET, Directory
from build_gateway.accounts.passwords import Passwords
from build_gateway.accounts.throttle import Throttle
from build_gateway.accounts.tokens import Tokens
from build_gateway.agents.owners import BuildOwners
from build_gateway.agents.roster import Roster
from build_gateway.agents.session import AgentEdges
from build_gateway.agents.valve import Valve
from build_gateway.audit import Audit
from build_gateway.commands import Commands
from build_gateway.control import Control
from build_gateway.drain import drain_first
from build_gateway.endpoint import Endpoint
from build_gateway.ingest_view import IngestView
from build_gateway.keys import Keys
from build_gateway.live import Live
from build_gateway.metrics import Metrics
from build_gateway.settings import Settings
from build_gateway.store.contract import GatewayStore
from build_gateway.viewers.audience import Audience
from build_gateway.viewers.session import ViewerEdges

logger = logging.getLogger("gateway")
START_SECONDS = 10.0
"""A store that has not answered by then is waited for in the background: services start in any order."""

BOOTSTRAP_KEY = "default"
"""The name of the key that the environment's value adds."""

RESTART_SECONDS = 1.0
SWEEP_SECONDS = 3600.0
KEYS_SECONDS = 3.0
AGENT_DAYS = 30
FREE_LOGINS = {"account from address": 5, "address": 50, "account": 25}
"""Failures before each further one doubles the wait: an address may stand for a whole company, and one address alone
never makes an account wait for others.
"""


class Gateway:
    """All parts of one gateway."""

    def __init__(
        self,
        settings: Settings,
        bus: Bus,
        store: GatewayStore,
        peers: Mapping[str, ServiceClient],
        registry: CollectorRegistry,
        *,
        passwords: Passwords | None = None,
    ) -> None:
        self.settings = settings
        self.store = store
        self.peers = peers
        self.metrics = Metrics(registry)
        self.passwords = passwords or Passwords()
        self.throttles = {kind: Throttle(free) for kind, free in FREE_LOGINS.items()}
        self.projects = Projects(Path(settings.config_path))
        self.audit = Audit(store)
        self.control = Control(bus)
        self.keys = Keys(store, self.control.announce)
        tokens = Tokens(settings.jwt_secret_key, settings.jwt_algorithm, settings.access_seconds)
        self.directory = Directory(
            store, self.passwords, tokens, refresh_seconds=settings.refresh_seconds, announce=self.control.announce
        )
        self.ingest = IngestView(peers.get("ingest"))
        self.commands = Commands(store, self.control.announce)
        self.roster = Roster(store)
        self.audience = Audience()
        self.live = Live(bus, self.audience, self.roster, self.metrics)
        self.valve = Valve(
            bus,
            window_bytes=settings.window_bytes,
            total_bytes=settings.inflight_bytes,
            smallest_bytes=settings.frame_bytes,
        )
        self.metrics.inflight_bytes.set_function(lambda: self.valve.inflight_bytes)
        agents = AgentEdges(
            bus=bus,
            valve=self.valve,
            roster=self.roster,
            owners=BuildOwners(self.ingest),
            ingest=self.ingest,
            commands=self.commands,
            metrics=self.metrics,
            announce=self.control.announce,
            gateway=settings.name or secrets.token_hex(4),
            frame_bytes=settings.frame_bytes,
            window_bytes=settings.window_bytes,
            frames_per_second=settings.frames_per_second,
            dashboard_url=settings.dashboard_url,
        )
        self.endpoint = Endpoint(settings, self.keys, agents, ViewerEdges(self.directory, self.audience, self.metrics))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Run: open the store, make sure of the first admin and key, and keep the tasks going until the end."""
        preparing = vital(asyncio.create_task(self._prepare(), name="prepare the store"), may_end=True)
        await asyncio.wait([preparing], timeout=START_SECONDS)
        steps: dict[str, Callable[[], Awaitable[None]]] = {
            "listen to live": self.live.listen,
            "show held rows": self.live.show_held,
            "listen to control": lambda: self.control.listen(self._answer),
            "watch the valve": self.valve.watch,
            "watch viewers": self.audience.watch,
            "watch keys": self._watch_keys,
            "remember agents": self.roster.remember,
            "sweep the store": self._sweep,
        }
        tasks = [asyncio.create_task(_keep(name, step), name=name) for name, step in steps.items()]
        try:
            with drain_first(self.drain):
                yield
        finally:
            for task in (preparing, *tasks):
                task.cancel()
            await asyncio.gather(preparing, *tasks, return_exceptions=True)
            await self.roster.write_changes()
            await asyncio.gather(*(peer.close() for peer in self.peers.values()))
            await self.store.close()

    def drain(self) -> None:
        """Tell the agents that this gateway is about to stop: they come back elsewhere, not all at once."""
        for session in self.roster:
            session.drain()

    async def _prepare(self) -> None:
        """Bring the store up to date and make sure of the first admin and key, as soon as the store answers."""
        backoff = Backoff()
        while True:
            try:
                await self.store.open()
                if self.settings.admin_password is not None:
                    await self.directory.ensure_admin(self.settings.admin_password.get_secret_value())
                if self.settings.api_key is not None:
                    await self.keys.ensure_key(self.settings.api_key.get_secret_value(), BOOTSTRAP_KEY)
                if not await self.store.list_users():
                    logger.warning("nobody can log in yet: set %s and start again; %s", ADMIN_PASSWORD.name, RESET)
            except StoreUnavailable as error:
                logger.warning("wait for the store: %s", error)
                await asyncio.sleep(backoff.next_seconds())
            else:
                return

    async def _answer(self, event: Revoked | CommandStored | AgentConnected) -> None:
        if isinstance(event, CommandStored):
            for session in self.roster.of_agent(event.agent):
                await self.commands.deliver(session)
        elif isinstance(event, AgentConnected):
            older = self.roster.find_process(event.agent, event.instance)
            if older is not None and older.row.session != event.session:
                older.end(Close.SUPERSEDED, "a newer connection of this agent took over")
        else:
            await self._revoke(event)

    async def _revoke(self, event: Revoked) -> None:
        for session in self.roster:
            if session.key.id == event.key_id or session.key.name == event.agent:
                session.end(Close.BAD_TOKEN, "this API key was revoked")
        if event.user is not None:
            self.directory.forget(event.user)
            await self.audience.look_at(event.user)

    async def _watch_keys(self) -> None:
        """End sessions whose key expired or was revoked while the control exchange was away."""
        while True:
            await asyncio.sleep(KEYS_SECONDS)
            if len(self.roster) == 0:
                continue
            now_ms = int(time.time() * 1000)
            usable = {key.id for key in await self.store.list_keys() if key.is_usable(now_ms)}
            for session in self.roster:
                if session.key.id not in usable:
                    session.end(Close.BAD_TOKEN, "this API key was revoked or has expired")

    async def _sweep(self) -> None:
        while True:
            now_ms = int(time.time() * 1000)
            await self.store.drop_expired_refresh(now_ms)
            await self.store.drop_agents_before(now_ms - AGENT_DAYS * 24 * 3600 * 1000)
            await asyncio.sleep(SWEEP_SECONDS)


async def _keep(name: str, step: Callable[[], Awaitable[None]]) -> None:
    """Run a task that never ends; one that fails is told and started again."""
    while True:
        try:
            await step()
        except StoreUnavailable as error:
            logger.warning("wait to %s: %s", name, error)
        except Exception:
            logger.exception("fail to %s, start again", name)
        await asyncio.sleep(RESTART_SECONDS)
