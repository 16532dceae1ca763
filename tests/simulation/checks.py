"""The promises, asked of the world: some all along, all of them at the end."""

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from email import message_from_bytes
from typing import Any

from simulation import files
from simulation.agent import Build
from simulation.oracle import Truth, Went, truth_of
from simulation.world import World

LOOK_SECONDS = 5.0
TASKS_PER_PROCESS = 600
"""More tasks than these in one process are a leak: what runs side by side is bounded everywhere."""

COMMAND_SECONDS = 3600.0 + 120.0


class Watch:
    """What holds at every moment."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stored: dict[str, int] = {}

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Compare what was reported to agents, and what was stored before, with what is stored."""
        stored = dict(self._stored_records())
        for build_id, upto in self._stored.items():
            if stored.get(build_id, -1) < upto:
                self._world.violated(f"build {build_id}: {upto} records were stored, now {stored.get(build_id)}")
        self._stored |= stored
        for agent in self._world.agents.values():
            for build_id, acked in agent.acknowledged().items():
                if acked > stored.get(build_id, 0):
                    self._world.violated(
                        f"build {build_id}: {acked} records are reported stored, {stored.get(build_id, 0)} are"
                    )
        for post in self._world.posts.values():
            if post.process is not None and post.process.is_alive:
                running = sum(not task.done() for task in post.process.tasks)
                if running > TASKS_PER_PROCESS:
                    self._world.violated(f"{post.name} has {running} tasks")

    def _stored_records(self) -> Iterator[tuple[str, int]]:
        path = self._world.root / ("system" if self._world.embedded else "ingest-db") / "ingest.sqlite"
        if not path.exists():
            return
        connection = files.connect_beside(path)
        try:
            for build_id, view in connection.execute("select id, view from builds"):
                yield build_id, json.loads(view).get("asOfSeq", 0)
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
        finally:
            connection.close()


def went(world: World) -> list[Went]:
    """All builds as they went."""
    return [
        Went(
            build.plan.name,
            (build.plan.project, build.plan.branch, build.plan.config),
            build.began_at,
            "unknown" if build.is_cut_off else build.status,
            is_certain=not (build.is_cut_off or build.is_displaced),
            build_id=build.build_id,
            failure=build.plan.signature,
        )
        for build in builds_of(world)
    ]


def builds_of(world: World) -> list[Build]:
    """All builds that began."""
    return [build for agent in world.agents.values() for build in agent.builds.values()]


