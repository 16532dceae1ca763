"""Context: what other services know of a broken build: whose the failure is, how to see it again, what was kept."""

import json
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

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

    async def judged(self, evidence: Evidence, project: str, branch: str | None, *, is_premerge: bool) -> BuildContext:
        """Whose the build's failure is, as of now; no verdict where nobody judged it yet.

        Args:
            evidence: The build.
            project: Its project.
            branch: Its branch.
            is_premerge: History keeps nothing of it: it is judged by what it shows.
        """
        ...


class ServiceContexts(Contexts):
    """Contexts read from ingest and history, where there are such."""

    def __init__(self, peers: Mapping[str, JsonClient]) -> None:
        self._peers = peers

    @override
    async def of(self, evidence: Evidence, project: str) -> BuildContext:
        build = await self._ask("ingest", f"/api/builds/{evidence.build_id}", project)
        judged = await self.judged(evidence, project, None, is_premerge=False)
        kept = await self._ask("artifacts", f"/api/builds/{evidence.build_id}/artifacts", project)
        failure = evidence.failure
        repro = repro_lines(
            commit=evidence.commit,
            has_submodules=bool(build.get("submodules")),
            cwd=build.get("cwd"),
            command=build.get("command") or [],
            failed_command=failure.command if failure else None,
        )
        return BuildContext(
            verdict=judged.verdict,
            verdict_evidence=judged.verdict_evidence,
            repro=[one_line(line, 2000) for line in repro] if build else [],
            artifacts=[
                one_line(each["name"], 120)
                for each in kept.get("items", ())
                if each["state"] == "verified" and each["name"] != LOG_ARCHIVE
            ][:ARTIFACTS_SHOWN],
        )

    @override
    async def judged(self, evidence: Evidence, project: str, branch: str | None, *, is_premerge: bool) -> BuildContext:
        failure = evidence.failure
        if is_premerge:
            asked = {
                "project": project,
                "branch": branch,
                "config": evidence.config,
                "commit": evidence.commit,
                "buildId": evidence.build_id,
                "signature": failure.signature if failure else None,
                "category": failure.category if failure else None,
                "fault": failure.fault if failure else None,
            }
            query = urlencode({name: value for name, value in asked.items() if value})
            first = await self._ask("history", f"/api/history/verdict?{query}", project)
        else:
            all_of_it = await self._ask("history", f"/api/history/verdicts/{evidence.build_id}", project)
            first = next(iter(all_of_it.get("items", ())), {})
        sentences = [one_line(sentence, 300) for sentence in first.get("evidence", ())]
        return BuildContext(verdict=first.get("verdict"), verdict_evidence=sentences)

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
