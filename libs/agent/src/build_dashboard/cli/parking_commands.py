"""The command `parking`: messages that no service could handle, set aside on the bus; for admins."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer

from build_dashboard.cli.asked import asked
from build_dashboard.cli.client import Client

parking = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Messages that no service could handle, for admins."
)

Id = Annotated[str, typer.Argument(metavar="ID", help="As `parking list` shows it.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="As `parking list` shows them.")]
All = Annotated[bool, typer.Option("--all", help="Every message that is set aside.")]


@parking.command("list")
def list_parked() -> None:
    """List what is set aside, oldest first."""
    for message in asked(lambda client: client.get("/api/parking"))["items"]:
        waits = "waits for you" if message["isFinal"] else "replays itself"
        parked_at = datetime.fromtimestamp(message["parkedAt"] / 1000, UTC).strftime("%Y-%m-%d %H:%M")
        typer.echo(
            f"{message['id']:14} {parked_at} {message['queue']:18} {message['type']:18} {message['project']:16}"
            f" {waits}: {message['reason']}"
        )


@parking.command("show")
def show_parked(parked_id: Id) -> None:
    """Print a message: where it came from, why it is set aside, what it says."""
    message = asked(lambda client: client.get(f"/api/parking/{parked_id}"))
    body, headers = message.pop("body"), message.pop("headers")
    for name, value in {**message, **headers}.items():
        typer.echo(f"{name}: {value}")
    typer.echo(f"\n{body}")


@parking.command("replay")
def replay_parked(ids: Ids = None, all_: All = False) -> None:
    """Put messages back to the queues they came from, once what kept them from being handled is repaired."""
    if bool(ids) == all_:
        raise typer.BadParameter("name messages, or give --all")
    names = ["all"] if all_ else ids or []
    answers = asked(lambda client: [client.post(f"/api/parking/{name}/replay", {}) for name in names])
    typer.echo(f"replayed {sum(answer['replayed'] for answer in answers)}")


@parking.command("drop")
def drop_parked(ids: Annotated[list[str], typer.Argument(metavar="ID...")]) -> None:
    """Delete messages for good."""
    for name in ids:
        asked(partial(_drop, name))
        typer.echo(f"dropped {name}")


def _drop(name: str, client: Client) -> None:
    client.delete(f"/api/parking/{name}")
