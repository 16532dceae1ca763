"""The command line, from its own definitions."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from typing import Any
from unittest.mock import patch

import typer
from build_dashboard.builds.run_options import parse
from build_dashboard.cli.commands import app
from build_dashboard.cli.schemas import ANSWERS


def commands() -> dict[str, Any]:
    """Every command by the words that call it, as `keys create`."""
    return dict(_walk("", typer.main.get_command(app)))


def options() -> dict[str, set[str]]:
    """The options of every command, by its words."""
    found = {name: {one for each in command.params for one in each.opts} for name, command in commands().items()}
    return found | {"run": set(re.findall(r"--[a-z][a-z-]*", _help_of_run()))}


def _walk(prefix: str, command: Any) -> Iterator[tuple[str, Any]]:
    if below := getattr(command, "commands", None):
        for name, each in below.items():
            yield from _walk(f"{prefix} {name}", each)
    else:
        yield prefix.strip(), command


def _help_of_run() -> str:
    """`run` has a parser of its own, so that it starts at once."""
    text = io.StringIO()
    with patch.dict(os.environ, {"COLUMNS": "110"}), redirect_stdout(text), suppress(SystemExit):
        parse(["--help"])
    return text.getvalue()


def commands_section() -> str:
    """Each command with its options."""
    parts = []
    for name, command in sorted(commands().items()):
        if name == "run":
            parts.append(f"### build-dashboard run\n\n```text\n{_help_of_run().strip()}\n```")
            continue
        rows = [
            f"| {', '.join(f'`{one}`' for one in each.opts)} | {getattr(each, 'help', None) or ''} |"
            for each in command.params
        ]
        table = "\n".join(["| | |", "|---|---|", *rows]) if rows else ""
        words = " ".join((command.help or "").split())
        described = f"What `--json` prints: `build-dashboard schema {name}`." if name in ANSWERS else ""
        parts.append("\n\n".join(part for part in (f"### build-dashboard {name}", words, table, described) if part))
    return "\n\n".join(parts)
