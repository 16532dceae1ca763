"""Which document has which generated part, and what stands there."""

import json
from pathlib import Path

from build_embedded.setup.answers import Answers
from build_embedded.setup.texts import AGENT_UNIT, SERVER_UNIT, agent_unit, server_unit
from build_protocol.asyncapi import asyncapi, json_schema
from build_protocol.config_reading import config_schema

from tools.reference.api import api_section
from tools.reference.commands import commands_section
from tools.reference.configuration import config_section, settings_section
from tools.reference.failures import failures_section
from tools.reference.frames import frames_section
from tools.reference.metrics import metrics_section, overview

ROOT = Path(__file__).parents[2]
_SERVER, _AGENT = Path("/srv/build-dashboard"), Path("/etc/build-dashboard")
_PROGRAM = "/opt/build-dashboard/bin/build-dashboard"
"""Where the units that lie in the repository expect things."""
BEGIN, END = "<!-- begin: written by `make reference` -->", "<!-- end -->"


def documents() -> dict[str, str]:
    """The text of every document that is generated, or has a generated part, by its path in the repository."""
    sections = {
        "docs/protocol.md": frames_section(),
        "docs/reference/api.md": api_section(),
        "docs/reference/command-line.md": commands_section(),
        "docs/reference/config-yaml.md": config_section(),
        "docs/reference/failures.md": failures_section(),
        "docs/reference/metrics.md": metrics_section(),
        "docs/reference/settings.md": settings_section(),
    }
    return {path: with_part(path, section) for path, section in sections.items()} | {
        "docs/protocol.schema.json": _json(json_schema()),
        f"deploy/systemd/{SERVER_UNIT}": server_unit(Answers(folder=_SERVER, user="build-dashboard"), _PROGRAM),
        f"deploy/systemd/{AGENT_UNIT}": agent_unit(Answers(folder=_AGENT, user="builder"), _PROGRAM),
        "deploy/monitoring/grafana/dashboards/overview.json": _json(overview()),
        "docs/config.schema.json": _json(config_schema()),
        "docs/asyncapi.json": _json(asyncapi()),
    }


def with_part(path: str, part: str) -> str:
    """The document as it stands, with this text between its marks.

    Raises:
        ValueError: the document has not exactly one pair of marks.
    """
    before, begin, rest = (ROOT / path).read_text().partition(f"{BEGIN}\n")
    _, end, after = rest.partition(f"{END}\n")
    if not begin or not end or BEGIN in after:
        raise ValueError(f"{path}: one pair of marks is needed: {BEGIN} and {END}")
    return f"{before}{begin}\n{part}\n\n{end}{after}"


def _json(document: object) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
