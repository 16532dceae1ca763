"""The world: machines, services, agents, broker and mail server of one run, and what happens to them."""

import asyncio
import hashlib
import logging
import random
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import build_artifacts.app
import build_artifacts.settings
import build_gateway.app
import build_gateway.settings
import build_history.app
import build_history.settings
import build_ingest.app
import build_ingest.settings
import build_notifier.app
import build_notifier.settings
from build_chassis import service
from build_chassis.auth import Principal
from build_chassis.bus.embedded import EmbeddedBus
from build_chassis.service_client import MountedServiceClient
from build_gateway.accounts.passwords import Passwords
from simulation.agent import Agent, Build, Holder
from simulation.broker import BrokerNode, RemoteBus
from simulation.loop import PROCESS, VirtualLoop
from simulation.machine import Disk, Machine, Process
from simulation.network import Network, here
from simulation.peers import MailServer, RemoteServiceClient

SECRET = hashlib.sha256(b"what tokens are signed with").hexdigest()
KEY = f"key-{hashlib.sha256(b'an agent').hexdigest()[:32]}"
ADMIN = Principal("checker", "admin", None)
INTERNAL = Principal("checker", "admin", None, "service")
CONFIG = """
projects:
  alpha:
    notification_emails: [alpha@example.com]
    configs: {release: {}, asan: {}}
  beta:
    notification_emails: [beta@example.com]
    configs: {release: {}}
"""
LOGGED = logging.WARNING

_SETTINGS: dict[str, Any] = {
    "gateway": build_gateway.settings.Settings,
    "ingest": build_ingest.settings.Settings,
    "history": build_history.settings.Settings,
    "notifier": build_notifier.settings.Settings,
    "artifacts": build_artifacts.settings.Settings,
}
_APPS: dict[str, Any] = {
    "gateway": build_gateway.app.create_app,
    "ingest": build_ingest.app.create_app,
    "history": build_history.app.create_app,
    "notifier": build_notifier.app.create_app,
    "artifacts": build_artifacts.app.create_app,
}
_PEERS = {
    "gateway": ("ingest", "history", "notifier", "artifacts"),
    "ingest": ("artifacts",),
    "history": ("ingest",),
    "notifier": ("ingest",),
    "artifacts": ("ingest",),
}
APART = {"gateway": 2, "ingest": 2, "history": 1, "notifier": 1, "artifacts": 1}


@dataclass
class Post:
    """A place where a program runs, and is started again whenever it ends."""

    name: str
    machine: Machine
    main: Callable[[], Coroutine[Any, Any, Any]]
    process: Process | None = None
    is_held: bool = False
    """Not to be started: it is away for longer."""

    starts: int = 0


