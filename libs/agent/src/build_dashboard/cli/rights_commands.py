"""The commands `groups`, `users grant` and `users take`: who may do what in which project."""

from typing import Annotated

import typer

from build_dashboard.cli.accounts_commands import Projects, Role, users
from build_dashboard.cli.asked import asked

groups = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Groups of people, and what they may do.")

Grants = Annotated[
    list[str] | None,
    typer.Option("--grant", metavar="PROJECT=ROLE", help="Another role in one project; may be repeated."),
]
ProjectRole = Annotated[str, typer.Argument(help="viewer, developer or maintainer.")]


@users.command("grant")
def grant(name: str, project: str, role: ProjectRole) -> None:
    """Give a person a role in one project; its maintainers may do that, too."""
    asked(lambda client: client.put(f"/api/projects/{project}/members/{name}", {"role": role}))
    typer.echo(f"{name} is {role} in {project} now")


@users.command("take")
def take(name: str, project: str) -> None:
    """Take a person's own role in one project; what they have by a group or in all projects stays."""
    asked(lambda client: client.delete(f"/api/projects/{project}/members/{name}"))
    typer.echo(f"{name} has no role in {project} now")


@groups.command("list")
def list_groups() -> None:
    """List groups: role and projects, roles in single projects, members."""
    for group in asked(lambda client: client.get("/api/groups"))["items"]:
        projects = group.get("projects")
        where = "all projects" if projects is None else " ".join(projects)
        single = " ".join(f"{project}={role}" for project, role in group.get("roles", {}).items())
        members = ", ".join(group["members"]) or "nobody"
        typer.echo(f"{group['name']:24} {group['role']:10} {f'{where} {single}'.strip()}: {members}")


@groups.command("put")
def put_group(name: str, role: Role = "viewer", project: Projects = None, grant: Grants = None) -> None:
    """Make a group, or replace what it may: ROLE in the projects named (in all, where none is), and single grants."""
    pairs = [each.partition("=") for each in grant or ()]
    if any(not separator for _, separator, _ in pairs):
        raise typer.BadParameter("write PROJECT=ROLE", param_hint="--grant")
    single = {project: role for project, _, role in pairs}
    projects = project or ([] if single else None)
    asked(lambda client: client.put(f"/api/groups/{name}", {"role": role, "projects": projects, "roles": single}))
    typer.echo(f"group {name} is in force")


@groups.command("remove")
def remove_group(name: str) -> None:
    """Delete a group; nobody is in it any more."""
    asked(lambda client: client.delete(f"/api/groups/{name}"))
    typer.echo(f"deleted group {name}")


@groups.command("join")
def join(name: str, user: str) -> None:
    """Put a person into a group."""
    asked(lambda client: client.put(f"/api/groups/{name}/members/{user}", {}))
    typer.echo(f"{user} is in {name} now")


@groups.command("leave")
def leave(name: str, user: str) -> None:
    """Take a person out of a group."""
    asked(lambda client: client.delete(f"/api/groups/{name}/members/{user}"))
    typer.echo(f"{user} is not in {name} now")
