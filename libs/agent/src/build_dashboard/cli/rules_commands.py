"""The command `rules`: the rules by which failures are found in logs, checked, tried and taught by people's remarks."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from build_dashboard.cli.asked import asked
from build_dashboard.cli.client import Client

CHUNK_LINES = 5000
AROUND_LINES = 60
"""So many lines around what a remark names, and what the analysis found, become a fixture."""

rules = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The rules by which failures are found in logs.")

Project = Annotated[str | None, typer.Option(help="Of this project of the dashboard.")]


@rules.command()
def check(
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Further rule files, in YAML.")] = None,
) -> None:
    """Run every rule's examples and counter-examples, and say which do not hold."""
    from build_analysis.cli import check_rule_files  # noqa: PLC0415  (the rules take a moment to load)

    raise typer.Exit(check_rule_files(folder))


@rules.command("try")
def try_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Further rule files, in YAML.")],
    files: Annotated[list[Path] | None, typer.Argument(metavar="LOG...", help="Logs of builds that failed.")] = None,
    project: Project = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Of its failed builds, so many of the newest.")] = 100,
) -> None:
    """Say which answers further rules would change, on logs, or on a project's last failed builds."""
    from build_analysis.cli import log_chunks, try_rule_files  # noqa: PLC0415  (the rules take a moment to load)

    if bool(files) == bool(project):
        raise typer.BadParameter("name logs, or give --project")
    logs = ((str(path), log_chunks(path)) for path in files or ())
    if project is None:
        raise typer.Exit(try_rule_files(folder, logs))
    raise typer.Exit(asked(lambda client: try_rule_files(folder, _failed_logs(client, project, limit))))


@rules.command()
def remarks(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where fixtures are written; made where missing.")],
    project: Project = None,
) -> None:
    """Make fixtures of people's "wrong line?" remarks: the logs, and what is right in them as evaluate.py reads it."""
    labels = asked(lambda client: list(_fixtures(client, folder, project)))
    lines = "".join(f"{json.dumps(label, ensure_ascii=False)}\n" for label in labels)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.jsonl").write_text(lines, "utf-8")
    typer.echo(f"{len(labels)} fixtures in {folder}")


def _failed_logs(client: Client, project: str, limit: int) -> Iterator[tuple[str, Iterator[list[str]]]]:
    """The logs of a project's newest failed builds, each read when it is asked about."""
    for build in client.builds(limit, project=project, status="failed"):
        yield f"{build['project']} {build['config']} {build['id']}", _chunks(client.log_lines(build["id"]))


def _chunks(lines: Iterator[str]) -> Iterator[list[str]]:
    while chunk := list(islice(lines, CHUNK_LINES)):
        yield chunk


def _fixtures(client: Client, folder: Path, project: str | None) -> Iterator[dict[str, Any]]:
    """Write the log around each remark, and yield its label; the newest remark on a build's failure counts."""
    seen: set[tuple[str, str | None]] = set()
    cursor = None
    while True:
        page = client.get("/api/builds/failures/feedback", limit=100, cursor=cursor, project=project)
        for remark in page["items"]:
            meant = remark["buildId"], remark.get("signature")
            if meant not in seen:
                seen.add(meant)
                yield _fixture(client, folder, remark)
        cursor = page.get("nextCursor")
        if not cursor:
            return


def _fixture(client: Client, folder: Path, remark: Mapping[str, Any]) -> dict[str, Any]:
    right, found = remark["line"], remark.get("found") or {}
    first = max(1, min(right, found.get("firstLine", right)) - AROUND_LINES)
    last = max(right, found.get("lastLine") or right) + AROUND_LINES
    name = f"{remark['buildId']}-{right}"
    lines = islice(client.log_lines(remark["buildId"], first), last - first + 1)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.log").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return {
        "id": name,
        "repo": remark["project"],
        "category": None,
        "file": None,
        "line": None,
        "accept_lines": [right - first + 1],
        "message": remark["text"],
        "was": {name: found.get(name) for name in ("category", "message", "file", "line")} if found else None,
        "note": remark.get("note"),
    }
