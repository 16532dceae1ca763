"""docker-compose.yml and the Dockerfile: valid to the real tools, complete, and private by default."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
SERVICES = ("gateway", "ingest", "notifier", "artifacts", "history")


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    """The file as the real Compose resolves it."""
    answer = subprocess.run(
        [str(TOOLS / "docker-compose"), "--file", str(ROOT / "docker-compose.yml"), "config", "--format", "json"],
        env=os.environ | {"JWT_SECRET_KEY": "0" * 64},
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
        assert ["python", "-m", name] == service["command"]
        assert (True, ["ALL"]) == (service["read_only"], service["cap_drop"])


def test_the_services_share_one_secret_and_only_the_front_is_reachable(composed: dict[str, Any]) -> None:
    """The signing key is the same everywhere; nothing but the TLS front publishes a port to other machines."""
    assert 1 == len({composed["services"][name]["environment"]["JWT_SECRET_KEY"] for name in SERVICES})
    published = {
        name
        for name, service in composed["services"].items()
        if any(port.get("host_ip") != "127.0.0.1" for port in service.get("ports", []))
    }
    assert {"front"} == published


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
