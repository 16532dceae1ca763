"""The commands `users` and `keys`: who may look, and which agents may report."""

import os
from typing import Annotated

import typer

from build_dashboard.cli.asked import asked

users = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="People and their roles.")
keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="API keys of agents.")

Projects = Annotated[list[str] | None, typer.Option("--project", help="Only this project; may be repeated.")]
Role = Annotated[str, typer.Option(help="viewer, developer or admin.")]


@users.command("list")
def list_users() -> None:
    """List people."""
    for user in asked(lambda client: client.get("/api/users"))["items"]:
        state = "disabled" if user.get("disabled") else user["role"]
        typer.echo(f"{user['name']:24} {state:10} {' '.join(user.get('projects') or ['all projects'])}")


@users.command("add")
def add_user(name: str, role: Role = "viewer", project: Projects = None) -> None:
    """Create a person; the password is asked, or read from BUILD_DASHBOARD_NEW_PASSWORD."""
    password = os.environ.get("BUILD_DASHBOARD_NEW_PASSWORD")
    password = password or typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    body = {"name": name, "role": role, "password": password, "projects": project or None}
    asked(lambda client: client.post("/api/users", body))
    typer.echo(f"created {name} ({role})")


@users.command("role")
def change_role(name: str, role: str) -> None:
    """Change a person's role."""
    asked(lambda client: client.patch(f"/api/users/{name}", {"role": role}))
    typer.echo(f"{name} is {role} now")


@users.command("remove")
def remove_user(name: str) -> None:
    """Disable a person; they are logged out within seconds."""
    asked(lambda client: client.delete(f"/api/users/{name}"))
    typer.echo(f"disabled {name}")


@keys.command("list")
def list_keys() -> None:
    """List keys (never their values)."""
    for key in asked(lambda client: client.get("/api/keys"))["items"]:
        state = "revoked" if key.get("revokedAt") else "active"
        typer.echo(f"{key['id']:16} {key['name']:24} {state:8} {' '.join(key.get('projects') or ['all projects'])}")


@keys.command("add")
def add_key(name: str, project: Projects = None) -> None:
    """Create a key for an agent; its value is printed once."""
    body = {"name": name, "projects": project or None}
    typer.echo(asked(lambda client: client.post("/api/keys", body))["value"])


@keys.command("revoke")
def revoke_key(key_id: str) -> None:
    """Revoke a key; agents that use it are cut off within seconds."""
    asked(lambda client: client.delete(f"/api/keys/{key_id}"))
    typer.echo(f"revoked {key_id}")
