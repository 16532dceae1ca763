"""Ask the dashboard for a command: what it refuses is printed in its words, and ends the command."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from build_dashboard.cli.client import Client, DashboardError


def asked(ask: Callable[[Client], Any]) -> Any:
    """The answer of a request by a person's session; typer.Exit(1) where the dashboard refuses."""
    with problems():
        return ask(Client())


@contextmanager
def problems(code: int = 1) -> Iterator[None]:
    """Errors of the dashboard as one line, without a trace; they end the command with this code."""
    try:
        yield
    except DashboardError as error:
        typer.echo(error.lines, err=True)
        raise typer.Exit(code) from error
