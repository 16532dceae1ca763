"""The MCP server: what the dashboard knows, as read-only tools for a model. It speaks on standard input and output.

Every answer is bounded, and nothing here changes anything: no tool cancels, triggers or mutes.
"""

from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from build_dashboard import __version__
from build_dashboard.cli.client import Client, DashboardError
from build_dashboard.cli.lookup import find_build, find_named
from build_dashboard.cli.reading_commands import why_text
from build_dashboard.cli.wording import first_error, moment, printable, titled

TOKENS = 2000
LINES_MAX = 500
LINE_CHARACTERS = 500
LISTED_MAX = 100

Name = Annotated[str, Field(description="A build's id or its last 8 digits, or a commit's sha or its beginning.")]
BuildName = Annotated[str, Field(description="A build's id, or its last 8 digits.")]
Project = Annotated[str | None, Field(description="Only this project.")]
Listed = Annotated[int, Field(ge=1, le=LISTED_MAX, description="At most so many.")]
Lines = Annotated[int, Field(ge=1, le=LINES_MAX, description="At most so many lines.")]


class Tools:
    """The tools, by one person's session."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list_builds(
        self,
        project: Project = None,
        status: Annotated[
            str | None,
            Field(description="queued, running, succeeded, failed, cancelled, timed_out or lost."),
        ] = None,
        commit: Annotated[str | None, Field(description="Only of this commit, or of those that begin so.")] = None,
        limit: Listed = 20,
    ) -> str:
        """The newest builds, a line each: project, config, id, status, commit, start and first error."""
        found = self._client.builds(limit, project=project, status=status, commit=commit)
        return "\n".join(_build_line(build) for build in found) or "no builds"

    def why(
        self, name: Name, max_tokens: Annotated[int, Field(ge=100, le=20_000, description="A bound.")] = TOKENS
    ) -> str:
        """Why a build or commit is red: verdict, first error in its context, how to reproduce it, suspect commits."""
        return why_text(self._client, find_named(self._client, name), max_tokens)

    def read_log(
        self,
        build: BuildName,
        first: Annotated[int, Field(ge=1, description="The first line, from 1.")] = 1,
        count: Lines = 100,
    ) -> str:
        """Lines of a build's log, each with its number."""
        build_id = find_build(self._client, build)["id"]
        page = self._client.get(f"/api/builds/{build_id}/logs", first=first, count=count, format="json")
        shown = (f"{number}: {_line(text)}" for number, text in enumerate(page["lines"], page["first"]))
        return "\n".join([*shown, f"(the log has {page['total']} lines)"])

    def search_log(
        self,
        build: BuildName,
        pattern: Annotated[str, Field(min_length=1, max_length=1000, description="A regular expression (RE2).")],
        count: Lines = 50,
    ) -> str:
        """Lines of a build's log that match a regular expression, in any case, each with its number."""
        build_id = find_build(self._client, build)["id"]
        found = self._client.get(f"/api/builds/{build_id}/logs", q=pattern, regex=True, count=count, format="json")
        shown = (f"{hit['line']}: {_line(hit['text'])}" for hit in found["hits"])
        exactly = "" if found["totalIsExact"] else "at least "
        return "\n".join([*shown, f"({exactly}{found['totalHits']} lines match)"])

    def list_incidents(
        self,
        project: Project = None,
        state: Annotated[str | None, Field(description="open or closed.")] = "open",
        limit: Listed = 20,
    ) -> str:
        """What is broken on each branch: since when, on which configs, by which error, with how many suspects."""
        found = self._client.get("/api/incidents", project=project, state=state, limit=limit)["items"]
        return "\n".join(_incident_line(incident) for incident in found) or "no incidents"

    def list_pins(self) -> str:
        """At which commit of each upstream (LLVM, ...) each project is, and how its newest build there went."""
        matrices = self._client.get("/api/pins")["items"]
        lines = [_pin_line(matrix["name"], line) for matrix in matrices for line in matrix["downstreams"]]
        return "\n".join(lines) or "no pins"


def server(client: Client) -> MCPServer[Any]:
    """The server with its tools."""
    made: MCPServer[Any] = MCPServer(
        "build-dashboard",
        version=__version__,
        instructions="Builds of ML compilers: ask `why` first, it has the error, its context and the suspects.",
    )
    tools = Tools(client)
    for tool in (
        tools.why,
        tools.list_builds,
        tools.list_incidents,
        tools.read_log,
        tools.search_log,
        tools.list_pins,
    ):
        made.tool(annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))(_answering(tool))
    return made


def serve() -> None:
    """Serve until standard input ends."""
    server(Client()).run("stdio")


def _answering(tool: Callable[..., str]) -> Callable[..., str]:
    """The tool; what the dashboard refuses is the tool's error, in its words."""

    @wraps(tool)
    def answer(*arguments: Any, **named: Any) -> str:
        try:
            return tool(*arguments, **named)
        except DashboardError as error:
            raise ToolError(str(error)) from error

    return answer


def _line(text: str) -> str:
    return printable(text)[:LINE_CHARACTERS]


def _build_line(build: dict[str, Any]) -> str:
    parts = [titled(build), build["status"], (build.get("commit") or "")[:12], moment(build.get("startedAt"))]
    return " ".join(part for part in (*parts, _line(first_error(build))) if part)


def _incident_line(incident: dict[str, Any]) -> str:
    failure = incident.get("failure") or {}
    suspects = incident.get("suspects")
    parts = [
        incident["id"],
        f"{incident['project']} {incident.get('branch') or '-'} on {', '.join(incident['configs'])}",
        f"{incident['state']} since {moment(incident['openedAt'])}",
        f"first in build {incident['openedBy']}",
        f"{len(suspects)} suspects" if suspects is not None else "suspects unknown",
        _line(" ".join(str(failure.get("message") or "").split())),
    ]
    return "; ".join(part for part in parts if part)


def _pin_line(upstream: str, downstream: dict[str, Any]) -> str:
    age = downstream.get("ageDays")
    parts = [
        f"{downstream['project']} {downstream['branch']}: {upstream} at {downstream['pin']['commit']}",
        f"{age:.0f} days old" if age is not None else "of unknown age",
        "green" if downstream["isGreen"] else "red",
    ]
    if between := downstream.get("suspectRange"):
        parts.append(f"broken by a commit after {between['green'][:12]} up to {between['red'][:12]}")
    return ", ".join(parts)
