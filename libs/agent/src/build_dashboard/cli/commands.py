"""The commands of the command line, except `run`: what people ask the dashboard, and `analyze`, `doctor`, `agent`."""

import json
from pathlib import Path
from typing import Annotated

import typer
from build_protocol.branches import branch_fault

from build_dashboard.cli.accounts_commands import keys, users
from build_dashboard.cli.asked import problems
from build_dashboard.cli.client import Client, DashboardError
from build_dashboard.cli.clock_commands import clock
from build_dashboard.cli.config_commands import config as config_commands
from build_dashboard.cli.login_commands import login, logout, tokens
from build_dashboard.cli.lookup import find_build
from build_dashboard.cli.mirror import mirror
from build_dashboard.cli.parking_commands import parking
from build_dashboard.cli.reading_commands import READING, Id, Json
from build_dashboard.cli.rebuild_commands import rebuild
from build_dashboard.cli.rights_commands import groups
from build_dashboard.cli.rules_commands import rules
from build_dashboard.cli.wording import titled
from build_dashboard.duration import read_duration

app = typer.Typer(
    no_args_is_help=True,
    # Plain help: rich's would take longer to load than everything else together.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Live builds of ML compilers, from any machine.",
)
app.add_typer(users, name="users")
app.add_typer(groups, name="groups")
app.add_typer(keys, name="keys")
app.add_typer(mirror, name="mirror")
app.add_typer(tokens, name="tokens")
app.command()(login)
app.command()(logout)
app.add_typer(parking, name="parking")
app.add_typer(clock, name="clock")
app.add_typer(config_commands, name="config")
app.add_typer(rebuild, name="rebuild")
app.add_typer(rules, name="rules")

for reading_name, reading in READING:
    app.command(reading_name)(reading)


