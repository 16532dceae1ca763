"""Context: what other services know of a broken build: whose the failure is, how to see it again, what was kept."""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from build_chassis.auth import Principal
from build_chassis.service_client import JsonClient, ServiceRefused, ServiceUnavailable
from build_protocol.incidents import Evidence
from build_protocol.model import WireModel
from build_protocol.repro import repro_lines
from pydantic import Field
from typing_extensions import override

from build_notifier.messages.text import one_line

ARTIFACTS_SHOWN = 5
LOG_ARCHIVE = "build.log.zst"
"""What ingest keeps of every build: the log, to which the message leads anyway."""


class BuildContext(WireModel):
    """What a message says of its build beside the log; what nobody knows is absent."""

    verdict: str | None = None
    verdict_evidence: list[str] = Field(default_factory=list, description="Sentences that say why it is so.")
    repro: list[str] = Field(default_factory=list, description="Commands that show the failure again.")
    artifacts: list[str] = Field(default_factory=list, description="Names of files that the build left.")


class Contexts(Protocol):
    """Where contexts come from."""

    async def of(self, evidence: Evidence, project: str) -> BuildContext:
        """What is known now; a service that does not answer leaves its part out."""
        ...


class ServiceContexts(Contexts):
    """Contexts read from ingest and history, where there are such."""

    def __init__(self, peers: Mapping[str, JsonClient]) -> None:
        self._peers = peers

    @override
    async def of(self, evidence: Evidence, project: str) -> BuildContext:
        build = await self._ask("ingest", f"/api/builds/{evidence.build_id}", project)
        judged = await self._ask("history", f"/api/history/verdicts/{evidence.build_id}", project)
        kept = await self._ask("artifacts", f"/api/builds/{evidence.build_id}/artifacts", project)
        first: Mapping[str, Any] = next(iter(judged.get("items", ())), {})
        failure = evidence.failure
        repro = repro_lines(
            commit=evidence.commit,
            has_submodules=bool(build.get("submodules")),
            cwd=build.get("cwd"),
            command=build.get("command") or [],
            failed_command=failure.command if failure else None,
        )
        return BuildContext(
            verdict=first.get("verdict"),
            verdict_evidence=[one_line(sentence, 300) for sentence in first.get("evidence", ())],
            repro=[one_line(line, 2000) for line in repro] if build else [],
            artifacts=[
                one_line(each["name"], 120)
                for each in kept.get("items", ())
                if each["state"] == "verified" and each["name"] != LOG_ARCHIVE
            ][:ARTIFACTS_SHOWN],
        )

    async def _ask(self, service: str, path: str, project: str) -> Mapping[str, Any]:
        """The answer; nothing where there is no such service, or it does not answer: a message waits for none."""
        peer = self._peers.get(service)
        if peer is None:
            return {}
        try:
            answer = await peer.get_json(path, Principal("notifier", "viewer", frozenset({project}), kind="service"))
        except (ServiceRefused, ServiceUnavailable, json.JSONDecodeError):
            return {}
        return answer if isinstance(answer, dict) else {}
