"""What the gateway asks history for its agents: the last green commit of a config."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from build_chassis.questions import ask
from build_chassis.service_client import JsonClient
from build_protocol.frames import HelloBuild, LastGreen, LastGreenQuery

from build_gateway.ingest_view import GATEWAY

LAST_GREENS = 20


@dataclass(frozen=True, slots=True)
class HistoryView:
    """Small questions to history, each answered within a second or not at all."""

    client: JsonClient | None

    async def last_green(self, builds: Iterable[HelloBuild | LastGreenQuery]) -> list[LastGreen]:
        """The last green commits of these builds' configs, as far as history answers in time."""
        wanted = list(dict.fromkeys((build.project, build.branch, build.config or "default") for build in builds))
        wanted = wanted[:LAST_GREENS]
        if not wanted:
            return []
        questions = [
            f"/internal/last-green?{urlencode({'project': project, 'branch': branch or '', 'config': config})}"
            for project, branch, config in wanted
        ]
        answers = await ask(self.client, GATEWAY, questions) or []
        return [
            LastGreen(project=project, branch=branch, config=config, commit=answer["commit"])
            for (project, branch, config), answer in zip(wanted, answers, strict=False)
            if answer and answer.get("commit")
        ]
