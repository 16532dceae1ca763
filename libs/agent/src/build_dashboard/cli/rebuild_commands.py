"""The command `rebuild`: a service's store is computed again from the service before it, while all run; for admins."""

import time
from functools import partial
from typing import Any

import typer

from build_dashboard.cli.asked import asked
from build_dashboard.cli.client import Client

LOOK_SECONDS = 1.0

rebuild = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Compute a service's store again, for admins. Nobody is notified."
)


@rebuild.command("history")
def rebuild_history() -> None:
    """Compute history again from the builds that ingest holds; people's words and older builds stay as they are."""
    progress = asked(lambda client: client.post("/api/operation/rebuild/history", {}))
    while progress["state"] == "running":
        time.sleep(LOOK_SECONDS)
        progress = asked(lambda client: client.get("/api/operation/rebuild/history"))
        typer.echo(f"{progress['done']} of {progress['total']} builds", err=True)
    if progress["state"] != "done":
        typer.echo("history was restarted meanwhile: run this again", err=True)
        raise typer.Exit(1)
    typer.echo(f"rebuilt history from {progress['total']} builds")


@rebuild.command("notifier")
def rebuild_notifier() -> None:
    """Let notifier learn all incidents of history again; mutes and what was sent stay as they are."""
    count, query = 0, ""
    while True:
        path = f"/api/operation/rebuild/notifier{query}"
        answer = asked(partial(_publish, path))
        count += answer["incidents"]
        if answer.get("nextCursor") is None:
            break
        query = f"?cursor={answer['nextCursor']}"
    typer.echo(f"published {count} incidents again")


def _publish(path: str, client: Client) -> Any:
    return client.post(path, {})
