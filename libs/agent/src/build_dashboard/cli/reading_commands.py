"""The commands that read: builds, their logs, and what became of a commit. Only `watch` and `logs -f` wait."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from build_dashboard.cli.asked import problems
from build_dashboard.cli.client import Client, DashboardError, patiently
from build_dashboard.cli.lookup import Named, builds_of_commit, checkout_commit, find_build, find_named, read_commit
from build_dashboard.cli.wording import titled
from build_dashboard.duration import read_duration

if TYPE_CHECKING:
    from build_protocol.model import WireModel

    from build_dashboard.cli.commit_state import CommitState

RUNNING = ("queued", "running")
GATE_CODES = {"open": 0, "blocked": 1, "waiting": 2, "unknown": 2}
HINDRANCES = {
    None: "passed",
    "failed": "failed",
    "running": "is being built",
    "not_built": "not built yet",
    "inconclusive": "its build proves nothing",
    "agent_lost": "its agent was lost",
    "overdue": "overdue",
    "never_built": "never built on this branch",
}
FOLLOW_SECONDS = 0.5
WAIT_SECONDS = 5.0
NEW_LINES = 200
EXPLAINED_MAX = 5
"""Builds of one commit that `why` explains; the others it names."""

Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON, for programs.")]
Id = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="The build's id, its last 8 digits as the page shows them, or 6 or more of either end."
    ),
]
Name = Annotated[
    str | None,
    typer.Argument(
        metavar="[ID|SHA]", help="A build, or a commit; that of this directory where not given.", show_default=False
    ),
]
OnlyProject = Annotated[str | None, typer.Option(help="Only this project.")]


def builds(  # noqa: PLR0917  (typer's options, always given by name)
    project: OnlyProject = None,
    branch: Annotated[str | None, typer.Option(help="Only this branch.")] = None,
    config: Annotated[str | None, typer.Option(help="Only this config.")] = None,
    status: Annotated[str | None, typer.Option(help="Only this status.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only red ones, with their first errors.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 20,
    as_json: Json = False,
) -> None:
    """List the newest builds."""
    with problems():
        if failed and status:
            raise DashboardError("--failed and --status exclude each other")
        wanted = ["failed", "timed_out"] if failed else status
        found = Client().builds(limit, project=project, branch=branch, config=config, status=wanted)
        if as_json:
            _print_json(found)
        else:
            from build_dashboard.cli.tables import show_builds  # noqa: PLC0415  (rich, which only tables need)

            show_builds(found, with_errors=failed)


def show(build_id: Id, as_json: Json = False) -> None:
    """Show one build."""
    with problems():
        client = Client()
        build = client.get(f"/api/builds/{find_build(client, build_id)['id']}")
        if as_json:
            _print_json(build)
        else:
            from build_dashboard.cli.tables import show_build  # noqa: PLC0415  (as above)

            show_build(build, client.url)


def logs(
    build_id: Id,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until the build ends, also while the dashboard is away.")
    ] = False,
    first: Annotated[int, typer.Option(min=1, help="From this line on.")] = 1,
    failed: Annotated[bool, typer.Option("--failed", help="Only the lines around each failure, numbered.")] = False,
    new: Annotated[
        bool, typer.Option("--new", help="Only lines that no green build before it printed, each kind once, numbered.")
    ] = False,
) -> None:
    """Print a build's log; with -f as it grows."""
    with problems():
        if (failed or new) and (follow or first > 1 or (failed and new)):
            raise DashboardError(
                "--failed and --new have lines of their own: leave out --follow, --first and the other"
            )
        client = Client(patience=patiently(_say) if follow else None)
        build = find_build(client, build_id)
        if failed:
            _print_failed(client, build)
            return
        if new:
            _print_new(client, build)
            return
        while True:
            # Asked before the lines: a build that was over then has no line after them.
            is_over = client.get(f"/api/builds/{build['id']}")["status"] not in RUNNING
            for line in client.log_lines(build["id"], first):
                sys.stdout.write(line + "\n")
                first += 1
            sys.stdout.flush()
            if is_over or not follow:
                return
            time.sleep(FOLLOW_SECONDS)


