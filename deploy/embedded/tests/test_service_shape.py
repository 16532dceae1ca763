"""All services have one shape: who knows one of them knows where to look in the others."""

import ast
import importlib
import inspect
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from build_chassis.parts import ServiceParts
from build_chassis.service_core import Given
from build_chassis.settings import ServiceSettings
from build_chassis.store.contract import Store
from build_embedded.serve import SERVICES
from build_protocol.topology import queues_of
from build_testkit.signing import SECRET
from fastapi import APIRouter
from fastapi.routing import APIRoute

MODULES = ("app", "dependencies", "metrics", "retention", "routes", "settings", "store.contract", "__main__")
CONSUMERS = tuple(service for service in SERVICES if queues_of(service))

PREFIX = "build_"
"""All import packages have one."""

OWN_PACE = {("gateway", "agents/session.py"): "a connection's sender, which ends with its connection"}
"""Loops that wait and are no duty, with the reason."""

pytestmark = pytest.mark.parametrize("service", SERVICES)


def root_of(service: str) -> Path:
    """Where the service's import package stands."""
    return Path(inspect.getfile(importlib.import_module(PREFIX + service))).parent


def find_file(service: str, name: str) -> Path | None:
    """The service's module of this name, in whatever room it stands; the one nearest to the root."""
    root, path = root_of(service), name.replace(".", "/")
    found = [*root.rglob(f"{path}.py"), *root.rglob(f"{path}/__init__.py")]
    return min(found, key=lambda file: len(file.parts), default=None)


def module(service: str, name: str) -> Any:
    file = find_file(service, name)
    assert file is not None, f"{service} has no module {name}"
    parts = file.relative_to(root_of(service).parent).with_suffix("").parts
    return importlib.import_module(".".join(parts).removesuffix(".__init__"))


def sources(service: str) -> Iterator[tuple[str, ast.Module]]:
    """Every source file of the service itself, by its path; its test helpers are none of it."""
    root = root_of(service)
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if name != "testing.py":
            yield name, ast.parse(path.read_text())


def test_it_has_the_same_modules(service: str) -> None:
    """Each of them under the same name; a consumer where the service owns queues."""
    for name in MODULES:
        assert module(service, name)
    assert (service in CONSUMERS) == (find_file(service, "consumer") is not None)


def test_it_is_created_in_the_same_way(service: str) -> None:
    """Settings and bus; by name what all may be given, its own store among it; beyond that all has a default."""
    settings, bus, *more, given = inspect.signature(module(service, "app").create_app).parameters.values()

    assert (settings.name, bus.name, given.name) == ("settings", "bus", "given")
    (shared,) = typing.get_args(given.annotation)
    assert typing.get_origin(shared) is Given
    assert is_store_of(service, *typing.get_args(shared))
    assert [] == [each.name for each in more if each.default is each.empty or each.kind is not each.KEYWORD_ONLY]


def test_its_routes_stand_on_typed_parts(service: str) -> None:
    """One frozen class, which has what all services have; every further field says what it is."""
    parts = module(service, "dependencies").Dependencies
    hints = typing.get_type_hints(parts)
    (base,) = parts.__orig_bases__

    assert typing.get_origin(base) is ServiceParts
    assert issubclass(typing.get_args(base)[0], ServiceSettings)
    assert parts.__dataclass_params__.frozen
    assert [] == [name for name, hint in hints.items() if hint in (Any, object)]


def test_nothing_else_hangs_on_the_app(service: str) -> None:
    """`app.state` is the chassis's own: it hands out the typed parts."""
    reads = [
        (name, node.attr)
        for name, tree in sources(service)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "state"
        and isinstance(node.value.value, ast.Attribute | ast.Name)
        and getattr(node.value.value, "attr", getattr(node.value.value, "id", "")) in ("app", "request")
    ]
    assert reads == []


def routers_of(service: str) -> list[Any]:
    settings = module(service, "settings").Settings(_env_file=None, jwt_secret_key=SECRET)
    return list(module(service, "routes").routers(settings))


def test_its_routers_have_one_name(service: str) -> None:
    """`routes.routers(settings)` are all of them."""
    routers = routers_of(service)

    assert routers
    assert all(isinstance(router, APIRouter) for router in routers)


def test_what_its_routes_depend_on_takes_no_thread(service: str) -> None:
    """A dependency that is no coroutine function is run in a thread, which takes longer than the rest of an answer."""
    asked = [
        needed
        for router in routers_of(service)
        for route in router.routes
        if isinstance(route, APIRoute)
        for needed in route.dependant.dependencies
    ]
    for needed in asked:  # it grows by what they depend on themselves
        assert inspect.iscoroutinefunction(needed.call), needed.call
        asked += needed.dependencies
    assert asked


def test_its_retention_has_one_name(service: str) -> None:
    """`Retention.forget_old(now_ms)`: the time is an argument."""
    step = module(service, "retention").Retention.forget_old

    assert ["self", "now_ms"] == list(inspect.signature(step).parameters)
    assert inspect.iscoroutinefunction(step)


@pytest.mark.parametrize("driver", ["sql", "mongo"])
def test_its_drivers_keep_one_contract(service: str, driver: str) -> None:
    """Each is a subclass of the contract, marks what it overrides, and does not say the contract's words again."""
    promises = [each for each in vars(module(service, "store.contract")).values() if is_store_of(service, each)]
    (contract,) = promises
    drivers = [each for each in vars(module(service, f"store.{driver}")).values() if is_store_of(service, each)]
    (made,) = [each for each in drivers if each is not contract and contract in each.__mro__]

    for name, method in inspect.getmembers(made, inspect.isfunction):
        promised = getattr(contract, name, None)
        if promised is None or name.startswith("__"):
            continue
        assert getattr(method, "__override__", False), f"{made.__name__}.{name} is not marked @override"
        assert method.__doc__ is None or method.__doc__ != promised.__doc__, (
            f"{made.__name__}.{name} repeats its promise"
        )


def is_store_of(service: str, candidate: object) -> bool:
    """Whether this is a store's class that the service itself declares."""
    package = importlib.import_module(PREFIX + service).__name__
    return isinstance(candidate, type) and Store in candidate.__mro__ and candidate.__module__.startswith(package)


def test_what_it_does_again_and_again_is_a_duty(service: str) -> None:
    """No loop without end waits by itself: the supervisor does, which knows what a failure does."""
    waiting = [
        name
        for name, tree in sources(service)
        for loop in ast.walk(tree)
        if isinstance(loop, ast.While) and isinstance(loop.test, ast.Constant)
        if any(isinstance(node, ast.Attribute) and node.attr == "sleep" for node in ast.walk(loop))
    ]
    assert [] == [name for name in waiting if (service, name) not in OWN_PACE]
