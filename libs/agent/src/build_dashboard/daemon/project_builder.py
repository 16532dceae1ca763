"""Builds one project, one build at a time, when its branch moves and when people trigger it."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from build_protocol.project_config import Project

from build_dashboard.builds.building import Plan, build
from build_dashboard.builds.handlers import Handlers
from build_dashboard.daemon.checkout import Checkout, CheckoutError
from build_dashboard.daemon.memory import Attempt, Memory, started_since
from build_dashboard.daemon.setback import Setback
from build_dashboard.daemon.trigger import Trigger, TriggerRefused
from build_dashboard.delivery.delivery import Delivery

logger = logging.getLogger("build_dashboard")

SUPERSEDED = "cancelled_superseded"
DRAINED_SECONDS = 0.2

Started = Callable[[str, str | None], None]
"""Called when a build was started, with its id and the id of the command that asked for it."""


class ProjectBuilder:
    """Keeps one project built."""

    def __init__(
        self,
        name: str,
        project: Project,
        spool: Path,
        delivery: Delivery,
        *,
        handlers: Handlers,
        stop: threading.Event,
    ) -> None:
        self.has_failed = False
        self.built: list[str] = []
        self._name = name
        self._project = project
        self._spool = spool
        self._delivery = delivery
        self._handlers = handlers
        self._stop = stop
        self._checkout = Checkout(project.repo_url or "", Path(project.build_dir or f"./{name}-build").resolve())
        self._memory = Memory(spool.parent / "projects" / f"{name}.json")
        self._triggers: queue.Queue[Trigger] = queue.Queue()
        self._setback: Setback | None = None

    def recall(self) -> None:
        """Go on where a killed daemon stopped: before its builds are delivered and gone from the spool."""
        attempt = self._memory.attempt
        if attempt is not None:
            build_id = started_since(self._spool, self._name, attempt.begun_at)
            if build_id is None:
                self._memory.forget_attempt()
            else:
                self._memory.begun()
                if attempt.command_id is not None:
                    self._delivery.answer(attempt.command_id, "done", build_id)
        for trigger in self._memory.pending:
            self._triggers.put(trigger)

    def run(self, once: bool) -> None:
        """Look for something new to build, until stopped."""
        while not self._stop.is_set():
            self.look()
            if once and self._memory.is_drained:
                return
            try:
                self._triggered(self._triggers.get(timeout=0 if once else self._patience_seconds()))
            except queue.Empty:
                if once:
                    return

    def look(self) -> bool:
        """Build the branch where it moved; True when something was built."""
        count = len(self.built)
        try:
            branch, head = self._checkout.head(self._project.branch)
            for commit in self._unbuilt(head):
                if self._memory.is_drained or self._stop.is_set():
                    break
                self._build(branch, commit)
        except (CheckoutError, OSError) as error:
            self._set_back(error)
        else:
            self._recovered()
        return len(self.built) > count

    def trigger(self, command_id: str, args: Mapping[str, Any]) -> tuple[str, str | None]:
        """Take an order to build; state and detail of its acknowledgement."""
        if self._memory.is_drained:
            return "rejected", "this agent is drained"
        try:
            trigger = Trigger.asked(command_id, args, self._project)
        except TriggerRefused as refusal:
            return "rejected", str(refusal)
        try:
            is_new = self._memory.take(trigger)
        except OSError as error:
            return "rejected", f"this agent cannot keep the order: {error}"
        if is_new:
            self._triggers.put(trigger)
        return "accepted", None

    def drain(self, is_drained: bool) -> None:
        """Start no more builds (those that run go on), or start them again."""
        self._memory.drain(is_drained)

    def _unbuilt(self, head: str) -> list[str]:
        built = self._memory.built_commit
        if head == built:
            return []
        # What was passed over while a build ran is superseded, unless every commit is wanted.
        return self._checkout.since(built, head) if self._project.every_commit and built else [head]

    def _triggered(self, trigger: Trigger) -> None:
        while self._memory.is_drained and not self._stop.wait(DRAINED_SECONDS):
            pass  # an order taken before the drain is followed after it
        if self._stop.is_set():
            return  # the next daemon remembers it
        try:
            branch = trigger.branch or self._project.branch
            commit = trigger.commit
            if commit is None:
                branch, commit = self._checkout.head(branch)
            self._build(branch, commit, trigger)
        except (CheckoutError, OSError) as error:
            self.has_failed = True
            logger.error("cannot follow the trigger %s of %s: %s", trigger.command_id, self._name, error)
            self._memory.drop(trigger.command_id)
            self._delivery.answer(trigger.command_id, "rejected", None, str(error)[:1000])

    def _build(self, branch: str | None, commit: str, trigger: Trigger | None = None) -> None:
        config = trigger.config if trigger else "default"
        script = self._project.build_command or ""
        with self._checkout.reserved():
            commit = self._checkout.move_to(
                commit, clean=self._project.clean or (trigger is not None and trigger.clean)
            )
            plan = Plan(
                self._name,
                ["sh", "-ec", script],
                str(self._checkout.working_directory(script)),
                branch=branch,
                commit=commit,
                config=config,
                environment={"BUILD_DASHBOARD_CONFIG_NAME": config, **(trigger.parameters if trigger else {})},
            )
            command_id = trigger.command_id if trigger else None
            self._memory.begin(Attempt(commit, time.time_ns() // 1_000_000, command_id))
            with self._watched(branch, commit, is_watched=trigger is None) as started:
                result = build(
                    plan, self._spool, self._delivery, lambda build_id: started(build_id, command_id), self._handlers
                )
        self.built.append(result.build_id)
        self._handlers.call("complete", result.build_id, result.status)
        logger.info("built %s of %s: %s, build_id %s", commit[:12], self._name, result.status, result.build_id)

    @contextmanager
    def _watched(self, branch: str | None, commit: str, *, is_watched: bool) -> Iterator[Started]:
        """End the build that runs meanwhile when its branch moves on, if config.yaml says so."""
        is_over = threading.Event()

        def watch(build_id: str) -> None:
            while not is_over.wait(self._project.poll_seconds) and not self._stop.is_set():
                try:
                    _, head = self._checkout.head(branch)
                except CheckoutError as error:
                    logger.warning("cannot tell whether %s is superseded: %s", build_id, error)
                    continue
                if head != commit:
                    logger.info("%s supersedes build_id %s", head[:12], build_id)
                    self._delivery.stop(build_id, SUPERSEDED)
                    return

        def started(build_id: str, command_id: str | None) -> None:
            self._memory.begun()
            if command_id is not None:
                self._delivery.answer(command_id, "done", build_id)
            if is_watched and self._project.cancel_superseded:
                threading.Thread(target=watch, args=(build_id,), daemon=True).start()
            self._handlers.call("start", build_id)

        try:
            yield started
        finally:
            is_over.set()

    def _patience_seconds(self) -> int:
        poll_seconds = self._project.poll_seconds
        return self._setback.wait_seconds(poll_seconds) if self._setback else poll_seconds

    def _set_back(self, error: Exception) -> None:
        """Try again later and later, and say so where people look."""
        self.has_failed = True
        before, reason = self._setback, str(error)
        self._setback = before.again(reason) if before else Setback(reason, time.time_ns() // 1_000_000)
        logger.error("cannot build %s, next try in %d s: %s", self._name, self._patience_seconds(), reason)
        self._delivery.report_unbuildable(self._name, self._setback.to_wire(self._name, self._project.poll_seconds))

    def _recovered(self) -> None:
        if self._setback is not None:
            self._setback = None
            logger.info("%s can be built again", self._name)
            self._delivery.report_unbuildable(self._name, None)
