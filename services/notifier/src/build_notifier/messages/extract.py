"""Extracts: the lines of a build's log around its first real error, read from ingest."""

import json
from typing import Protocol

from build_chassis.auth import Principal
from build_chassis.service_client import JsonClient, ServiceRefused, ServiceUnavailable
from build_protocol.incidents import Evidence
from typing_extensions import override

from build_notifier.messages.message import LogLine
from build_notifier.messages.text import clean

LINES = 10
LINES_BEFORE = 4
LINE_CHARACTERS = 300


class NoExtract(Exception):
    """The log cannot be read: `permanent` when asking again is pointless."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


class Extracts(Protocol):
    """Where extracts come from."""

    async def around(self, evidence: Evidence, project: str) -> list[LogLine]:
        """The lines around the build's first error, or its last ones; raises NoExtract."""
        ...


class ServiceExtracts(Extracts):
    """Extracts read from the ingest service, where there is one."""

    def __init__(self, ingest: JsonClient | None) -> None:
        self._ingest = ingest

    @override
    async def around(self, evidence: Evidence, project: str) -> list[LogLine]:
        if self._ingest is None:
            raise NoExtract("no address of ingest is set", permanent=True)
        hit = evidence.failure.first_line if evidence.failure else 0
        # Of a log in which nothing was found the end shows most.
        first = max(1, hit - LINES_BEFORE) if hit else max(1, evidence.log_lines - LINES + 1)
        asker = Principal("notifier", "viewer", frozenset({project}), kind="service")
        try:
            page = await self._ingest.get_json(
                f"/api/builds/{evidence.build_id}/logs?first={first}&count={LINES}", asker
            )
        except ServiceRefused as error:
            raise NoExtract("the log is not kept any more", permanent=error.status in (404, 410)) from error
        except (ServiceUnavailable, json.JSONDecodeError) as error:
            raise NoExtract("the log could not be read", permanent=False) from error
        return [
            LogLine(number=number, text=clean(str(text), LINE_CHARACTERS), is_hit=number == hit)
            for number, text in enumerate(page["lines"][:LINES], page["first"])
        ]
