"""The commands `login`, `logout` and `tokens`: this machine's personal token, and the others a person has.

`login` makes the token here and shows a link; its person grants it on the page. The value goes to the dashboard alone;
the link has its hash, and a code that both sides show.
"""

import hashlib
import os
import platform
import sys
import time
import webbrowser
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode

import typer
from build_protocol.clock import DAY_SECONDS
from build_protocol.credentials import TOKEN_PREFIX, new_id, new_value

from build_dashboard.cli.asked import asked
from build_dashboard.cli.client import Client, DashboardError
from build_dashboard.cli.saved_tokens import SavedTokens, SavedTokensUnusable

PATIENCE_SECONDS = 600.0
LOOK_SECONDS = 1.0

tokens = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Personal tokens: your own.")

Level = Annotated[str, typer.Option(help="read, write or admin: what the token may, within what you may.")]
Days = Annotated[int, typer.Option(min=1, max=366, help="How long it is good.")]
Only = Annotated[list[str] | None, typer.Option("--project", help="Only this project; may be repeated.")]


def login(
    url: Annotated[str | None, typer.Argument(metavar="[URL]", help="The dashboard; else BUILD_DASHBOARD_URL.")] = None,
    level: Level = "write",
    days: Days = 90,
    browser: Annotated[bool, typer.Option(help="Open the link here, where there is a screen.")] = True,
) -> None:
    """Log this machine in: a link is shown, and whoever opens it and is logged in on the page says yes."""
    client = Client(url)
    token_id = new_id()
    value = new_value(TOKEN_PREFIX, token_id)
    sha256 = hashlib.sha256(value.encode()).hexdigest()
    wanted = {
        "id": token_id,
        "sha256": sha256,
        "name": f"login on {platform.node()}"[:128],
        "level": level,
        "days": days,
    }
    link = f"{client.url}/account/grant#{urlencode(wanted)}"
    typer.echo(f"Open this in a browser, and say yes if the code there is {code_of(sha256)}:\n\n{link}\n")
    if browser and sys.stdout.isatty() and _has_screen():
        webbrowser.open(link)
    user = _wait(client, value)
    if user is None:
        typer.echo("build-dashboard: nobody let it in within 10 minutes; try again", err=True)
        raise typer.Exit(1)
    try:
        saved = SavedTokens()
        saved.save(client.url, value)
    except (OSError, SavedTokensUnusable) as error:
        typer.echo(f"build-dashboard: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"logged in at {client.url} as {user}; the token is in {saved.path}")


def logout(
    url: Annotated[str | None, typer.Argument(metavar="[URL]", help="The dashboard; else the last one.")] = None,
) -> None:
    """Revoke and forget the token that `login` left on this machine."""
    try:
        saved, client = SavedTokens(), Client(url)
        value = saved.find(client.url)
        if value is None:
            typer.echo(f"not logged in at {client.url}")
            return
        # Forgotten first: whatever the dashboard answers, this machine has it no longer.
        saved.drop(client.url)
        client.post_openly("/api/tokens/give-up", {"value": value})
    except (DashboardError, OSError, SavedTokensUnusable) as error:
        typer.echo(error.lines if isinstance(error, DashboardError) else f"build-dashboard: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"logged out at {client.url}")


@tokens.command("list")
def list_tokens() -> None:
    """List your tokens (never their values): id, name, level, state, last use, expiry."""
    for token in asked(lambda client: client.get("/api/tokens"))["items"]:
        used = f"used {_day(token['lastUsedAt'])}" if token.get("lastUsedAt") else "never used"
        is_over = token["expiresAt"] <= time.time() * 1000
        state = "revoked" if token.get("revokedAt") else "expired" if is_over else "active"
        expires = f"expires {_day(token['expiresAt'])}"
        typer.echo(f"{token['id']:10} {token['name']:32} {token['level']:6} {state:8} {used:15} {expires}")


@tokens.command("add")
def add_token(name: str, level: Level = "read", days: Days = 90, project: Only = None) -> None:
    """Create a token for a program; its value is printed once. Needs your password, not a token."""
    body = {"name": name, "level": level, "projects": project or None, "expiresInSeconds": days * DAY_SECONDS}
    typer.echo(asked(lambda client: client.post("/api/tokens", body))["value"])


@tokens.command("revoke")
def revoke_token(token_id: str) -> None:
    """Revoke a token; what uses it is refused within seconds."""
    asked(lambda client: client.delete(f"/api/tokens/{token_id}"))
    typer.echo(f"revoked {token_id}")


def code_of(sha256: str) -> str:
    """What the page shows of the same token, for people to compare."""
    return f"{sha256[:4]}-{sha256[4:8]}".upper()


def _wait(client: Client, value: str) -> str | None:
    """Whose the token is, once somebody granted it; None when nobody did."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        try:
            state = client.post_openly("/api/tokens/awaited", {"value": value})
        except DashboardError as error:
            typer.echo(error.lines, err=True)
            raise typer.Exit(1) from error
        if state["isGranted"]:
            return str(state["user"])
        time.sleep(LOOK_SECONDS)
    return None


def _has_screen() -> bool:
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")
