"""Times are named by one rule, wherever others read them: on the wire, in REST, in stores (`time_names.toml`)."""

import importlib
import pkgutil
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from build_embedded.serve import SERVICES
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import Integer, MetaData

PACKAGES = ("build_protocol", "build_chassis", *(f"build_{service}" for service in SERVICES))
RULE: dict[str, Any] = tomllib.loads(Path(__file__).with_name("time_names.toml").read_text())


class Named(NamedTuple):
    """A field, a query parameter or a column; `is_instant` None where its type does not tell."""

    where: str
    name: str
    is_number: bool
    is_instant: bool | None


def fault_of(named: Named) -> str | None:
    """What is wrong with a name, as a sentence; None where it follows the rule."""
    name = named.name
    says_instant = name == "at" or name.endswith("_at")
    if name in RULE["exceptions"] or not named.is_number:
        return None
    if named.is_instant and not says_instant:
        return f"{named.where}: {name} is an instant: end it in _at"
    if named.is_instant is False and says_instant:
        return f"{named.where}: {name} is named as an instant: type it EpochMs"
    if name.endswith("_ms") and name not in RULE["durations_ms"]:
        return f"{named.where}: {name}: end an instant in _at; add a duration to durations_ms in time_names.toml"
    if name.rpartition("_")[2] in RULE["unclear_endings"]:
        return f"{named.where}: {name}: end an instant in _at, a duration in _ms or _seconds"
    return None


@pytest.mark.parametrize(
    "bad",
    [
        Named("x", "started_ms", True, None),
        Named("x", "started", True, True),
        Named("x", "queued_ms", True, True),
        Named("x", "created_at", True, False),
        Named("x", "server_time", True, None),
        Named("x", "last_seen", True, None),
    ],
)
def test_the_rule_finds_what_breaks_it(bad: Named) -> None:
    """A rule that finds nothing would be no rule."""
    assert fault_of(bad) is not None


def test_models_name_times_by_the_rule() -> None:
    """Every field of every model: what is sent, answered, configured, or kept as JSON."""
    found = _fields()

    assert len(found) > 500
    assert [] == sorted(filter(None, map(fault_of, found)))


def test_rest_names_times_by_the_rule() -> None:
    """Every query parameter and property of every service's routes, as a client reads them."""
    found = _rest()

    assert len(found) > 300
    assert [] == sorted(filter(None, map(fault_of, found)))


def test_columns_name_times_by_the_rule() -> None:
    """Every column of every service's tables."""
    found = _columns()

    assert len(found) > 80
    assert [] == sorted(filter(None, map(fault_of, found)))


def test_the_rule_names_nothing_that_is_gone() -> None:
    """An entry of the data file that no field uses any more is deleted."""
    names = {named.name for named in (*_fields(), *_rest(), *_columns())}

    assert set() == {*RULE["durations_ms"], *RULE["exceptions"]} - names


@cache
def _fields() -> tuple[Named, ...]:
    return tuple(_each_field())


def _each_field() -> Iterator[Named]:
    _import_all()
    for model in sorted(_subclasses(BaseModel), key=lambda model: f"{model.__module__}.{model.__qualname__}"):
        if model.__module__.partition(".")[0] in PACKAGES and not model.__pydantic_generic_metadata__["parameters"]:
            properties = model.model_json_schema(by_alias=False).get("properties", {})
            yield from (_named(f"{model.__module__}.{model.__name__}", name, properties[name]) for name in properties)


@cache
def _rest() -> tuple[Named, ...]:
    return tuple(_each_rest())


def _each_rest() -> Iterator[Named]:
    app = FastAPI()
    for service in SERVICES:
        settings = importlib.import_module(f"build_{service}.settings").Settings.model_construct()
        for router in importlib.import_module(f"build_{service}.routes").routers(settings):
            app.include_router(router)
    document = app.openapi()
    for path, methods in document["paths"].items():
        for route in methods.values():
            for parameter in route.get("parameters", ()):
                yield _named(path, _snake(parameter["name"]), parameter["schema"])
    for name, schema in document["components"]["schemas"].items():
        for field, kind in schema.get("properties", {}).items():
            yield _named(name, _snake(field), kind)


@cache
def _columns() -> tuple[Named, ...]:
    return tuple(_each_column())


def _each_column() -> Iterator[Named]:
    modules = _import_all()
    tables = {id(value): value for module in modules for value in vars(module).values() if isinstance(value, MetaData)}
    for metadata in tables.values():
        for table in metadata.sorted_tables:
            for column in table.columns:
                is_number = isinstance(column.type, Integer)
                yield Named(f"table {table.name}", column.name, is_number, None)


def _named(where: str, name: str, schema: dict[str, Any]) -> Named:
    kinds = [schema, *schema.get("anyOf", ()), *schema.get("allOf", ())]
    is_number = any(kind.get("type") in ("integer", "number") for kind in kinds)
    return Named(where, name, is_number, any(kind.get("format") == "epoch-ms" for kind in kinds))


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _import_all() -> list[Any]:
    roots = [importlib.import_module(package) for package in PACKAGES]
    below = [module.name for root in roots for module in pkgutil.walk_packages(root.__path__, f"{root.__name__}.")]
    wanted = [name for name in below if not name.endswith("__main__")]
    return [*roots, *map(importlib.import_module, wanted)]


def _subclasses(root: type[BaseModel]) -> set[type[BaseModel]]:
    direct = set(root.__subclasses__())
    return direct.union(*(_subclasses(each) for each in direct))
