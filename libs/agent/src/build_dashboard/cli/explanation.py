"""Explanations: why a build is red, in one bounded answer for a person, a program or a model.

The parts stand in the order of their worth; what does not fit is left out from the least of them on, and counted.
"""

from collections.abc import Sequence
from typing import Any

from build_protocol.ids import short_id
from build_protocol.messages import Commit, FailureData
from build_protocol.model import Count, WireModel
from build_protocol.repro import repro_lines
from pydantic import Field

from build_dashboard.cli.client import Client, DashboardError
from build_dashboard.cli.lookup import NOT_FOUND
from build_dashboard.cli.wording import printable

CHARACTERS_PER_TOKEN = 3
"""Of logs and code; tokenizers find more characters in a token than this, so that the answer is never longer."""

LEAST_TOKENS = 100
LINES_BEFORE = 5
LINES_MAX = 40
LINE_CHARACTERS = 400
SUSPECTS_SHOWN = 10
RED = ("failed", "timed_out", "lost")


class LogLine(WireModel):
    """A line of the log."""

    number: Count
    text: str
    is_error: bool = Field(False, description="The line that says what went wrong.")


class Explanation(WireModel):
    """Why one build is red; what is not known is absent, and named in `unknown`."""

    build_id: str
    project: str
    branch: str | None = None
    config: str
    status: str
    exit_code: int | None = None
    commit: str | None = None
    url: str = Field(description="The build's page, at the line of the error where one is known.")
    error: str | None = Field(None, description="What broke, in words.")
    failure: FailureData | None = Field(None, description="The first error as analysis found it in the log.")
    failure_count: Count = 0
    verdict: str | None = Field(None, description="Whose it is: new, already_red, flaky, infra or unknown.")
    evidence: list[str] = Field(default_factory=list, description="Sentences that say why the verdict is so.")
    log: list[LogLine] = Field(default_factory=list, description="The lines around the error.")
    repro: list[str] = Field(default_factory=list, description="Commands that show it again, in their order.")
    suspects: list[Commit] | None = Field(None, description="Commits any of which may be to blame; absent = unknown.")
    incident: str | None = Field(None, description="The incident it belongs to.")
    unknown: list[str] = Field(default_factory=list, description="What this answer does not know, in sentences.")


def explain(client: Client, build_id: str) -> Explanation:
    """Ask the dashboard everything that explains a build."""
    build = client.get(f"/api/builds/{build_id}")
    found = client.get(f"/api/builds/{build_id}/failures")
    failure = build.get("firstFailure") or next(iter(found["items"]), None)
    judged = _judged(client, build_id)
    incident = _incident(client, build, failure) if judged is not None else None
    unknown = []
    if build["status"] in RED:
        if failure is None:
            unknown.append(
                "the error itself: "
                + ("analysis found none in the log" if found.get("analysed") else "the log is not read to its end yet")
            )
        if judged is None:
            unknown.append("whose failure it is: history keeps ended builds of origin ci only")
        if not (incident or {}).get("suspects"):
            unknown.append("the suspect commits: no range since the last green build is known")
    line = failure["firstLine"] if failure else None
    return Explanation.model_validate(
        {
            **{name: build.get(name) for name in ("project", "branch", "config", "status", "exitCode", "commit")},
            "buildId": build["id"],
            "url": f"{client.url}/builds/{build['id']}" + (f"#L{line}" if line else ""),
            "error": " ".join(failure["message"].split()) if failure else build.get("error"),
            "failure": failure,
            "failureCount": len(found["items"]),
            "verdict": judged and judged["verdict"],
            "evidence": judged["evidence"] if judged else [],
            "log": _lines(client, build, failure),
            "repro": _repro(build, failure),
            "suspects": (incident or {}).get("suspects"),
            "incident": (incident or {}).get("id"),
            "unknown": unknown,
        }
    )


def text_of(found: Explanation, max_tokens: int | None = None) -> str:
    """The explanation as text, of at most so many tokens; what was left out is named last."""
    room = None if max_tokens is None else max_tokens * CHARACTERS_PER_TOKEN
    lines, suspects = list(found.log), list((found.suspects or [])[:SUSPECTS_SHOWN])
    left = 0
    while True:
        text = _whole(found, lines, suspects, left=left)
        if room is None or len(text) <= room:
            return text
        # Of the log the lines farthest from the error go first, then commits, the least suspect first.
        if len(lines) > 1:
            hit = next((at for at, line in enumerate(lines) if line.is_error), 0)
            lines.pop(0 if hit > len(lines) - 1 - hit else -1)
        elif suspects:
            suspects.pop()
        elif lines:
            lines.pop()
        else:
            end = f"\n... cut to {max_tokens} tokens: {found.url}"
            return text[: max(0, room - len(end))] + end
        left += 1


