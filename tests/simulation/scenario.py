"""What is to happen in a run, all of it drawn from its seed: builds, orders to cancel them, and faults."""

import random
from dataclasses import dataclass, field, replace
from typing import Any

from simulation.agent import Plan

LANES = (("alpha", "main", "release"), ("alpha", "main", "asan"), ("beta", "main", "release"))
MINUTE = 60.0
HOUR, DAY = 3600.0, 86_400.0

LANE_REST_SECONDS = 65.0
"""Between two starts in a lane: more than a connection may hold back what was sent before either end gives it up."""

ERRORS = (
    "lib/scope.cpp:7:12: error: no member named 'find' in 'story::Scope'",
    "lib/parser.cpp:41:3: error: use of undeclared identifier 'token'",
    "ld.lld: error: undefined symbol: story::Scope::lookup(llvm::StringRef)",
)


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong, and goes right again after `seconds`.

    Attributes:
        number: Its place in the scenario; shrinking keeps it.
        at: When, in simulated seconds.
        kind: Which; `faults.KINDS` has them.
        target: Whom or what it befalls.
        seconds: How long.
        amount: How much, where that makes a difference.
    """

    number: int
    at: float
    kind: str
    target: str
    seconds: float = 0.0
    amount: float = 0.0

    def __str__(self) -> str:
        more = f" by {self.amount:g}" if self.amount else ""
        return f"fault {self.number}: {self.kind} {self.target}{more} for {self.seconds:.1f} s"


@dataclass(frozen=True)
class Scenario:
    """A whole run."""

    seed: int
    embedded: bool
    minutes: float
    plans: tuple[Plan, ...]
    cancels: tuple[tuple[str, float], ...]
    faults: tuple[Fault, ...]
    skews: dict[str, float] = field(default_factory=dict)
    apart: dict[str, int] = field(default_factory=dict)

    def only(self, numbers: "set[int] | None") -> "Scenario":
        """The same with these faults only."""
        return self if numbers is None else replace(self, faults=tuple(f for f in self.faults if f.number in numbers))


def draw(seed: int, minutes: float = 6.0, embedded: bool | None = None) -> Scenario:
    """The scenario of a seed."""
    rng = random.Random(f"scenario {seed}")
    is_embedded = rng.random() < 0.5 if embedded is None else (rng.random(), embedded)[1]
    agents = [f"builder-{n}" for n in range(1, rng.choice((2, 2, 3)) + 1)]
    plans = [plan for lane in LANES for plan in _lane(rng, lane, agents, minutes)]
    plans.sort(key=lambda plan: plan.starts_at)
    cancels = tuple((plan.name, rng.uniform(0.5, 30)) for plan in plans if rng.random() < 0.06)
    apart = {
        "gateway": 2,
        "ingest": 2,
        "history": rng.choice((1, 1, 2)),
        "notifier": rng.choice((1, 1, 2)),
        "artifacts": 1,
    }
    skews = {
        name: rng.choice((0.0, 0.0, 3.0, -40.0, 2 * HOUR, 3 * DAY, -30 * DAY, -1_779_999_000.0)) for name in agents
    }
    places = _Places(agents, apart, is_embedded)
    count = rng.choice((0, 1, 2, 3, 5, 8)) if rng.random() < 0.3 else int(rng.uniform(3, 4 + 1.2 * minutes))
    times = sorted(rng.uniform(8, minutes * MINUTE) for _ in range(count))
    faults = tuple(_fault(rng, number, at, places) for number, at in enumerate(times, 1))
    return Scenario(seed, is_embedded, minutes, tuple(plans), cancels, faults, skews, apart)


@dataclass(frozen=True)
class _Places:
    agents: list[str]
    apart: dict[str, int]
    embedded: bool

    @property
    def services(self) -> list[str]:
        if self.embedded:
            return ["system"]
        return [f"{name}-{n}" for name, count in self.apart.items() for n in range(1, count + 1)]

    @property
    def stores(self) -> list[str]:
        return ["system"] if self.embedded else ["broker", *(f"{name}-db" for name in self.apart)]

    def programs(self, rng: random.Random) -> str:
        return rng.choice([*self.services, *self.services, *(f"{name}/agent" for name in self.agents), *self._broker])

    def links(self, rng: random.Random) -> str:
        agent = rng.choice(self.agents)
        if self.embedded:
            return f"{agent} system"
        service = rng.choice(self.services)
        kind = service.rpartition("-")[0]
        return rng.choice(
            (f"{agent} {rng.choice(('gateway-1', 'gateway-2'))}", f"{service} broker", f"{service} {kind}-db")
        )

    @property
    def _broker(self) -> list[str]:
        return [] if self.embedded else ["broker", "broker"]


def _fault(rng: random.Random, number: int, at: float, places: _Places) -> Fault:
    long = rng.choice((1, 1, 1, 1, 3, 8))
    seconds = rng.uniform(0.2, 25) * long
    kind = rng.choice(
        ("kill",) * 7
        + ("terminate",) * 2
        + ("pause",) * 3
        + ("cut",) * 5
        + ("slow link", "full disk", "full disk", "full store", "full store", "broken store", "read-only store")
        + ("slow store", "mail away", "mail refuses", "mail answers lost", "clock jump", "clock jump")
        + ("reboot", "kill holder", "lost memory of time", "sleep")
    )
    agent, store = rng.choice(places.agents), rng.choice(places.stores)
    jump = rng.choice((-1, 1)) * rng.choice((90, HOUR, 5 * HOUR, 3 * DAY, 400 * DAY))
    target: dict[str, tuple[str, float]] = {
        "kill": (places.programs(rng), 0),
        "terminate": (rng.choice(places.services), 0),
        "pause": (places.programs(rng), 0),
        "cut": (f"{places.links(rng)} {rng.choice(('both', 'both', 'there', 'back'))}", 0),
        "slow link": (places.links(rng), rng.choice((0.2, 1.0, 4.0))),
        "full disk": (agent, 0),
        "full store": (store, 0),
        "broken store": (store, 0),
        "read-only store": (store, 0),
        "slow store": (store, rng.choice((0.05, 0.5, 3.0))),
        "mail away": ("mail", 0),
        "mail refuses": ("mail", 0),
        "mail answers lost": ("mail", 0),
        "clock jump": (rng.choice([*places.agents, *places.agents, *places.services]), jump),
        "reboot": (agent, 0),
        "kill holder": (agent, 0),
        "lost memory of time": (agent, 0),
        "sleep": (agent, 0),
    }
    name, amount = target[kind]
    if kind == "kill" and rng.random() < 0.3:
        seconds = rng.uniform(0.05, 1.0)
    return Fault(number, at, kind, name, seconds, amount)


def _lane(rng: random.Random, lane: tuple[str, str, str], agents: list[str], minutes: float) -> list[Plan]:
    plans: list[Plan] = []
    at, was_red = rng.uniform(3, 20), False
    while at < minutes * MINUTE:
        is_red = bool(plans) and rng.random() < (0.6 if was_red else 0.4)
        name = f"{lane[0]}/{lane[2]}#{len(plans) + 1}"
        lines = _lines(rng, name, rng.choice((3, 20, 60, 200)), rng.choice((2.0, 10.0, 25.0, 50.0)))
        error = rng.choice(ERRORS) if is_red else ""
        if is_red:
            lines += [(0.1, "FAILED: lib/part.o"), (0.1, error), (0.2, "ninja: build stopped: subcommand failed.")]
        plans.append(Plan(name, *lane, at, lines, int(is_red), rng.choice(agents), error))
        at += rng.choice((LANE_REST_SECONDS, 80.0, 120.0)) + rng.uniform(0, 10)
        was_red = is_red
    return plans


def _lines(rng: random.Random, name: str, count: int, seconds: float) -> list[tuple[float, str]]:
    lines = []
    for n in range(1, count + 1):
        wait = 0.0 if rng.random() < 0.7 else rng.uniform(0, 2 * seconds / count / 0.3)
        kind = rng.random()
        text = f"[{n}/{count}] Building CXX object lib/{name}.part{n}.o {rng.getrandbits(32):08x}"
        if kind < 0.05:
            text = f"note: line {n} of {name}, with an ä, a 値 and a \U0001f600"
        elif kind < 0.06:
            text = f"{name} {n} " + "x" * rng.choice((300, 30_000))
        elif kind < 0.08:
            text = ""
        lines.append((wait, text))
    return lines


def describe(scenario: Scenario) -> dict[str, Any]:
    """A run in a few words."""
    return {
        "seed": scenario.seed,
        "system": "embedded" if scenario.embedded else "apart",
        "builds": len(scenario.plans),
        "faults": len(scenario.faults),
    }
