"""The commands `users` and `keys`: who may look, and which agents may report."""

import os
import re
import time
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import typer
from build_protocol.clock import DAY_SECONDS

from build_dashboard.cli.asked import asked
from build_dashboard.cli.client import Client
from build_dashboard.duration import read_duration

users = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="People and their roles.")
keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="API keys of agents.")

Projects = Annotated[list[str] | None, typer.Option("--project", help="Only this project; may be repeated.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="As `list` shows them.")]
All = Annotated[bool, typer.Option("--all", help="Everything that is on hold.")]
Expires = Annotated[str | None, typer.Option(help="How long it is good, e.g. 90d; without, until it is revoked.")]
Overlap = Annotated[str, typer.Option(help="How long the old one stays good beside it.")]
Role = Annotated[str, typer.Option(help="viewer, developer, maintainer or admin.")]


@users.command("list")
def list_users() -> None:
    """List people."""
    for user in asked(lambda client: client.get("/api/users"))["items"]:
        state = "disabled" if user.get("disabled") else "on hold" if user.get("onHold") else user["role"]
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


@users.command("confirm")
def confirm_users(names: Names = None, all_: All = False) -> None:
    """Let people log in again who are on hold since a restore; first see `users list`, and remove who left since."""
    _confirm_held("users", "name", names, all_=all_)


@keys.command("list")
def list_keys() -> None:
    """List keys (never their values): id, name, state, last use, expiry, projects."""
    for key in asked(lambda client: client.get("/api/keys"))["items"]:
        projects = " ".join(key.get("projects") or ["all projects"])
        used = f"used {_day(key['lastUsedAt'])}" if key.get("lastUsedAt") else "never used"
        expires = f"expires {_day(key['expiresAt'])}" if key.get("expiresAt") else "no expiry"
        typer.echo(f"{key['id']:16} {key['name']:24} {_state(key):8} {used:15} {expires:18} {projects}")


@keys.command("add")
def add_key(name: str, project: Projects = None, expires: Expires = None) -> None:
    """Create a key for an agent; its value is printed once."""
    expires_at = None if expires is None else round((time.time() + _seconds(expires)) * 1000)
    body = {"name": name, "projects": project or None, "expiresAt": expires_at}
    typer.echo(asked(lambda client: client.post("/api/keys", body))["value"])


@keys.command("rotate")
def rotate_key(key_id: str, overlap: Overlap = "7d") -> None:
    """Create a key in place of another; its value is printed once, and the old one expires after the overlap."""
    body = {"overlapSeconds": round(_seconds(overlap))}
    typer.echo(asked(lambda client: client.post(f"/api/keys/{key_id}/rotate", body))["value"])


@keys.command("revoke")
def revoke_key(key_id: str) -> None:
    """Revoke a key; agents that use it are cut off within seconds."""
    asked(lambda client: client.delete(f"/api/keys/{key_id}"))
    typer.echo(f"revoked {key_id}")


@keys.command("confirm")
def confirm_keys(ids: Names = None, all_: All = False) -> None:
    """Let keys be used again that are on hold since a restore; first see `keys list`, and revoke what leaked since."""
    _confirm_held("keys", "id", ids, all_=all_)


def _seconds(duration: str) -> float:
    if days := re.fullmatch(r"\s*([0-9]{1,4})d\s*", duration):
        return int(days[1]) * DAY_SECONDS
    try:
        return read_duration(duration)
    except ValueError as error:
        raise typer.BadParameter(f"{error}, or 90d") from error


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")


def _state(key: dict[str, Any]) -> str:
    if key.get("revokedAt"):
        return "revoked"
    if key.get("expiresAt") and key["expiresAt"] <= time.time() * 1000:
        return "expired"
    return "on hold" if key.get("onHold") else "active"


def _confirm_held(kind: str, name: str, named: list[str] | None, *, all_: bool) -> None:
    """Confirm those that are named, or all that are on hold."""
    if bool(named) == all_:
        raise typer.BadParameter("name some, or give --all")
    items = asked(lambda client: client.get(f"/api/{kind}"))["items"] if all_ else []
    for one in named or [item[name] for item in items if item.get("onHold")]:
        asked(partial(_confirm, kind, one))
        typer.echo(f"confirmed {one}")


def _confirm(kind: str, name: str, client: Client) -> None:
    client.post(f"/api/{kind}/{name}/confirm", {})
