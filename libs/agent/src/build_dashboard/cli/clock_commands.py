"""The command `clock`: what waits for a person since the server's clock leapt, and that person's word; for admins."""

import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from build_dashboard.cli.asked import asked
from build_dashboard.duration import read_duration

clock = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The server's clock after a leap, for admins.")


@clock.command("show")
def show_clock() -> None:
    """Print what the services stopped because of their clocks or of what they would delete."""
    notices = asked(lambda client: client.get("/api/operation/notices"))["items"]
    held = [notice for notice in notices if notice["kind"] in ("retention", "silent")]
    for notice in held:
        typer.echo(f"{notice['text']}\n  {notice['remedy']}")
    if not held:
        typer.echo("the clocks of all services are in no doubt, and retention runs")


@clock.command("adopt")
def adopt_clock(
    is_agreed: Annotated[bool, typer.Option("--yes", help="Do not ask: this machine's clock is right.")] = False,
) -> None:
    """Let the services go on with their clocks, where these show what this machine's shows."""
    now_at = time.time_ns() // 1_000_000
    shown = datetime.fromtimestamp(now_at / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    if not is_agreed:
        typer.confirm(f"This machine's clock is at {shown} UTC. Is that right?", abort=True)
    items = asked(lambda client: client.post("/api/operation/clock/adopt", {"nowAt": now_at}))["items"]
    for item in items:
        typer.echo(
            f"{item['service']}: goes on"
            if item["isAdopted"]
            else f"{item['service']}: {item['detail']} {item['remedy']}"
        )
    if not all(item["isAdopted"] for item in items):
        raise typer.Exit(1)


@clock.command("place-anew")
def place_anew(
    since: Annotated[datetime, typer.Option(help="From when on, by the wrong clock (UTC, as 2026-11-30T12:00:00).")],
    before: Annotated[datetime, typer.Option(help="Until when, in the same way.")],
    ahead: Annotated[str, typer.Option(metavar="DURATION", help="How far ahead it was, as 72h or 90m.")] = "",
    behind: Annotated[str, typer.Option(metavar="DURATION", help="Or how far behind.")] = "",
    is_agreed: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Give builds that were received while the server's clock was wrong the place they would have had."""
    if bool(ahead) == bool(behind):
        raise typer.BadParameter("say how far --ahead or how far --behind the clock was")
    try:
        ahead_ms = round(1000 * (read_duration(ahead) if ahead else -read_duration(behind)))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    span = {"sinceAt": _instant(since), "beforeAt": _instant(before), "aheadMs": ahead_ms}
    path = "/api/operation/clock/place-anew"
    counted = asked(lambda client: client.post(path, {**span, "isCheck": True}))
    typer.echo(f"{counted['placed']} builds were received by that clock, {counted['left']} others are left")
    if counted["placed"] and (is_agreed or typer.confirm("Move them?")):
        typer.echo(f"placed {asked(lambda client: client.post(path, span))['placed']} builds anew")


def _instant(at: datetime) -> int:
    return round(at.replace(tzinfo=UTC).timestamp() * 1000)