def search(  # noqa: PLR0917  (typer's options, always given by name)
    pattern: Annotated[str, typer.Argument(help="Words; with --regex a regular expression (RE2).")],
    commit: Annotated[str | None, typer.Option(help="Logs of this commit, or of all that begin so.")] = None,
    branch: Annotated[str | None, typer.Option(help="Logs of this branch.")] = None,
    config: Annotated[str | None, typer.Option(help="Logs of this config.")] = None,
    project: OnlyProject = None,
    status: Annotated[str | None, typer.Option(help="Only builds of this status.")] = None,
    regex: Annotated[bool, typer.Option("--regex", "-E", help="It is a regular expression.")] = False,
    case: Annotated[bool, typer.Option("--case", help="Upper and lower case differ.")] = False,
    hits: Annotated[int, typer.Option(min=1, max=100, help="Of each build, at most.")] = 10,
    as_json: Json = False,
) -> None:
    """Search the logs of a commit, a branch or a config, newest build first; of this directory's commit if of none.

    Exits as grep does: 0 where something was found, 1 where nothing, 2 where not all could be searched.
    """
    with problems(code=2):
        client = Client(patience=None)
        if commit is None and branch is None and config is None:
            commit = checkout_commit()
        builds, count = 0, 0
        found = []
        filters = {"commit": commit and read_commit(commit), "branch": branch, "config": config}
        for part in client.search_logs(
            pattern, project=project, status=status, regex=regex, case=case, hits=hits, **filters
        ):
            builds += 1
            count += part["totalHits"]
            if as_json:
                found.append(part)
                continue
            for hit in part["hits"]:
                typer.echo(f"{titled(part['build'])}:{hit['line']}: {hit['text']}")
            more = part["totalHits"] - len(part["hits"])
            if more > 0:
                typer.echo(f"{titled(part['build'])}: {more}{'' if part['totalIsExact'] else ' or more'} more")
        if as_json:
            _print_json(found)
        else:
            _say(f"{count} hits in the logs of {builds} builds")
    raise typer.Exit(0 if count else 1)