class Verdict:
    """Compares a world that came to rest with the truth."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._truth: Truth = truth_of(went(world))

    async def judge(self) -> None:
        """Note everything that is not as it was promised."""
        for agent in self._world.agents.values():
            for build in agent.undelivered:
                self._wrong(f"{build.plan.name} ({build.build_id}) was never delivered: {agent.problems()}")
        await self._builds()
        await self._colours()
        await self._incidents()
        await self._mails()
        await self._commands()
        await self._parked()

    async def _builds(self) -> None:
        rows = await self._pages("ingest", "/api/builds?limit=200")
        seen = Counter(row["id"] for row in rows)
        for build_id, count in seen.items():
            if count > 1:
                self._wrong(f"build {build_id} is listed {count} times")
        ours = {build.build_id: build for build in builds_of(self._world)}
        for build_id in seen.keys() - ours.keys():
            self._wrong(f"build {build_id} is listed, and nobody began it")
        for row in rows:
            if row["id"] in ours:
                await self._build(ours[row["id"]], row)
        for build in ours.values():
            if build.build_id not in seen:
                self._wrong(f"{build.plan.name} ({build.build_id}) is not listed")

    async def _build(self, build: Build, row: dict[str, Any]) -> None:
        name = f"{build.plan.name} ({build.build_id})"
        if build.is_cut_off:
            if row["status"] not in ("failed", "succeeded", "cancelled"):
                self._wrong(f"{name} is {row['status']} though its agent is back")
        elif row["status"] != build.status:
            self._wrong(f"{name} is shown as {row['status']}, and {build.status}")
        elif row.get("exitCode") != build.exit_code:
            self._wrong(f"{name} is shown with exit code {row.get('exitCode')}, it was {build.exit_code}")
        page = await self._world.ask("ingest", f"/api/builds/{build.build_id}/logs?first=1&count=10000")
        stored, printed = page["lines"], build.printed
        if build.is_squeezed:
            if not _is_part(stored, printed):
                self._wrong(f"{name}: its log has what was never printed")
        elif stored != printed:
            self._wrong(
                f"{name}: {len(printed)} lines were printed, {len(stored)} are stored; {_difference(stored, printed)}"
            )

    async def _colours(self) -> None:
        summary = await self._world.ask("history", "/api/history/summary")
        shown = {(item["project"], item["branch"], item["config"]): item["colour"] for item in summary["items"]}
        for lane, colour in self._truth.colours.items():
            if lane not in self._truth.uncertain and shown.get(lane, "none") != colour:
                self._wrong(f"lane {' '.join(lane)} is shown {shown.get(lane, 'none')}, and is {colour}")

    async def _incidents(self) -> None:
        uncertain = {lane[:2] for lane in self._truth.uncertain}
        self._incidents_shown = []
        for project in sorted({lane[0] for lane in self._truth.colours}):
            self._incidents_shown += await self._pages("history", f"/api/incidents?project={project}&limit=100")
        for branch in sorted({lane[:2] for lane in self._truth.colours}):
            if branch in uncertain:
                continue
            shown = [
                (one["openedBy"], one["state"], one.get("endedAs"), frozenset(one["configs"]))
                for one in self._incidents_shown
                if (one["project"], one["branch"]) == branch and one.get("endedAs") not in ("merged", "withdrawn")
            ]
            true = [
                (
                    one.opened_by.build_id,
                    "open" if one.closed_by is None else "closed",
                    None if one.closed_by is None else "fixed",
                    frozenset(lane[2] for lane in one.lanes),
                )
                for one in self._truth.breaks
                if one.branch == branch
            ]
            if Counter(shown) != Counter(true):
                self._wrong(f"incidents of {' '.join(branch)}: shown {self._named(shown)}, true {self._named(true)}")

    async def _mails(self) -> None:
        rows = await self._pages("notifier", "/api/notifications?limit=200")
        mails = Counter(str(message_from_bytes(data)["Message-ID"]) for _, data in self._world.mail.taken)
        sent: Counter[str] = Counter()
        for row in rows:
            if row["state"] in ("accepted", "delivered"):
                sent[row["providerId"]] += 1
            elif row["state"] == "unknown":
                if not self._world.mail.was_in_doubt:
                    self._wrong(f"mail {row['subject']} is unknown, and nothing happened to it")
            elif row["state"] != "suppressed":
                self._wrong(f"mail {row['subject']} is {row['state']}: {row.get('reason')}")
        for message_id, count in mails.items():
            if count > 1:
                self._wrong(f"mail {message_id} was sent {count} times")
        for message_id in sent:
            if not mails[message_id]:
                self._wrong(f"mail {message_id} is called sent, and the mail server never had it")
        self._notified(rows)

    def _notified(self, rows: Sequence[dict[str, Any]]) -> None:
        """Each opening and each end that is the truth was notified of, once to each recipient."""
        counted: Counter[tuple[str, str, str]] = Counter()
        for row in rows:
            if row["rule"] in ("broken", "fixed"):
                counted[row["incident"], row["rule"], row["recipient"]] += 1
        for (incident, rule, recipient), count in counted.items():
            if count > 1:
                self._wrong(f"{recipient} was notified {count} times that {incident} is {rule}")
        uncertain = {lane[:2] for lane in self._truth.uncertain}
        is_summed_up = any(row["rule"] == "summary" for row in rows)
        for incident in self._incidents_shown:
            branch = (incident["project"], incident["branch"])
            if incident.get("endedAs") in ("merged", "withdrawn") or branch in uncertain or is_summed_up:
                continue
            recipient = f"{incident['project']}@example.com"
            expected = ["broken"] if incident["state"] == "open" else ["broken", "fixed"]
            for rule in expected:
                if not counted[incident["id"], rule, recipient]:
                    self._wrong(f"{recipient} was never notified that {incident['id']} of {' '.join(branch)} is {rule}")

    async def _commands(self) -> None:
        process: Any = self._world.find("gateway")
        store = self._world.app_of("gateway", process).state.dependencies.store
        for row in await process.spawn(store.list_unfinished()):
            if self._world.loop.now > self._world.ordered_at.get(row.id, 0) + COMMAND_SECONDS or row.kind == "cancel":
                self._wrong(f"command {row.kind} {row.build_id} is still {row.state}")

    async def _parked(self) -> None:
        process: Any = self._world.find("gateway")
        bus = self._world.app_of("gateway", process).state.bus
        for parked in await process.spawn(bus.parked()):
            self._wrong(f"parked from {parked.queue}: {parked.message.routing_key}: {parked.reason}")

    async def _pages(self, service: str, path: str) -> list[Any]:
        items: list[Any] = []
        cursor = ""
        while True:
            page = await self._world.ask(service, path + (f"&cursor={cursor}" if cursor else ""))
            items += page["items"]
            cursor = page.get("nextCursor") or ""
            if not cursor:
                return items

    def _named(self, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        names = {build.build_id: build.plan.name for build in builds_of(self._world)}
        return [(names.get(row[0], row[0]), *row[1:3], sorted(row[3])) for row in rows]

    def _wrong(self, what: str) -> None:
        self._world.violated(what)


def is_settled(world: World) -> bool:
    """Whether nothing is left to deliver."""
    return not any(agent.queue or agent.undelivered or agent.running for agent in world.agents.values())


def _is_part(part: Sequence[str], whole: Sequence[str]) -> bool:
    rest = iter(whole)
    return all(line in rest for line in part)


def _difference(stored: Sequence[str], printed: Sequence[str]) -> str:
    for place, (one, other) in enumerate(zip(stored, printed, strict=False), 1):
        if one != other:
            return f"line {place} is {one[:80]!r}, not {other[:80]!r}"
    return f"the first {min(len(stored), len(printed))} are the same"
