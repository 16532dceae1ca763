"""The command `config`: config.yaml checked before anybody depends on it, and its schema for editors."""

import json
from pathlib import Path
from typing import Annotated

import typer

from build_dashboard.config import config_path, read_text
from build_dashboard.config_error import ConfigError

config = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="config.yaml: check it, print its schema.")

File = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="Default: BUILD_DASHBOARD_CONFIG, else config.yaml."),
]


@config.command("check")
def check(file: File = None) -> None:
    """Name everything that is wrong with a config.yaml, each with its line; exit 1 where there is something."""
    from build_protocol.config_reading import ConfigFaulty, read_config  # noqa: PLC0415  (only this command needs it)

    path = file or config_path()
    try:
        projects = read_config(read_text(path)).projects
    except ConfigError as error:
        typer.echo(f"build-dashboard: {error.args[0]}", err=True)
        raise typer.Exit(1) from None
    except ConfigFaulty as error:
        for fault in error.faults:
            typer.echo(f"{path}:{fault.line or 1}: {fault.sentence}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{path}: {len(projects)} project{'' if len(projects) == 1 else 's'}, nothing is wrong")


@config.command("schema")
def schema() -> None:
    """Print the JSON Schema of config.yaml; editors read it by a line `# yaml-language-server: $schema=FILE`."""
    from build_protocol.config_reading import config_schema  # noqa: PLC0415  (as above)

    typer.echo(json.dumps(config_schema(), indent=2))
