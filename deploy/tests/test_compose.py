"""docker-compose.yml and the Dockerfile: valid to the real tools, complete, and private by default."""

import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from build_embedded.serve import SERVICES

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
ACCESS_KEY, SECRET_KEY = "made-for-this-test", "0123456789abcdef/0123456789+ABCDEF=="


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    """The file as the real Compose resolves it."""
    answer = subprocess.run(
        [str(TOOLS / "docker-compose"), "--file", str(ROOT / "docker-compose.yml"), "config", "--format", "json"],
        env=os.environ
        | {"JWT_SECRET_KEY": secrets.token_hex(32), "AWS_ACCESS_KEY": ACCESS_KEY, "AWS_SECRET_KEY": SECRET_KEY},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == answer.returncode, answer.stderr
    resolved: dict[str, Any] = json.loads(answer.stdout)
    return resolved


def test_all_services_run_from_one_image_without_rights(composed: dict[str, Any]) -> None:
    """Five services, one image, a read-only file system, no capabilities."""
    for name in SERVICES:
        service = composed["services"][name]
        assert ["build-dashboard", "serve", name] == service["command"]
        assert (True, ["ALL"]) == (service["read_only"], service["cap_drop"])


def test_the_services_share_one_secret_and_only_the_front_is_reachable(composed: dict[str, Any]) -> None:
    """The signing key is the same everywhere; the TLS front publishes ports, and MariaDB one for its machine."""
    assert 1 == len({composed["services"][name]["environment"]["JWT_SECRET_KEY"] for name in SERVICES})
    published = {
        name: {port.get("host_ip") for port in service["ports"]}
        for name, service in composed["services"].items()
        if "ports" in service
    }
    assert {"front": {None}} == {name: hosts for name, hosts in published.items() if name != "mysql"}
    assert published.get("mysql", {"127.0.0.1"}) == {"127.0.0.1"}


def test_compose_refuses_to_start_without_a_signing_key() -> None:
    """A missing JWT_SECRET_KEY is an error that names it, not an empty key."""
    answer = subprocess.run(
        [str(TOOLS / "docker-compose"), "--file", str(ROOT / "docker-compose.yml"), "config", "--quiet"],
        env={name: value for name, value in os.environ.items() if name != "JWT_SECRET_KEY"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 != answer.returncode
    assert "JWT_SECRET_KEY" in answer.stderr


def networks_of(composed: dict[str, Any], name: str) -> set[str]:
    return set(composed["services"][name]["networks"])


def test_who_serves_whom_shares_a_network_and_nobody_else_does(composed: dict[str, Any]) -> None:
    """The object store is the artifacts service's alone, without a way out; the front reaches the gateway only."""
    assert networks_of(composed, "objects") == {"objects"}
    assert networks_of(composed, "front") == {"front"}
    for network, members in (("objects", {"objects", "artifacts"}), ("front", {"front", "gateway"})):
        assert {name for name in composed["services"] if network in networks_of(composed, name)} == members
    assert composed["networks"]["objects"]["internal"] is True


def test_the_gateway_believes_the_front_and_nobody_else(composed: dict[str, Any]) -> None:
    """The front's network has addresses known beforehand: those are TRUSTED_PROXIES. The public address is https."""
    (front,) = composed["networks"]["front"]["ipam"]["config"]
    environment = composed["services"]["gateway"]["environment"]
    assert environment["TRUSTED_PROXIES"] == front["subnet"]
    assert environment["BUILD_DASHBOARD_URL"] == "https://localhost"


def start_broker(composed: dict[str, Any], directory: Path, **passwords: str) -> subprocess.CompletedProcess[str]:
    """Run what the broker's container runs, up to its image's own entry point."""
    entry = directory / "docker-entrypoint.sh"
    entry.write_text('#!/bin/sh\necho "started $*"\n')
    entry.chmod(0o755)
    service = composed["services"]["rabbitmq"]
    return subprocess.run(
        [*service["entrypoint"], *(part.replace("$$", "$") for part in service["command"])],
        env={
            "PATH": f"{directory}:{os.environ['PATH']}",
            "DEFINITIONS": str(directory / "definitions.json"),
            "DEFINITIONS_TEMPLATE": str(ROOT / "deploy" / "rabbitmq" / "definitions.template.json"),
            **{f"RABBITMQ_{name.upper()}_PASSWORD": passwords.get(name, "") for name in SERVICES},
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_service_has_a_user_of_its_own_on_the_broker(composed: dict[str, Any], tmp_path: Path) -> None:
    """With the password that only it and the broker have; the file that the broker loads has no other user."""
    passwords = {name: secrets.token_hex(24) for name in SERVICES}
    started = start_broker(composed, tmp_path, **passwords)

    assert (started.returncode, started.stdout) == (0, "started rabbitmq-server\n"), started.stderr
    loaded = json.loads((tmp_path / "definitions.json").read_text())
    assert {user["name"]: user["password"] for user in loaded["users"]} == passwords
    assert {permission["user"] for permission in loaded["permissions"]} == set(SERVICES)
    for name in SERVICES:
        environment = composed["services"][name]["environment"]
        assert environment["AMQP_URL"].startswith(f"amqp://{name}:")
        assert not [variable for variable in environment if variable.startswith("RABBITMQ_")]


@pytest.mark.parametrize("password", ["", "x" * 31, "x" * 40 + "/", "change me"])
def test_a_broker_with_a_weak_password_does_not_start(composed: dict[str, Any], tmp_path: Path, password: str) -> None:
    """Its log names the variable and what to set."""
    passwords = {name: secrets.token_hex(24) for name in SERVICES} | {"history": password}
    started = start_broker(composed, tmp_path, **passwords)

    assert started.returncode == 1
    assert "RABBITMQ_HISTORY_PASSWORD" in started.stderr
    assert "openssl rand" in started.stderr


def test_the_database_alone_needs_no_keys_of_other_services() -> None:
    """`docker-compose up -d mysql` asks for nothing of the object store's."""
    answer = subprocess.run(
        [str(TOOLS / "docker-compose"), "--file", str(ROOT / "docker-compose.yml"), "config", "--quiet"],
        env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        | {"JWT_SECRET_KEY": secrets.token_hex(32)},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (answer.returncode, answer.stderr)


def test_every_variable_compose_sets_is_one_a_service_reads(composed: dict[str, Any]) -> None:
    """A setting that nobody reads is a promise nobody keeps."""
    sources = "\n".join(
        path.read_text() for folder in ("libs", "services") for path in (ROOT / folder).glob("*/src/**/*.py")
    )
    prefixes = tuple(f"{name.upper()}_" for name in SERVICES)
    for name in SERVICES:
        for variable in composed["services"][name]["environment"]:
            field = next((variable.removeprefix(p).lower() for p in prefixes if variable.startswith(p)), None)
            is_read = f'"{variable}"' in sources or (field and re.search(rf"^    {field}: ", sources, re.MULTILINE))
            assert is_read, variable


def test_the_dockerfile_satisfies_its_linter() -> None:
    """hadolint finds nothing, and the image does not run as root."""
    dockerfile = ROOT / "deploy" / "docker" / "Dockerfile"
    answer = subprocess.run([str(TOOLS / "hadolint"), str(dockerfile)], capture_output=True, text=True, check=False)

    assert (0, "") == (answer.returncode, answer.stdout)
    assert re.search(r"^USER 10001$", dockerfile.read_text(), re.MULTILINE)
