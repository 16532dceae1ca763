"""The commands of the command line, except `run`: what people ask the dashboard, and `analyze`, `doctor`, `agent`."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from build_protocol.branches import branch_fault

from build_dashboard.cli.accounts_commands import keys, users
from build_dashboard.cli.client import Client, DashboardError
from build_dashboard.cli.lookup import builds_of_commit, find_build, read_commit, titled
from build_dashboard.cli.parking_commands import parking
from build_dashboard.duration import read_duration

RUNNING = ("queued", "running")
FOLLOW_SECONDS = 0.5
WAIT_SECONDS = 5.0

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    # Plain help: rich's would take longer to load than everything else together.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Live builds of ML compilers, from any machine.",
)
app.add_typer(users, name="users")
app.add_typer(keys, name="keys")
app.add_typer(parking, name="parking")
rules = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The rules by which failures are found in logs.")
app.add_typer(rules, name="rules")

Json = Annotated[bool, typer.Option("--json", help="Print the server's answer, for programs.")]
Id = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="The build's id, its last 8 digits as the page shows them, or 6 or more of either end."
    ),
]


@app.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
def run(arguments: Annotated[list[str], typer.Argument(metavar="--project P -- COMMAND...")]) -> None:
    """Run a build and show it on the dashboard; `run --help` lists its options."""
    from build_dashboard.cli.run import main as run_command  # noqa: PLC0415  (only this command needs it)

    raise typer.Exit(run_command(arguments))


@app.command()
def builds(  # noqa: PLR0917  (typer's options, always given by name)
    project: Annotated[str | None, typer.Option(help="Only this project.")] = None,
    branch: Annotated[str | None, typer.Option(help="Only this branch.")] = None,
    config: Annotated[str | None, typer.Option(help="Only this config.")] = None,
    status: Annotated[str | None, typer.Option(help="Only this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 20,
    as_json: Json = False,
) -> None:
    """List the newest builds."""
    with problems():
        found = Client().builds(limit, project=project, branch=branch, config=config, status=status)
        if as_json:
            typer.echo(json.dumps(found, indent=2))
        else:
            from build_dashboard.cli.tables import show_builds  # noqa: PLC0415  (rich, which only tables need)

            show_builds(found)


@app.command()
def show(build_id: Id, as_json: Json = False) -> None:
    """Show one build."""
    with problems():
        client = Client()
        build = client.get(f"/api/builds/{find_build(client, build_id)['id']}")
        if as_json:
            typer.echo(json.dumps(build, indent=2))
        else:
            from build_dashboard.cli.tables import show_build  # noqa: PLC0415  (as above)

            show_build(build, client.url)


@app.command()
def logs(
    build_id: Id,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until the build ends.")] = False,
    first: Annotated[int, typer.Option(min=1, help="From this line on.")] = 1,
) -> None:
    """Print a build's log; with -f as it grows."""
    with problems():
        client = Client()
        build_id = find_build(client, build_id)["id"]
        while True:
            # Asked before the lines: a build that was over then has no line after them.
            is_over = client.get(f"/api/builds/{build_id}")["status"] not in RUNNING
            for line in client.log_lines(build_id, first):
                sys.stdout.write(line + "\n")
                first += 1
            sys.stdout.flush()
            if is_over or not follow:
                return
            time.sleep(FOLLOW_SECONDS)


@app.command()
def cancel(build_id: Id) -> None:
    """Stop a running build on its machine; one that is finished is an error."""
    with problems():
        client = Client()
        build = find_build(client, build_id)
        command = client.post("/api/commands", {"kind": "cancel", "buildId": build["id"]})
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
        typer.echo(f"{command['state']}: command {command['id']} to agent {command['agent']}")


@app.command()
def status(
    sha: Annotated[
        str | None, typer.Argument(help="The commit or its beginning; that of this directory where not given.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until it is known.")] = False,
    project: Annotated[str | None, typer.Option(help="Only this project.")] = None,
) -> None:
    """Does this commit pass everywhere? Exits with 0 for yes, 1 for no, 2 for not known yet."""
    with problems(code=2):
        from build_dashboard.evidence.checkout_facts import git_facts  # noqa: PLC0415  (only this command needs it)

        # Given and empty is a variable that was not set: another commit's answer would be no answer.
        facts: dict[str, Any] = git_facts(str(Path.cwd())) if sha is None else {"commit": sha}
        if facts.get("commit") is None:
            raise DashboardError(f"{facts['missing'][0].reason}: name the commit")
        named = str(facts["commit"])
        commit = read_commit(named)
        while True:
            newest = newest_per_config(builds_of_commit(Client(), commit, project))
            code = commit_code(newest)
            if code != 2 or not wait:
                break
            time.sleep(WAIT_SECONDS)
        for build in newest:
            typer.echo(f"{build['status']:10} {build['project']} {build['config']} {build['id']}")
        if not newest:
            typer.echo(f"no build of {commit} is known")
    raise typer.Exit(code)


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


@rules.command()
def check(
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Further rule files, in YAML.")] = None,
) -> None:
    """Run every rule's examples and counter-examples, and say which do not hold."""
    from build_analysis.cli import check_rule_files  # noqa: PLC0415  (the rules take a moment to load)

    raise typer.Exit(check_rule_files(folder))


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


@contextmanager
def problems(code: int = 1) -> Iterator[None]:
    """Errors of the dashboard as one line, without a trace."""
    try:
        yield
    except DashboardError as error:
        typer.echo(error.lines, err=True)
        raise typer.Exit(code) from error


def newest_per_config(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last attempt of each project and config; builds on people's machines do not count."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for build in found:
        if build.get("origin") != "local":
            newest.setdefault((build["project"], build["config"]), build)
    return list(newest.values())


def commit_code(newest: list[dict[str, Any]]) -> int:
    """0 when all passed, 1 when one failed, else 2: running, cancelled and lost builds prove nothing."""
    states = {build["status"] for build in newest}
    if states & {"failed", "timed_out"}:
        return 1
    return 0 if states == {"succeeded"} else 2