def status(
    sha: Annotated[
        str | None, typer.Argument(help="The commit or its beginning; that of this directory where not given.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until it is known.")] = False,
    project: OnlyProject = None,
    gate: Annotated[
        str | None, typer.Option(metavar="release|bump", help="May it be released, or bumped to? Needs --project.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Does this commit pass everywhere? Exits with 0 for yes, 1 for no, 2 for not known yet.

    With --gate only the configs count that gate it in config.yaml, all of which must have passed.
    """
    with problems(code=2):
        if gate is not None:
            raise typer.Exit(_gate_code(gate, sha, project, wait=wait, as_json=as_json))
        # Given and empty is a variable that was not set: another commit's answer would be no answer.
        from build_dashboard.cli.commit_state import commit_state  # noqa: PLC0415  (models, which few commands need)

        commit = checkout_commit() if sha is None else read_commit(sha)
        client = Client(patience=patiently(_say) if wait else None)
        while True:
            state = commit_state(commit, builds_of_commit(client, commit, project))
            if state.code != 2 or not wait:
                break
            time.sleep(WAIT_SECONDS)
        if as_json:
            typer.echo(_json(state))
        else:
            _print_state(state)
    raise typer.Exit(state.code)


def watch(
    name: Name = None,
    project: OnlyProject = None,
    timeout: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Give up after so long (90s, 10m), with exit code 124.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Wait for a build or a commit, print its first error, and exit as it did.

    A build's exit code is its command's; of a commit it is 0 where it passes everywhere, else 1.
    """
    with problems(code=2):
        client = Client(patience=patiently(_say))
        deadline = None
        if timeout is not None:
            try:
                deadline = time.monotonic() + read_duration(timeout)
            except ValueError as error:
                raise DashboardError(f"--timeout: {error}") from error
        named = find_named(client, name, project)
        if named.build is not None:
            code = _watch_build(client, named.build["id"], deadline, as_json=as_json)
        else:
            code = _watch_commit(client, str(named.commit), project, deadline, as_json=as_json)
    raise typer.Exit(code)


def why(
    name: Name = None,
    project: OnlyProject = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=100, help="At most so many tokens, of at least 3 characters each.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Why is it red? The first error in its context, whose it is, how to see it again, and the suspects."""
    with problems():
        client = Client()
        answer = why_text(client, find_named(client, name, project), max_tokens, as_json=as_json)
        typer.echo(answer)


def why_text(client: Client, named: Named, max_tokens: int | None, *, as_json: bool = False) -> str:
    """Why a build or a commit is red, as text or as JSON."""
    from build_dashboard.cli.commit_state import commit_state  # noqa: PLC0415  (as above)
    from build_dashboard.cli.explanation import explain, text_of  # noqa: PLC0415  (as above)

    if named.build is not None:
        found = explain(client, named.build["id"])
        return _json(found) if as_json else text_of(found, max_tokens)
    state = commit_state(str(named.commit), named.builds)
    different = state.different_failures()
    explained = [explain(client, each.build_id) for each in different[:EXPLAINED_MAX]]
    if as_json:
        return _json(state.model_copy(update={"explanations": explained}))
    head = state.summary
    rest = [f"not explained here: {each.project} {each.config} {each.build_id}" for each in different[EXPLAINED_MAX:]]
    share = None
    if max_tokens is not None:
        share = max(1, (max_tokens - (len(head) + sum(map(len, rest))) // 3 - 4) // max(1, len(explained)))
    return "\n\n".join([head, *(text_of(each, share) for each in explained), *rest])


def open_page(
    name: Annotated[str | None, typer.Argument(metavar="[ID|SHA]", help="A build, or a commit.")] = None,
    url_only: Annotated[bool, typer.Option("--url", help="Only print the page's address.")] = False,
) -> None:
    """Open the dashboard's page in a browser: of a build, of a commit, or the one of all that runs."""
    with problems():
        client = Client()
        address = client.url
        if name is not None:
            named = find_named(client, name)
            address += f"/builds/{named.build['id']}" if named.build else f"/c/{named.commit}"
        if not url_only:
            import webbrowser  # noqa: PLC0415  (only this command needs it)

            if webbrowser.open(address):
                return
            _say("no browser is found here; the page is:")
        typer.echo(address)


def schema(command: Annotated[str, typer.Argument(metavar="COMMAND", help="A command that has --json.")]) -> None:
    """Print the JSON Schema of what a command prints with --json."""
    from build_dashboard.cli.schemas import ANSWERS, schema_of  # noqa: PLC0415  (models, which few commands need)

    with problems():
        if command not in ANSWERS:
            raise DashboardError(f"no schema of {command!r}: there are those of {', '.join(ANSWERS)}")
        _print_json(schema_of(command))


def mcp() -> None:
    """Serve builds, logs, incidents and pins to a model by the Model Context Protocol, read-only, on standard input."""
    with problems():
        try:
            from build_dashboard.cli.mcp_server import serve  # noqa: PLC0415  (an extra of the distribution)
        except ModuleNotFoundError as error:
            raise DashboardError("this needs the package mcp: pip install mcp") from error
        serve()


READING: Sequence[tuple[str, Callable[..., None]]] = (
    ("builds", builds),
    ("show", show),
    ("logs", logs),
    ("search", search),
    ("status", status),
    ("watch", watch),
    ("why", why),
    ("open", open_page),
    ("schema", schema),
    ("mcp", mcp),
)
"""The commands by their names."""


def exit_code_of(build: dict[str, Any]) -> int:
    """How a shell would have ended with this build: its command's code; 1 where it has none and did not succeed."""
    code = build.get("exitCode")
    if build["status"] == "succeeded":
        return 0
    if not code:
        return 1
    return 128 - int(code) if code < 0 else int(code)


def _watch_build(client: Client, build_id: str, deadline: float | None, *, as_json: bool) -> int:
    shown = ""
    while True:
        build = client.get(f"/api/builds/{build_id}")
        # Of a lost build nothing is known to be over; but whoever waits for it would wait for ever.
        if build["status"] not in RUNNING:
            break
        now = f"{build['status']} {_progress(build)}".strip()
        if now != shown:
            shown = now
            _say(f"{titled(build)}: {now}")
        if _is_late(deadline):
            return 124
        time.sleep(WAIT_SECONDS if build["status"] == "queued" else FOLLOW_SECONDS * 2)
    code = exit_code_of(build)
    if code == 0 and not as_json:
        typer.echo(f"{titled(build)}: {build['status']}")
    else:
        typer.echo(why_text(client, Named(build), None, as_json=as_json))
    return code


def _watch_commit(client: Client, commit: str, project: str | None, deadline: float | None, *, as_json: bool) -> int:
    from build_dashboard.cli.commit_state import commit_state  # noqa: PLC0415  (as above)

    shown = ""
    while True:
        found = builds_of_commit(client, commit, project)
        state = commit_state(commit, found)
        if state.code != 2:
            break
        if state.summary != shown:
            shown = state.summary
            _say(shown)
        if _is_late(deadline):
            return 124
        time.sleep(WAIT_SECONDS)
    typer.echo(why_text(client, Named(commit=commit, builds=found), None, as_json=as_json))
    return state.code


def _is_late(deadline: float | None) -> bool:
    if deadline is None or time.monotonic() < deadline:
        return False
    _say("build-dashboard: it is not over, and --timeout is")
    return True


def _progress(build: dict[str, Any]) -> str:
    parts = []
    if build.get("progress") is not None:
        parts.append(f"{build['progress']:.0f} %")
    if build.get("phase"):
        parts.append(build["phase"])
    if build.get("firstFailure"):
        parts.append(f"with an error: {build['firstFailure']['message'][:200]}")
    return " ".join(parts)


def _print_state(state: "CommitState") -> None:
    for each in state.configs:
        typer.echo(f"{each.status:10} {each.project} {each.config} {each.build_id}")
        if each.error:
            typer.echo(f"           {each.error}")
    if not state.configs:
        typer.echo(f"no build of {state.commit} is known")


def _gate_code(gate: str, sha: str | None, project: str | None, *, wait: bool, as_json: bool) -> int:
    """Print whether a gate is open at a commit; the exit code that says so."""
    if project is None:
        raise DashboardError("name the --project whose gate it is")
    commit = checkout_commit() if sha is None else read_commit(sha)
    client = Client(patience=patiently(_say) if wait else None)
    while True:
        answer = client.get(f"/api/history/gates/{quote(gate, safe='')}", project=project, commit=commit)
        if answer["state"] != "waiting" or not wait:
            break
        time.sleep(WAIT_SECONDS)
    if as_json:
        _print_json(answer)
    else:
        for each in answer["configs"]:
            hindrance = each.get("hindrance")
            typer.echo(f"{HINDRANCES[hindrance]:26} {each['config']} {each['answer'].get('buildId') or ''}".rstrip())
        for sentence in answer.get("unknown", ()):
            _say(sentence)
        typer.echo(f"{gate} of {project} at {commit[:12]}: {answer['state']}")
    return GATE_CODES[answer["state"]]


def _print_failed(client: Client, build: dict[str, Any]) -> None:
    from build_dashboard.cli.explanation import failed_lines  # noqa: PLC0415  (as above)

    build = client.get(f"/api/builds/{build['id']}")
    blocks = failed_lines(client, build)
    for at, block in enumerate(blocks):
        if at:
            typer.echo("--")
        for line in block:
            typer.echo(f"{'>' if line.is_error else ' '}{line.number:>7} {line.text}")
    if not blocks:
        _say(f"no failure was found in the log of {titled(build)}, which is {build['status'].replace('_', ' ')}")


def _print_new(client: Client, build: dict[str, Any]) -> None:
    found = client.get(f"/api/builds/{build['id']}/logs/news", count=NEW_LINES)
    for item in found["items"]:
        like_it = f"  (and {item['count'] - 1} like it)" if item["count"] > 1 else ""
        typer.echo(f"{item['line']:>8} {item['text']}{like_it}")
    if not found["comparedTo"]:
        _say(f"no green build of {build['project']} {build['config']} before {titled(build)} left a log")
    elif not found["totalItems"]:
        _say(f"nothing in the log of {titled(build)} is new")
    elif found["totalItems"] > len(found["items"]):
        _say(f"{found['totalItems'] - len(found['items'])} more kinds of lines are new")


def _json(answer: "WireModel") -> str:
    return answer.model_dump_json(by_alias=True, exclude_none=True, indent=2)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2))


def _say(text: str) -> None:
    typer.echo(text, err=True)