@dataclass
class World:
    """One run."""

    seed: int
    root: Path
    embedded: bool = False
    loop: VirtualLoop = field(default_factory=VirtualLoop)
    timeline: list[str] = field(default_factory=list)
    posts: dict[str, Post] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)
    ordered_at: dict[str, float] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    apart: dict[str, int] = field(default_factory=lambda: dict(APART))
    graveyard: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"world {self.seed}")
        self.network = Network(self.loop, random.Random(f"network {self.seed}"))
        self.mail = MailServer(self.network, random.Random(f"mail {self.seed}"), self.note)
        self.broker = BrokerNode(self.network, self._place("broker") / "bus.sqlite")
        self._owners: dict[str, str] = {}
        self.digest = hashlib.sha256()
        self.config = self.root / "config.yaml"
        self.config.write_text(CONFIG)

    # --- what happens is noted

    def note(self, text: str) -> None:
        """A line of the timeline."""
        line = f"{_clock(self.loop.now)} {text}".replace(str(self.root), "")
        self.timeline.append(line)
        self.digest.update(line.encode())

    def violated(self, what: str) -> None:
        """A promise is broken: the run is red."""
        self.note(f"!!! {what}")
        self.violations.append(what.replace(str(self.root), ""))

    # --- machines and disks

    def machine(self, name: str) -> Machine:
        """The machine of this name."""
        if name not in self.machines:
            self.machines[name] = Machine(name, self.loop, random.Random(f"machine {name} {self.seed}"))
        return self.machines[name]

    def disk_of(self, path: str) -> Disk:
        """The disk of a file, as the running process reaches it."""
        name = self._owners.get(path)
        if name is None:
            name = self._owners[path] = Path(path).relative_to(self.root).parts[0]
        process = PROCESS.get()
        if isinstance(process, Process) and process.machine.name != name:
            mine = process.machine.name
            if not (self.network.passes(mine, name) and self.network.passes(name, mine)):
                raise OSError("no route to the database")
        return self.machine(name).disk

    def _place(self, name: str) -> Path:
        place = self.root / name
        place.mkdir(exist_ok=True)
        return place

    # --- programs

    def post(self, name: str, machine: str, main: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Run a program from now on."""
        self.posts[name] = Post(name, self.machine(machine), main)
        self.start(self.posts[name])

    def start(self, post: Post) -> None:
        """Start a program that does not run."""
        if post.is_held or (post.process is not None and post.process.is_alive):
            return
        process = Process(post.name, post.machine, self.loop)
        post.process, post.starts = process, post.starts + 1
        process.on_end.append(lambda: self._ended(post, process))
        process.start(post.main)

    def _ended(self, post: Post, process: Process) -> None:
        self.graveyard.append(process)
        main = process.main
        if main is not None and main.done() and not main.cancelled() and (error := main.exception()) is not None:
            self.note(f"{post.name} ended with {type(error).__name__}: {error}")
        self.loop.call_later(0.5 + 2 * self.rng.random(), self.start, post)

    def living(self, service_name: str) -> list[Process]:
        """The processes that serve a service, as a load balancer sees them."""
        names = ["system"] if self.embedded else [f"{service_name}-{n}" for n in range(1, self.apart[service_name] + 1)]
        found = [self.posts[name].process for name in names if name in self.posts]
        return [one for one in found if one is not None and one.is_alive and getattr(one, "app", None) is not None]

    def find(self, service_name: str) -> Process | None:
        """One of them."""
        processes = self.living(service_name)
        return self.rng.choice(processes) if processes else None

    def find_gateway(self) -> Process | None:
        """Where an agent gets to."""
        return self.find("gateway")

    def found(self) -> None:
        """Build the system up."""
        if self.embedded:
            self.post("system", "system", self._system)
        else:
            self.post("broker", "broker", self.broker.run)
            for name, count in self.apart.items():
                for n in range(1, count + 1):
                    self.post(f"{name}-{n}", f"{name}-{n}", self._service(name, n))

    def add_agent(self, name: str) -> Agent:
        """A machine that builds."""
        agent = Agent(self, self.machine(name), self._place(name) / "spool", KEY)
        self.agents[name] = agent
        self.post(f"{name}/agent", name, agent.run)
        return agent

    def start_holder(self, agent: Agent, build: Build, directory: Any) -> None:
        """Run a build's command, as a process of its own."""
        process = Process(f"{agent.machine.name}/holder {build.plan.name}", agent.machine, self.loop)
        agent.holders.append(process)
        process.on_end.append(lambda: self.graveyard.append(process))
        process.start(Holder(self, agent, build, directory).run)

    def _settings(self, name: str, n: int, place: str) -> Any:
        given: dict[str, Any] = {
            "store_url": f"sqlite:///{self._place(place) / name}.sqlite",
            "jwt_secret_key": SECRET,
            "config_path": str(self.config),
            "_env_file": None,
        }
        if name == "gateway":
            given |= {"name": f"gateway-{n}", "api_key": KEY, "admin_password": None}
        if name == "ingest":
            given |= {"replica": f"ingest-{n}"}
        if name == "notifier":
            given |= {"notification_email": "ci@example.com", "smtp_host": "mail", "smtp_tls": False, "poll_seconds": 2}
        if name == "artifacts":
            given |= {"directory": str(self._place(place) / "objects")}
        return _SETTINGS[name](**given)

    def _create(self, name: str, n: int, place: str, bus: Any, peers: Any) -> Any:
        settings = self._settings(name, n, place)
        if name == "gateway":
            passwords = Passwords(time_cost=1, memory_kib=8)
            return _APPS[name](settings, bus, peers=peers, passwords=passwords)
        return _APPS[name](settings, bus, peers=peers)

    def _service(self, name: str, n: int) -> Callable[[], Coroutine[Any, Any, Any]]:
        async def main() -> None:
            bus = RemoteBus(self.broker)
            peers = {peer: RemoteServiceClient(peer, SECRET, self.network, self.find) for peer in _PEERS[name]}
            await self._serve(self._create(name, n, f"{name}-db", bus, peers))

        return main

    async def _system(self) -> None:
        bus = EmbeddedBus(self._place("system") / "bus.sqlite")
        process: Any = here()
        apps: dict[str, Any] = {}
        process.apps = apps
        to_artifacts: dict[str, Any] = {}
        for name in ("artifacts", "ingest", "history", "notifier", "gateway"):
            peers = (
                to_artifacts
                if name == "artifacts"
                else {peer: MountedServiceClient(peer, apps[peer], SECRET) for peer in _PEERS[name] if peer in apps}
            )
            apps[name] = self._create(name, 1, "system", bus, peers)
        to_artifacts["ingest"] = MountedServiceClient("ingest", apps["ingest"], SECRET)
        from contextlib import AsyncExitStack, asynccontextmanager

        from build_embedded.system import _enter

        front = apps["gateway"]
        own = front.router.lifespan_context

        @asynccontextmanager
        async def lifespan(app: Any) -> Any:
            async with AsyncExitStack() as stack:
                await _enter(stack, [apps[name] for name in ("artifacts", "ingest", "history", "notifier")])
                await stack.enter_async_context(own(app))
                yield

        front.router.lifespan_context = lifespan
        await self._serve(front)

    async def _serve(self, app: Any) -> None:
        """What `build_chassis.service.serve` does, without its socket."""
        process: Any = here()
        async with service._with_bus(app.router.lifespan_context, nullcontext())(app):
            process.app = app
            try:
                await asyncio.Event().wait()
            finally:
                process.app = None

    # --- questions

    async def ask(self, service_name: str, path: str, principal: Principal = ADMIN) -> Any:
        """Ask a service, as the gateway would; raises what its client raises."""
        process: Any = self.find(service_name)
        if process is None:
            raise ConnectionError(f"no {service_name} runs")
        client = MountedServiceClient(service_name, self.app_of(service_name, process), SECRET)
        return await process.spawn(client.get_json(path, principal))

    def app_of(self, service_name: str, process: Any) -> Any:
        """The app of a service that this process runs."""
        return process.apps[service_name] if self.embedded else process.app


class Log(logging.Handler):
    """Warnings of the product, as lines of the timeline."""

    def __init__(self, world: World) -> None:
        super().__init__(LOGGED)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        process = PROCESS.get()
        name = process.name if isinstance(process, Process) else "?"
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            text += f" [{type(error).__name__}: {error}]"
        self._world.note(f"    {name}: {text}"[:300])


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    days, hours = divmod(hours, 24)
    return f"{days}d {hours:02}:{minutes:02}:{rest:06.3f}"