def _whole(found: Explanation, lines: Sequence[LogLine], suspects: Sequence[Commit], *, left: int) -> str:
    where = " ".join((found.project, found.branch or "-", found.config, short_id(found.build_id)))
    at_commit = f" at {found.commit[:12]}" if found.commit else ""
    ended = f" with exit code {found.exit_code}" if found.exit_code is not None else ""
    parts = [f"{found.error or 'no error is known'}\n{where}: {found.status.replace('_', ' ')}{ended}{at_commit}"]
    if found.failure and found.failure.file:
        position = (found.failure.file, found.failure.line, found.failure.col)
        parts[0] += "\n" + ":".join(str(part) for part in position if part is not None)
    if found.verdict:
        because = " ".join(found.evidence)
        parts.append(f"verdict: {found.verdict.replace('_', ' ')}" + (f": {because}" if because else ""))
    if lines:
        digits = len(str(lines[-1].number))
        shown = (f"{'>' if line.is_error else ' '} {line.number:{digits}} {line.text}".rstrip() for line in lines)
        parts.append("\n".join(shown))
    if found.failure_count > 1:
        parts.append(f"and {found.failure_count - 1} more: build-dashboard logs --failed {short_id(found.build_id)}")
    if found.repro:
        parts.append("to see it again:\n" + "\n".join(f"  {line}" for line in found.repro))
    if found.suspects:
        all_suspects = len(found.suspects)
        parts.append(f"suspects ({all_suspects}):")
        parts[-1] += "".join(
            f"\n  {commit.sha[:12]} {commit.author or '?'}: {commit.subject or ''}".rstrip() for commit in suspects
        )
        if len(suspects) < all_suspects:
            parts[-1] += f"\n  and {all_suspects - len(suspects)} more"
    parts += [f"not known: {sentence}" for sentence in found.unknown]
    parts.append(found.url + ("\n(shortened)" if left else ""))
    return printable("\n\n".join(parts))


def failed_lines(client: Client, build: dict[str, Any]) -> list[list[LogLine]]:
    """The lines around every failure of a build, each block once."""
    blocks: list[list[LogLine]] = []
    shown: set[int] = set()
    for failure in client.get(f"/api/builds/{build['id']}/failures")["items"]:
        if failure["firstLine"] not in shown:
            blocks.append(_lines(client, build, failure))
            shown |= {line.number for line in blocks[-1]}
    return blocks


def _lines(client: Client, build: dict[str, Any], failure: dict[str, Any] | None) -> list[LogLine]:
    """The block of the failure and the lines before it; of a red build without one the log's last lines."""
    hit = failure["firstLine"] if failure else 0
    total = build.get("logLines") or 0
    if not hit and (build["status"] not in RED or not total):
        return []
    first = max(1, hit - LINES_BEFORE) if hit else max(1, total - LINES_MAX // 2 + 1)
    last = max(hit + 2, (failure or {}).get("lastLine") or 0) if hit else total
    count = min(last - first + 1, LINES_MAX)
    page = client.get(f"/api/builds/{build['id']}/logs", first=first, count=count, format="json")
    return [
        LogLine(number=number, text=printable(text)[:LINE_CHARACTERS], is_error=number == hit)
        for number, text in enumerate(page["lines"], page["first"])
    ]


def _repro(build: dict[str, Any], failure: dict[str, Any] | None) -> list[str]:
    if build["status"] not in RED:
        return []
    return repro_lines(
        commit=build.get("commit"),
        has_submodules=bool(build.get("submodules")),
        cwd=build.get("cwd"),
        command=build.get("command") or [],
        failed_command=(failure or {}).get("command"),
    )


def _judged(client: Client, build_id: str) -> dict[str, Any] | None:
    """The verdict of its first failure; None where history does not know the build."""
    try:
        items = client.get(f"/api/history/verdicts/{build_id}")["items"]
    except DashboardError as error:
        if error.status != NOT_FOUND:
            raise
        return None
    return next(iter(items), None)


def _incident(client: Client, build: dict[str, Any], failure: dict[str, Any] | None) -> dict[str, Any] | None:
    """The newest incident of its branch that its config is in, with its signature where one is known."""
    asked = {"project": build["project"], "branch": build.get("branch") or "", "withStaging": True, "limit": 100}
    signature = (failure or {}).get("signature") or "unclassified"
    for incident in client.get("/api/incidents", **asked)["items"]:
        if build["config"] in incident["configs"] and signature in incident["signatures"]:
            found: dict[str, Any] = incident
            return found
    return None
