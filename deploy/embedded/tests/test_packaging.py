"""The two distributions: what they carry, how they hold together, and that the server runs from them."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest
from build_embedded.serve import SERVICES

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
PYTEST_PLUGIN = "build_dashboard/pytest_plugin.py"
"""Part of the product: it is loaded by the pytest of whoever has both."""

IMPORTS = re.compile(r"^\s*(?:from|import) (\w+)", re.MULTILINE)
TEST_CODE = {"pytest", "build_testkit", "testcontainers"}
DISTRIBUTIONS = {"build-dashboard": ROOT, "build-dashboard-server": ROOT / "deploy/embedded"}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> dict[str, zipfile.ZipFile]:
    """Both wheels, built from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    for project in DISTRIBUTIONS.values():
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
        subprocess.run(command, cwd=project, check=True, capture_output=True, timeout=100)
    found = {path.name.split("-")[0].replace("_", "-"): zipfile.ZipFile(path) for path in folder.glob("*.whl")}
    assert set(DISTRIBUTIONS) == set(found)
    return found


def packages_of(wheel: zipfile.ZipFile) -> set[str]:
    return {name.split("/")[0] for name in wheel.namelist() if ".dist-info" not in name}


def metadata_of(wheel: zipfile.ZipFile):
    name = next(name for name in wheel.namelist() if name.endswith("METADATA"))
    return HeaderParser().parsestr(wheel.read(name).decode())


def serve(service: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command, environment = [sys.executable, "-m", "build_dashboard", "serve", service], {"PATH": os.defpath}
    return subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def test_every_import_package_carries_the_prefix(wheels) -> None:
    """Nothing that is installed can collide with a `gateway` or a `history` of the user's."""
    agent, server = packages_of(wheels["build-dashboard"]), packages_of(wheels["build-dashboard-server"])

    assert {"build_analysis", "build_dashboard", "build_protocol"} == agent
    assert {"build_chassis", "build_embedded", *(f"build_{name}" for name in SERVICES)} == server


def test_no_release_carries_test_code(wheels) -> None:
    """What imports pytest or the testkit is for the checkout only."""
    for wheel in wheels.values():
        for name in wheel.namelist():
            if name.endswith(".py") and name != PYTEST_PLUGIN:
                assert not TEST_CODE & set(IMPORTS.findall(wheel.read(name).decode())), name


def test_a_release_lacks_no_module(wheels) -> None:
    """Whatever a module is called: what is in a package and tests nothing is in its wheel."""
    carried = {name for wheel in wheels.values() for name in wheel.namelist()}
    sources = [path for folder in ("libs", "services", "deploy") for path in ROOT.glob(f"{folder}/*/src/*/**/*.py")]
    lacking = [
        name
        for path in sources
        if (name := path.relative_to(next(each for each in path.parents if each.name == "src")).as_posix())
        not in carried
        and not name.startswith("build_testkit/")
        and not TEST_CODE & set(IMPORTS.findall(path.read_text()))
    ]

    assert [] == lacking


def test_the_distributions_are_pinned_to_each_other(wheels) -> None:
    """A server never meets an agent's libraries of another version, whichever of the two is upgraded first."""
    version = metadata_of(wheels["build-dashboard"])["Version"]

    assert version == metadata_of(wheels["build-dashboard-server"])["Version"]
    assert f"build-dashboard=={version}" in metadata_of(wheels["build-dashboard-server"]).get_all("Requires-Dist")
    extra = [
        line
        for line in metadata_of(wheels["build-dashboard"]).get_all("Requires-Dist")
        if "extra == 'server'" in line.replace('"', "'")
    ]
    assert [f"build-dashboard-server=={version}"] == [line.split(";")[0].strip() for line in extra]


def test_the_lock_knows_every_dependency_of_the_server() -> None:
    """Each import of a foreign package by the server's code is one that its distribution names."""
    named = tomllib.loads((ROOT / "deploy/embedded/pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[<>=\[;! ]", line)[0] for line in named}

    assert {"aio-pika", "boto3", "fastapi", "pymongo", "python-jose", "sendgrid", "websockets"} <= names


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_is_served_by_its_name(service, tmp_path) -> None:
    """`build-dashboard serve SERVICE` starts that service: without a key it names the missing variable and stops."""
    done = serve(service, tmp_path)

    assert 0 != done.returncode
    assert f"{service}: JWT_SECRET_KEY is not set" in done.stderr


def test_an_unknown_service_is_refused_with_the_choice(tmp_path) -> None:
    """A wrong name answers with the five that there are."""
    done = serve("web", tmp_path)

    assert 2 == done.returncode
    assert all(name in done.stderr for name in SERVICES)
