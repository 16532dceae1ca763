"""A bout: builds stream and viewers watch while a fault happens; then all is settled, collected and checked.

Every bout has a project of its own, so bouts share an arena and each is judged alone.
"""

import asyncio
import hashlib
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import aio_pika
from delivery.arena import Arena, wait_until
from delivery.checker import Expected, check
from delivery.evidence import Evidence
from delivery.harsh_agent import HarshAgent, new_build_id
from delivery.viewer import Viewer
from delivery.workload import Build

WORKLOAD = Path(__file__).with_name("workload.py")
AGENT = (sys.executable, "-m", "build_dashboard", "run")
SETTLE_SECONDS = 150.0
LINGER_SECONDS = 3
LONGEST_REAL_SECONDS = 10.0
BROKER_SECONDS = 60.0
GREEN = (False,)
STORY = (False, True, False)
"""Green, red, green: one mail that it is broken, one that it is fixed."""


class Bout:
    """One project's builds. `story`: the builds of the real agent, one after another, each red or not."""

    def __init__(
        self,
        arena: Arena,
        *,
        story: Sequence[bool] = GREEN,
        harsh: int = 2,
        lines: int = 120,
        seconds: float = 2.0,
        brings_artifact: bool = False,
        patience_seconds: float = 60.0,
        agent_environment: Mapping[str, str] | None = None,
        pauses: bool = False,
    ) -> None:
        self.arena = arena
        self.project = arena.next_project()
        self.seed = random.randrange(1_000_000)
        self.expected = Expected({})
        self.exit_codes: list[int] = []
        """Of the real agents."""
        self._agent_environment = dict(agent_environment or {})
        self._builds: dict[str, tuple[str, Build]] = {}
        self.expected.builds = self._builds
        self._story = list(story)
        self._lines = lines
        self._seconds = seconds
        self._brings_artifact = brings_artifact
        self._patience_seconds = patience_seconds
        self._real_seconds = min(seconds, LONGEST_REAL_SECONDS)
        self._is_left_alone = False
        self._goes_on, self._is_back = threading.Event(), threading.Event()
        if not pauses:
            self._goes_on.set()
        self._agents = [self._harsh(number) for number in range(harsh)]
        self._viewers: list[Viewer] = []
        self._rest = arena.rest()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bout", daemon=True)
        self.real: subprocess.Popen[bytes] | None = None
        self._story_thread = threading.Thread(target=self._tell_story, name="story", daemon=True)
        self._story_error: BaseException | None = None
        self._spool = arena.directory / f"spool-{self.project}"
        if True in self._story:
            self.expected.mails = Counter({(self.project, "broken"): 1, (self.project, "fixed"): 1})

    def __enter__(self) -> Self:
        self._thread.start()
        for agent in self._agents:
            self._spawn(agent.run())
            self._watch(agent.state.build_id, self._lines)
        self._story_thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        if self.real is not None and self.real.poll() is None:
            self.real.kill()
        asyncio.run_coroutine_threadsafe(_end_tasks(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def stored(self, build: int = 0) -> int:
        """How many records of a harsh agent's build were reported stored so far."""
        return self._agents[build].state.stored

    def wait_stored(self, records: int, seconds: float = 90.0) -> None:
        """Wait until the harsh agents' builds are well under way."""
        wait_until(
            lambda: all(agent.state.stored >= records for agent in self._agents),
            seconds,
            lambda: f"{records} records stored of each of {[agent.state for agent in self._agents]}",
        )

    def wait_nearly_all_stored(self) -> None:
        """Wait until the harsh agents' builds are about to end."""
        self.wait_stored(min(agent.state.last for agent in self._agents) - 3)

    def poison(self) -> None:
        """Put a message on the broker, between the others, that nobody can read."""
        broker = self.arena.broker
        if broker is not None:
            body = f'{{"type":"BUILD_LOG","project":"{self.project}","no":"record {random.random()}"}}'.encode()
            self.expected.poison.append(body)
            asyncio.run(asyncio.wait_for(_publish(broker.url, f"3.BUILD_LOG.{self.project}", body), BROKER_SECONDS))

    def wait_first_counted(self, seconds: float = 90.0) -> None:
        """Wait until the story's first build is counted, where a bout pauses."""
        wait_until(lambda: self._counted_real() >= 1, seconds, lambda: "the first build is counted")

    def leave_alone(self, seconds: float) -> None:
        """Go on after the pause, while who would judge the builds is away: each takes so long, none waits for another's
        verdict, and what is left in the spool waits for `is_back`.
        """
        self._is_left_alone, self._real_seconds = True, seconds
        self._goes_on.set()

    def is_back(self) -> None:
        """Whoever was away is back."""
        self._is_back.set()

    def order_in_vain(self) -> None:
        """Give an order that waits for ever: drain an agent that nobody is. No build's end can come before it."""
        self.arena.rest().post("/api/commands", {"kind": "drain", "agent": f"nobody of {self.project}"})

    def settle(self, seconds: float = SETTLE_SECONDS) -> None:
        """Wait until every agent was informed that all is verified, the story is over, and every viewer has it all."""
        limit = time.monotonic() + seconds

        def left() -> float:
            return max(1.0, limit - time.monotonic())

        self._story_thread.join(left())
        if self._story_error is not None:
            raise self._story_error
        wait_until(
            lambda: all(agent.is_done for agent in self._agents),
            left(),
            lambda: f"agents are done: {[agent.state for agent in self._agents]}",
        )
        wait_until(self._all_shown, left(), lambda: f"viewers have all: {self._short_viewers()}")
        # What these wait for in vain is a fault that the checker reports better.
        with suppress(TimeoutError):
            wait_until(self._all_counted, min(left(), 20), lambda: "history has counted")
        with suppress(TimeoutError):
            wait_until(self._all_brought, min(left(), 20), lambda: "artifacts are verified")
        with suppress(TimeoutError):
            wait_until(self._all_mailed, min(left(), 20), lambda: "mails are sent")

    def verdict(self) -> list[str]:
        """What is wrong, as the checker reports it."""
        return check(self.expected, self.evidence())

    def evidence(self) -> Evidence:
        """Everything that can be seen of this bout's builds."""
        ids = set(self._builds)
        rows = list(self._rest.items(f"/api/builds?project={self.project}&limit=50"))
        there = ids & {row["id"] for row in rows}
        self._rest = self.arena.rest(-1)  # the other gateway answers the same
        return Evidence(
            rows=rows,
            texts={build_id: self._rest.read(f"/api/builds/{build_id}/logs?format=text") for build_id in there},
            pages={build_id: self._rest.lines(build_id)[0] for build_id in there},
            chunks=self.arena.chunks(ids),
            agents=[*(agent.state for agent in self._agents), *self._real_agents()],
            viewers=[viewer.transcript for viewer in self._viewers],
            artifacts={build_id: self._artifacts(build_id) for build_id in self.expected.products},
            mails=self._mails(),
            doubtful_mails=self._doubtful(),
            totals={self.project: self._totals()},
            parked=self._parked(),
        )

    # --- the real agent

    def _tell_story(self) -> None:
        try:
            for number, is_red in enumerate(self._story, 100):
                self._run_real(Build(self.seed, number, self._lines, is_red))
                if self._is_left_alone:
                    continue
                self._deliver()
                # The next begins only when this one's verdict went round: colours depend on their order.
                self._wait_for_counted(number - 99)
                self._goes_on.wait()
            if self._is_left_alone:
                self._is_back.wait()
                self._deliver()
        except Exception as error:  # noqa: BLE001  raised again where the bout is settled
            self._story_error = error

    def _run_real(self, build: Build) -> None:
        id_file = self.arena.directory / f"{self.project}-{build.number}.id"
        command = [sys.executable, str(WORKLOAD), f"--seed={build.seed}", f"--number={build.number}"]
        command += [f"--lines={build.count}", f"--seconds={self._real_seconds}", f"--id-file={id_file}"]
        command += ["--red"] if build.is_red else []
        options = ["--project", self.project, "--branch", "main", "--config-name", "real", f"--linger={LINGER_SECONDS}"]
        product = self.arena.directory / f"{self.project}-{build.number}.bin"
        if self._brings_artifact:
            command += [f"--product={product}"]
            options += [f"--artifact={product.name}"]
        self.real = subprocess.Popen(
            [*AGENT, *options, "--", *command],
            env=self._environment() | self._agent_environment,
            cwd=self.arena.directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        wait_until(lambda: id_file.exists() and id_file.read_text(), 30, lambda: "the command was started")
        build_id = id_file.read_text()
        self._builds[build_id] = (self.project, build)
        if self._brings_artifact:
            self.expected.products |= {build_id}
        self._watch(build_id, self._lines)
        self.exit_codes.append(self.real.wait(120 + self._real_seconds))

    def _wait_for_counted(self, count: int) -> None:
        wait_until(lambda: self._counted_real() >= count, self._patience_seconds, lambda: "its verdict is counted")

    def _deliver(self) -> None:
        """As a machine's next build would: what is left in the spool is delivered by whoever comes next."""
        limit = time.monotonic() + self._patience_seconds
        resume = [*AGENT, "--resume", "--linger=5"]
        while subprocess.run(resume, env=self._environment(), capture_output=True, check=False).returncode:
            if time.monotonic() > limit:
                raise TimeoutError(f"the spool of {self.project} is not delivered: {list(self._spool.iterdir())}")

    def _environment(self) -> dict[str, str]:
        return dict(os.environ) | {
            "WS_ENDPOINT": random.choice(self.arena.agent_gateways),
            "BUILD_DASHBOARD_API_KEY": self.arena.key,
            "BUILD_DASHBOARD_SPOOL": str(self._spool),
            "HOME": str(self.arena.directory),
        }

    def _counted_real(self) -> int:
        return sum(day["succeeded"] + day["failed"] for day in self._days() if day["config"] == "real")

    def _real_agents(self) -> list[Any]:
        harsh = {agent.state.build_id for agent in self._agents}
        return self.arena.wire_log.of(set(self._builds) - harsh)

    # --- what is collected

    def _days(self) -> list[dict[str, Any]]:
        trends = self.arena.rest().get(f"/api/history/trends?project={self.project}&branch=main&days=3")
        return [day for item in trends["items"] for day in item["days"]]

    def _totals(self) -> dict[str, int]:
        days = self._days()
        return {name: sum(day[name] for day in days) for name in ("builds", "succeeded", "failed")}

    def _artifacts(self, build_id: str) -> list[dict[str, Any]]:
        rows = _brought(self._rest.get(f"/api/builds/{build_id}/artifacts")["items"])
        for row in rows:
            content = self._rest.read(f"/api/artifacts/{row['id']}/download")
            row["downloaded"] = hashlib.sha256(content).hexdigest()
        return list(rows)

    def _all_brought(self) -> bool:
        rest = self.arena.rest()
        return all(
            [row["state"] for row in _brought(rest.get(f"/api/builds/{build_id}/artifacts")["items"])] == ["verified"]
            for build_id in self.expected.products
        )

    def _all_counted(self) -> bool:
        totals = self._totals()
        return totals["succeeded"] + totals["failed"] == len(self._builds)

    def _mails(self) -> Counter[tuple[str, str]]:
        counts: Counter[tuple[str, str]] = Counter()
        for mail in list(self.arena.mails.mails):
            recipient = mail["personalizations"][0]["to"][0]["email"]
            if recipient == f"{self.project}@example.com":
                counts[self.project, "fixed" if "fixed" in mail["subject"].lower() else "broken"] += 1
        return counts

    def _doubtful(self) -> Counter[tuple[str, str]]:
        rows = self.arena.rest().items(f"/api/notifications?project={self.project}")
        return Counter((self.project, row["rule"]) for row in rows if row["state"] in ("sending", "unknown"))

    def _all_mailed(self) -> bool:
        mails, doubtful = self._mails(), self._doubtful()
        return all(mails[kind] + doubtful[kind] >= count for kind, count in self.expected.mails.items())

    def _parked(self) -> list[bytes]:
        if self.arena.broker is None:
            return []
        bodies = asyncio.run(asyncio.wait_for(_read_parking(self.arena.broker.url), BROKER_SECONDS))
        own = [f'"{self.project}"'.encode(), *(build_id.encode() for build_id in self._builds)]
        return [body for body in bodies if body in self.expected.poison or any(word in body for word in own)]

    # --- harsh agents and viewers

    def _harsh(self, number: int) -> HarshAgent:
        build = Build(self.seed, number, self._lines)
        build_id = new_build_id(int(time.time() * 1000))
        self._builds[build_id] = (self.project, build)
        return HarshAgent(
            self.arena.agent_gateways,
            key=self.arena.key,
            build_id=build_id,
            project=self.project,
            build=build,
            seconds=self._seconds,
        )

    def _watch(self, build_id: str, lines: int) -> None:
        """Two viewers: one stays, on one gateway; one comes and goes, on the other."""
        gateways = self.arena.gateways
        for name, gateway, leaves in (("stays", 0, None), ("comes and goes", -1, max(5, lines // 10))):
            url = gateways[gateway].replace("http", "ws", 1)
            viewer = Viewer(self.arena.rest(gateway), url, build_id, f"viewer of {build_id} that {name}", leaves)
            self._viewers.append(viewer)
            self._spawn(viewer.follow())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop)

    def _all_shown(self) -> bool:
        return all(viewer.is_done for viewer in self._viewers)

    def _short_viewers(self) -> list[str]:
        return [viewer.transcript.name for viewer in self._viewers if not viewer.is_done]


async def _end_tasks() -> None:
    """Cancel everything else in this loop, and wait for its end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _publish(url: str, key: str, body: bytes) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange("builds", ensure=False)
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await exchange.publish(message, key)


async def _read_parking(url: str) -> list[bytes]:
    """All bodies that are set aside, for good or until they replay themselves; closing the channel puts them back."""
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        bodies: list[bytes] = []
        for name in ("parking", "ingest.returned", "history.returned", "notifier.returned", "artifacts.returned"):
            queue = await channel.get_queue(name, ensure=False)
            while (message := await queue.get(fail=False)) is not None:
                bodies.append(message.body)
        return bodies


Step = Callable[[Bout], None]


def _brought(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the agent brought: the log's archive comes from ingest, when it likes."""
    return [row for row in rows if row["name"] != "build.log.zst"]
