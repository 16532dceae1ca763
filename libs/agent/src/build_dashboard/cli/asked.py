"""Ask the dashboard one thing for a command: its refusal is printed, and ends the command with 1."""

from collections.abc import Callable
from typing import Any

import typer

from build_dashboard.cli.client import Client, DashboardError


def asked(ask: Callable[[Client], Any]) -> Any:
    """The answer of a request by a person's session; typer.Exit where the dashboard refuses."""
    try:
        return ask(Client())
    except DashboardError as error:
        typer.echo(error.lines, err=True)
        raise typer.Exit(1) from error