def _print_version(wanted: bool) -> None:
    if wanted:
        from build_dashboard import __version__  # noqa: PLC0415  (nothing else needs it)

        typer.echo(f"build-dashboard {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    *,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version, and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Live builds of ML compilers, from any machine."""


@app.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
def run(arguments: Annotated[list[str], typer.Argument(metavar="--project P -- COMMAND...")]) -> None:
    """Run a build and show it on the dashboard; `run --help` lists its options."""
    from build_dashboard.cli.run import main as run_command  # noqa: PLC0415  (only this command needs it)

    raise typer.Exit(run_command(arguments))


@app.command()
def cancel(build_id: Id, as_json: Json = False) -> None:
    """Stop the named build on its machine; one that is finished is an error, and a name of several cancels none."""
    with problems():
        client = Client()
        build = find_build(client, build_id)
        command = client.post("/api/commands", {"kind": "cancel", "buildId": build["id"]})
        if as_json:
            typer.echo(json.dumps(command, indent=2))
            return
        typer.echo(
            f"cancel {titled(build)}: {command['state']}, "
            f"command {command['id']} to agent {command['agent']}, ordered by {command['requestedBy']}"
        )


@app.command()
def trigger(  # noqa: PLR0917  (as above)
    project: Annotated[str, typer.Argument(help="The project to build.")],
    branch: Annotated[str | None, typer.Option(help="This branch rather than the configured one.")] = None,
    commit: Annotated[str | None, typer.Option(help="This commit of it.")] = None,
    config: Annotated[str | None, typer.Option(help="This config.")] = None,
    clean: Annotated[bool, typer.Option("--clean", help="From a clean checkout.")] = False,
    parameter: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="One that the project allows; may be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask a waiting agent (`build-dashboard agent`) to build a project."""
    with problems():
        wanted = {"branch": branch, "commit": commit, "config": config, "clean": "true" if clean else None}
        args = {name: value for name, value in wanted.items() if value}
        if branch and (fault := branch_fault(branch)):
            raise DashboardError(f"--branch: {fault}")
        for each in parameter or ():
            name, equals, value = each.partition("=")
            if not equals:
                raise DashboardError(f"--parameter {each}: write NAME=VALUE")
            args[name] = value
        command = Client().post("/api/commands", {"kind": "trigger", "project": project, "args": args})
        if as_json:
            typer.echo(json.dumps(command, indent=2))
            return
        typer.echo(f"{command['state']}: command {command['id']} to agent {command['agent']}")


@app.command()
def analyze(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Logs of any build; - for standard input.")],
    as_json: Json = False,
    exit_code: Annotated[int | None, typer.Option(help="The build command's; 0 means that nothing failed.")] = None,
    from_ci: Annotated[bool, typer.Option("--from-ci", help="Read the exit code from the CI system's words.")] = False,
    good: Annotated[list[Path] | None, typer.Option(help="A log of a build that went well; may be repeated.")] = None,
) -> None:
    """Find the failures in logs, offline."""
    from build_analysis.cli import analyze_files  # noqa: PLC0415  (the rules take a moment to load)

    raise typer.Exit(analyze_files(files, as_json=as_json, exit_code=exit_code, from_ci=from_ci, good=good or ()))


@app.command()
def doctor() -> None:
    """Check the way to the dashboard step by step, and name the fix for what fails."""
    from build_dashboard.cli.doctor import examine  # noqa: PLC0415  (only this command needs it)

    is_well = True
    for finding in examine():
        is_well = is_well and finding.is_well
        mark = typer.style("ok  ", fg="green") if finding.is_well else typer.style("FAIL", fg="red")
        typer.echo(f"{mark} {finding.check}: {finding.detail}")
        if finding.remedy:
            typer.echo(f"     -> {finding.remedy}")
    raise typer.Exit(0 if is_well else 1)


@app.command()
def agent(
    config: Annotated[Path, typer.Option(help="The projects to build.")] = Path("config.yaml"),
    project: Annotated[list[str] | None, typer.Option(help="Only this project; may be repeated.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Build what is new, and exit.")] = False,
) -> None:
    """Build projects when their branch moves or when triggered from the dashboard."""
    from build_dashboard.daemon.daemon import serve  # noqa: PLC0415  (only this command needs it)

    raise typer.Exit(serve(config, project or None, once=once))


@app.command()
def deliver(  # noqa: PLR0917  (as above)
    spool: Annotated[Path, typer.Argument(metavar="DIR", help="A spool, or a copy of one, of builds that are over.")],
    wait: Annotated[str, typer.Option(metavar="DURATION", help="For a dashboard that is away.")] = "1m",
    endpoint: Annotated[str | None, typer.Option(help="The dashboard's address; else as `run` finds it.")] = None,
    untrusted: Annotated[bool, typer.Option("--untrusted", help="A stranger's job left it (a fork's).")] = False,
    event: Annotated[
        Path | None, typer.Option(help="With --untrusted: GitHub's workflow_run event.", envvar="GITHUB_EVENT_PATH")
    ] = None,
    project: Annotated[str | None, typer.Option(help="With --untrusted: the project.")] = None,
    config_name: Annotated[str, typer.Option(help="With --untrusted: the config.")] = "default",
    commit: Annotated[str | None, typer.Option(help="With --untrusted and no event: the commit.")] = None,
    branch: Annotated[str | None, typer.Option(help="With --untrusted and no event: the branch.")] = None,
    pull_request: Annotated[int | None, typer.Option(help="With --untrusted: its number, for forks.")] = None,
) -> None:
    """Deliver the builds that another machine left in its spool, or handed over as an artifact of its CI job."""
    from build_dashboard.builds.delivering import deliver as deliver_spool  # noqa: PLC0415  (only this command)
    from build_dashboard.builds.origin import origin_of_job  # noqa: PLC0415  (as above)
    from build_dashboard.endpoint import find_endpoint  # noqa: PLC0415  (as above)

    with problems():
        try:
            seconds = read_duration(wait)
            origin = None
            if untrusted:
                origin = origin_of_job(event, project, commit, branch, pull_request, config_name)
            code = deliver_spool(spool, find_endpoint(endpoint), seconds, origin=origin, say=typer.echo)
        except ValueError as error:
            raise DashboardError(str(error)) from error
    raise typer.Exit(code)
