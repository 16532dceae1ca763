"""config.yaml's text read: the projects, or each fault with its line and the name that was probably meant. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from build_protocol.project_config import ConfigFile

Path = Sequence[int | str]

_WORDS = {"missing": "it is missing", "model_type": "it must be a mapping of fields"}


class ConfigFault(NamedTuple):
    """One thing that is wrong."""

    line: int | None
    """Of the text, from 1; None where it is about all of it."""
    place: str
    """As `projects.torch-mlir.branch`; empty where it is about all of it."""
    what: str

    @property
    def sentence(self) -> str:
        """Place and fault, in one line."""
        return " ".join(f"{self.place}: {self.what}".removeprefix(": ").split())


class ConfigFaulty(ValueError):
    """The text is no config.yaml; `faults` are in the order of their lines, at least one."""

    def __init__(self, faults: Sequence[ConfigFault]) -> None:
        self.faults = tuple(faults)
        more = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
        super().__init__(f"{self.faults[0].sentence}{more}")


def read_config(text: str) -> ConfigFile:
    """The projects that this text names.

    Raises:
        ConfigFaulty: with every fault.
    """
    try:
        root, value = _parsed(text)
        doubled = list(_doubled(root))
    except RecursionError:
        raise ConfigFaulty([ConfigFault(None, "", "it is nested too deeply")]) from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no date, a number of too many digits
        raise ConfigFaulty([_no_yaml(error)]) from error
    try:
        config = ConfigFile.model_validate(value)
    except ValidationError as error:
        faults = [_fault(root, one["loc"], one["type"], one["msg"]) for one in error.errors()]
        raise ConfigFaulty(sorted(faults + doubled, key=lambda fault: fault.line or 0)) from error
    if doubled:
        raise ConfigFaulty(doubled)
    return config


def config_schema() -> dict[str, Any]:
    """JSON Schema of the file, for editors: what it accepts `read_config` accepts, but for rules across fields."""
    schema = ConfigFile.model_json_schema()
    projects = schema["properties"]["projects"]
    # `torch-mlir:` alone is a project with every default.
    projects["patternProperties"] = {
        pattern: {"anyOf": [project, {"type": "null"}]} for pattern, project in projects["patternProperties"].items()
    }
    projects["additionalProperties"] = False
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "config.yaml of the build dashboard",
    }


def _parsed(text: str) -> tuple[yaml.Node | None, object]:
    """The text as nodes, which know their lines, and as the value that they make."""
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        return root, None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()


def _no_yaml(error: Exception) -> ConfigFault:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or error
    return ConfigFault(None if mark is None else mark.line + 1, "", f"it is no YAML: {problem}")


def _doubled(root: yaml.Node | None) -> Iterator[ConfigFault]:
    """Every key that its mapping has twice: YAML's readers keep the last one in silence."""
    seen: set[int] = set()  # an alias is the very node it stands for
    waiting: list[tuple[tuple[str, ...], yaml.Node | None]] = [((), root)]
    while waiting:
        path, node = waiting.pop()
        if id(node) in seen or not isinstance(node, yaml.MappingNode | yaml.SequenceNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [((*path, str(index)), item) for index, item in enumerate(node.value)]
            continue
        first: dict[str, int] = {}
        for key, item in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if first.setdefault(name, line) != line:
                yield ConfigFault(line, ".".join((*path, name)), f"it is there already, in line {first[name]}")
            waiting.append(((*path, name), item))


def _fault(root: yaml.Node | None, loc: Path, kind: str, message: str) -> ConfigFault:
    path = [part for part in loc if part != "[key]"]
    if not path:
        return ConfigFault(None, "", "it must be a mapping whose `projects:` names the projects")
    place = ".".join(map(str, path))
    if kind == "extra_forbidden":
        return ConfigFault(_line(root, path), place, f"there is no such field{_meant(path)}")
    if kind in _WORDS:
        return ConfigFault(_line(root, path), place, _WORDS[kind])
    return ConfigFault(_line(root, path), place, message.removeprefix("Value error, "))


def _line(root: yaml.Node | None, path: Path) -> int | None:
    """The line of the deepest part of this path that the text has; None where it has none of it."""
    node, line = root, None
    for part in path:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            found = [(key, item) for key, item in node.value if str(key.value) == str(part)]
            if not found:
                return line
            line, node = found[-1][0].start_mark.line + 1, found[-1][1]
        else:
            return line
    return line


def _meant(path: Path) -> str:
    """The field that was probably meant: one of nearly this name here, or the one of this name on another level."""
    *above, last = path
    name = str(last)
    if near := get_close_matches(name, _fields(_below(above)), n=1, cutoff=0.6):
        return f"; did you mean {near[0]}?"
    levels = [level for level, fields in _levels().items() if name in fields]
    return f"; it is a field of {levels[0]}" if levels else ""


def _below(path: Path) -> Mapping[str, Any]:
    """The schema of what stands at this path."""
    schema = _schema()
    for part in path:
        pattern = next(iter(schema.get("patternProperties", {}).values()), None)
        below = schema.get("properties", {}).get(part) or pattern or schema.get("additionalProperties")
        below = below if isinstance(below, Mapping) else schema.get("items", {})
        schema = _resolved(below)
    return schema


def _levels() -> Mapping[str, Sequence[str]]:
    """The fields of each level below the top, by what people call the level."""
    names = {"Project": "a project", "Websocket": "`websocket`", "BuildConfig": "a config, in `configs`"}
    defined = _schema()["$defs"]
    return {names.get(name, name): _fields(level) for name, level in defined.items()}


def _fields(schema: Mapping[str, Any]) -> Sequence[str]:
    return list(schema.get("properties", {}))


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    found: Mapping[str, Any] = _schema()["$defs"][name] if name else schema
    return found


@cache
def _schema() -> Mapping[str, Any]:
    return ConfigFile.model_json_schema()
