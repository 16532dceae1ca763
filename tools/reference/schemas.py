"""JSON Schema as tables for people."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

REQUIRED = "**required**"


def table(schema: Mapping[str, Any], heads: tuple[str, str, str, str] = ("field", "type", "default", "meaning")) -> str:
    """A row for each property of an object's schema."""
    return "\n".join([f"| {' | '.join(heads)} |", "|---|---|---|---|", *_rows(schema)])


def type_words(schema: Mapping[str, Any]) -> str:
    """What a value may be, in a few words; other models are links to their headings."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if alternatives := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(type_words(each) for each in alternatives if each.get("type") != "null")
    return _of_type(schema)


def _of_type(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {type_words(schema.get('items', {}))}{_bounds(schema, 'Items')}"
    if kind == "object":
        values = next(iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties"))
        return f"object of {type_words(values)}" if isinstance(values, Mapping) else "object"
    if kind == "string":
        return f"text{_pattern(schema)}{_bounds(schema, 'Length')}"
    return f"{kind}{_range(schema)}"


def _rows(schema: Mapping[str, Any]) -> Iterator[str]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        default = REQUIRED if name in required else _default(field)
        cells = (f"`{name}`", type_words(field), default, str(field.get("description", "")))
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _default(field: Mapping[str, Any]) -> str:
    if field.get("default") is None:
        return "absent" if "default" in field else ""
    return f"`{json.dumps(field['default'])}`"


def _pattern(schema: Mapping[str, Any]) -> str:
    return f" `{schema['pattern']}`" if "pattern" in schema else ""


def _bounds(schema: Mapping[str, Any], of: str) -> str:
    least, most = schema.get(f"min{of}"), schema.get(f"max{of}")
    if least and most:
        return f", {least} to {most}"
    return f", at most {most}" if most else f", at least {least}" if least else ""


def _range(schema: Mapping[str, Any]) -> str:
    if schema.get("format") == "epoch-ms":
        return ", ms since 1970"
    least, most = schema.get("minimum"), schema.get("maximum")
    # The largest integer of the wire is named once, not in every row.
    most = None if most == 2**53 - 1 else most
    if least is not None and most is not None:
        return f", {least} to {most}"
    return f" >= {least}" if least is not None else f" <= {most}" if most is not None else ""
