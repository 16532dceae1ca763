"""config.yaml and the settings, from their models."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from build_chassis.settings import ServiceSettings
from build_embedded.serve import SERVICES
from build_protocol.project_config import ConfigFile
from pydantic import SecretStr

from tools.reference.schemas import table

_SHARED_PREFIX = "<SERVICE>_"


def config_section() -> str:
    """Each level of config.yaml: its fields, defaults and meaning."""
    schema = ConfigFile.model_json_schema()
    parts = [table(schema)]
    for name, definition in schema["$defs"].items():
        parts += [f"### {name}", str(definition.get("description", "")), table(definition)]
    return "\n\n".join(parts)


def settings_section() -> str:
    """The variables of every service: those that all have, then each one's own."""
    # A service's own name is no setting of an operator's.
    shared = {name: field for name, field in ServiceSettings.model_fields.items() if name != "service"}
    parts = ["### Shared by every service", *_rows(shared, _SHARED_PREFIX)]
    sections = ["\n".join([parts[0], "", *parts[1:]])]
    for service in SERVICES:
        fields = import_module(f"build_{service}.settings").Settings.model_fields
        own = {name: field for name, field in fields.items() if name not in ServiceSettings.model_fields}
        sections.append("\n".join([f"### {service}", "", *_rows(own, f"{service.upper()}_")]))
    return "\n\n".join(sections)


def variables() -> set[str]:
    """The name of every variable that a service reads, `<SERVICE>` filled in."""
    names = set()
    for service in SERVICES:
        for name, field in import_module(f"build_{service}.settings").Settings.model_fields.items():
            names.add(_variable(name, field, f"{service.upper()}_"))
    return names


def _rows(fields: Mapping[str, Any], prefix: str) -> Iterator[str]:
    yield "| variable | default | meaning |"
    yield "|---|---|---|"
    for name, field in fields.items():
        meaning = str(field.description or "").replace("|", "\\|")
        yield f"| `{_variable(name, field, prefix)}` | {_default(field)} | {meaning} |"


def _variable(name: str, field: Any, prefix: str) -> str:
    return str(field.validation_alias or f"{prefix}{name.upper()}")


def _default(field: Any) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True, validated_data={})
    return "unset" if value in (None, "") or isinstance(value, SecretStr) else f"`{value}`"
