"""`build-dashboard mirror`: shows an existing CI as an agent does, read-only."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from build_dashboard.config_error import ConfigError

mirror = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Show a CI that exists already, read-only.")

Url = Annotated[str, typer.Argument(help="The CI's base address, e.g. https://lab.llvm.org/buildbot")]
Maps = Annotated[
    list[str] | None,
    typer.Option("--project-map", help="PATTERN=PROJECT, the first that matches; tag:NAME for a tag, `-` leaves out."),
]
Default = Annotated[str | None, typer.Option("--project", help="The project of all that no --project-map matches.")]
Days = Annotated[float, typer.Option("--backfill-days", min=0, help="How far back ended builds are shown.")]
Spool = Annotated[str | None, typer.Option("--spool", help="A folder of this mirror alone.")]
Name = Annotated[str | None, typer.Option(help="What the CI is called; never change it. Default: its address.")]


@mirror.command()
def buildbot(  # noqa: PLR0917  (typer's options, always given by name)
    url: Url,
    project_map: Maps = None,
    project: Default = None,
    backfill_days: Days = 1.0,
    spool: Spool = None,
    name: Name = None,
) -> None:
    """A Buildbot master, 3.x or 4.x. Where reading needs a login: BUILDBOT_USER and BUILDBOT_PASSWORD."""
    _run("buildbot", url, project_map, project or (None if project_map else "buildbot"), backfill_days, name, spool)


@mirror.command()
def github(  # noqa: PLR0917  (as above)
    url: Annotated[str, typer.Argument(help="The repository, e.g. https://github.com/llvm/torch-mlir")],
    project_map: Maps = None,
    project: Annotated[str | None, typer.Option(help="The project of all others; default: the repository.")] = None,
    backfill_days: Days = 1.0,
    spool: Spool = None,
    name: Name = None,
) -> None:
    """A repository's GitHub Actions: a job is a build. GITHUB_TOKEN raises GitHub's limit from 60 to 5,000 an hour."""
    own = url.rstrip("/").rpartition("/")[2].removesuffix(".git").lower()
    _run("github", url, project_map, project or (None if project_map else own), backfill_days, name, spool)


@mirror.command()
def config(
    path: Annotated[
        Path | None, typer.Option("--config", help="Default: BUILD_DASHBOARD_CONFIG, else config.yaml.")
    ] = None,
    spool: Spool = None,
    ends_with_input: Annotated[bool, typer.Option("--ends-with-input", hidden=True)] = False,
) -> None:
    """Every CI that `mirrors:` of config.yaml names."""
    load_lean()
    from build_dashboard.config import config_path, read_config  # noqa: PLC0415  (as below)
    from build_dashboard.mirror.kinds import source_of  # noqa: PLC0415  (as below)
    from build_dashboard.mirror.project_map import ProjectMap  # noqa: PLC0415  (as below)
    from build_dashboard.mirror.running import run  # noqa: PLC0415  (as below)

    with _problems():
        place = path or config_path()
        mirrors = read_config(place).mirrors
        if not mirrors:
            raise ConfigError(f"{place} names no CI: write `mirrors:`, as docs/mirrors.md shows")
        run(
            [
                source_of(each.kind, each.url, ProjectMap(each.projects), each.backfill_days, name)
                for name, each in mirrors.items()
            ],
            spool,
            ends_with_input=ends_with_input,
        )


def _run(  # noqa: PLR0917  (the options of one CI)
    kind: str,
    url: str,
    project_map: list[str] | None,
    default: str | None,
    backfill_days: float,
    name: str | None,
    spool: str | None,
) -> None:
    load_lean()
    from build_dashboard.mirror.kinds import source_of  # noqa: PLC0415  (only these commands need them)
    from build_dashboard.mirror.project_map import ProjectMap  # noqa: PLC0415  (as above)
    from build_dashboard.mirror.running import run  # noqa: PLC0415  (as above)

    with _problems():
        projects = ProjectMap.read(project_map or (), default)
        run([source_of(kind, url, projects, backfill_days, name)], spool)


def load_lean() -> None:
    """Let the HTTP client leave out its own command line, which nobody calls here: 6 MiB of colours and tables."""
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None: its import fails, which httpx foresees


@contextmanager
def _problems() -> Iterator[None]:
    try:
        yield
    except (ConfigError, ValueError) as error:
        typer.echo(f"build-dashboard: {error}", err=True)
        raise typer.Exit(2) from error
