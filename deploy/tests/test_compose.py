"""docker-compose.yml and the Dockerfile: valid to the real tools, complete, and private by default.

What runs them on a real engine is in test_containers.py.
"""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from build_embedded.serve import SERVICES

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
MYSQL, CLUSTER = "deploy/compose/mysql.yml", "deploy/compose/cluster.yml"
DATABASES = {"mongodb", "mysql"}


def make_secrets(directory: Path) -> Path:
    """Secrets, as `make compose-secrets` makes them."""
    subprocess.run([str(ROOT / "deploy/compose/secrets.sh"), str(directory)], check=True)
    return directory


def resolve(secrets: Path, *more: str, profiles: Sequence[str] = ()) -> dict[str, Any]:
    """The file, and those of this checkout over it, as the real Compose resolves them."""
    files = [part for name in ("docker-compose.yml", *more) for part in ("--file", str(ROOT / name))]
    chosen = [f"--profile={name}" for name in profiles]
    answer = subprocess.run(
        [str(TOOLS / "docker-compose"), *files, *chosen, "config", "--format", "json"],
        env={"PATH": os.environ["PATH"], "SECRETS": str(secrets)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == answer.returncode, answer.stderr
    resolved: dict[str, Any] = json.loads(answer.stdout)
    return resolved


@pytest.fixture(scope="module")
def secrets_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_secrets(tmp_path_factory.mktemp("compose") / "secrets")


@pytest.fixture(scope="module")
def composed(secrets_folder: Path) -> dict[str, Any]:
    return resolve(secrets_folder, profiles=["*"])


def test_all_services_run_from_one_image_without_rights(composed: dict[str, Any]) -> None:
    """Five services, one image."""
    for name in SERVICES:
        service = composed["services"][name]
        assert ("build-dashboard:latest", ["build-dashboard", "serve", name]) == (service["image"], service["command"])


@pytest.mark.parametrize("files", [(), (MYSQL,), (CLUSTER,)], ids=["base", "mysql", "cluster"])
def test_no_container_has_more_than_it_needs(secrets_folder: Path, files: tuple[str, ...]) -> None:
    """Read-only, no capability but those named with a reason, bounded memory, processes and logs; it comes back."""
    for name, service in resolve(secrets_folder, *files, profiles=["*"])["services"].items():
        assert (True, ["ALL"]) == (service["read_only"], service["cap_drop"]), name
        assert ["no-new-privileges:true"] == service["security_opt"], name
        limits = service["deploy"]["resources"]["limits"]
        assert {"memory", "cpus", "pids"} == set(limits), name
        assert {"max-size": "10m", "max-file": "5"} == service["logging"]["options"], name
        assert service["restart"] in ("unless-stopped", "on-failure"), name
        added = {"front": {"NET_BIND_SERVICE"}, "objects": {"CHOWN", "DAC_OVERRIDE", "SETGID", "SETUID"}}
        assert added.get(name, set()) == set(service.get("cap_add", [])), name


def test_what_runs_on_and_on_says_whether_it_is_well(composed: dict[str, Any]) -> None:
    """Every service and store has a health check; the five services are asked for their readiness."""
    without = {name for name, service in composed["services"].items() if "healthcheck" not in service}
    assert {"mongodb-accounts", "mirror", "prometheus", "alertmanager", "grafana"} == without
    for name in SERVICES:
        assert ["CMD", "python", "-m", "build_chassis.ready"] == composed["services"][name]["healthcheck"]["test"]


def test_only_the_front_is_reachable_from_elsewhere(composed: dict[str, Any]) -> None:
    """What else publishes a port does so for its own machine."""
    published = {
        name: {port.get("host_ip") for port in service["ports"]}
        for name, service in composed["services"].items()
        if "ports" in service
    }
    assert {"front": {None}, "mysql": {"127.0.0.1"}, "grafana": {"127.0.0.1"}} == published


def members_of(composed: dict[str, Any]) -> dict[str, set[str]]:
    networks: dict[str, set[str]] = {}
    for name, service in composed["services"].items():
        for network in service["networks"]:
            networks.setdefault(network, set()).add(name)
    return networks


def test_who_serves_whom_shares_a_network_and_nobody_else_does(composed: dict[str, Any]) -> None:
    """From the front's network no store can be reached; the object store is the artifacts service's alone."""
    members = members_of(composed)
    assert {"front", "gateway"} == members["front"]
    assert {"front"} == members["edge"]
    assert {"objects", "artifacts"} == members["objects"]
    assert {"rabbitmq", "prometheus", *SERVICES} == members["bus"]
    assert {"mongodb", "mongodb-accounts", *SERVICES} == members["stores"]
    assert {"notifier", "mirror", "alertmanager"} == members["out"]
    internal = {name for name, network in composed["networks"].items() if network.get("internal")}
    assert {"front", "services", "bus", "stores", "objects", "monitoring"} == internal


def test_a_mirror_reaches_the_gateway_and_the_cis_and_no_store(composed: dict[str, Any]) -> None:
    """It is an agent with a key, one way in and one way out; nobody has it who did not ask for it."""
    mirror = composed["services"]["mirror"]
    assert ["mirror"] == mirror["profiles"]
    assert {"services", "out"} == set(mirror["networks"])
    assert {"api_key", "github_token"} == {secret["source"] for secret in mirror["secrets"]}


def test_the_gateway_believes_the_front_and_nobody_else(composed: dict[str, Any]) -> None:
    """The front's network has addresses known beforehand: those are TRUSTED_PROXIES. The public address is https."""
    (front,) = composed["networks"]["front"]["ipam"]["config"]
    environment = composed["services"]["gateway"]["environment"]
    assert environment["TRUSTED_PROXIES"] == front["subnet"]
    assert environment["BUILD_DASHBOARD_URL"] == "https://localhost"


def test_no_secret_is_in_an_environment_or_a_file_of_the_checkout(
    composed: dict[str, Any], secrets_folder: Path
) -> None:
    """Each is a file that only its own containers are given; without the files nothing has a password."""
    known = [path.read_text().strip() for path in secrets_folder.iterdir() if path.stat().st_size > 1]
    assert not [secret for secret in known if secret in json.dumps(composed)]
    for name in SERVICES:
        service = composed["services"][name]
        mounted = {Path(secret["target"]).name for secret in service["secrets"]}
        named = {Path(value).name for variable, value in service["environment"].items() if variable.endswith("_FILE")}
        assert mounted == named, name
        others = {other for other in SERVICES if other != name}
        assert not [each for each in service["secrets"] if each["source"].rpartition("_")[2] in others]


@pytest.mark.parametrize("files", [(), (MYSQL,)], ids=["mongodb", "mysql"])
def test_each_service_uses_an_account_and_a_database_of_its_own(secrets_folder: Path, files: tuple[str, ...]) -> None:
    """On the broker and on the database that was chosen."""
    composed = resolve(secrets_folder, *files)
    kind = "mysql" if files else "mongodb"
    assert {kind} == DATABASES & set(composed["services"])
    passwords = set()
    for name in SERVICES:
        given = {each["source"]: each["target"] for each in composed["services"][name]["secrets"]}
        assert (given[f"amqp_{name}"], given[f"store_{name}"]) == ("amqp_url", "store_url")
        for source, path in ((f"amqp_{name}", ""), (f"store_{name}", f"build_dashboard_{name}")):
            url = urlsplit(Path(composed["secrets"][source]["file"]).read_text().strip())
            assert (url.username, url.path.strip("/")) == (name, path)
            passwords.add(url.password)
        store = urlsplit(Path(composed["secrets"][f"store_{name}"]["file"]).read_text())
        assert (store.scheme, store.hostname) == (kind, kind)
    assert 2 * len(SERVICES) == len(passwords)


def test_services_wait_for_the_database_that_was_chosen_and_no_other(secrets_folder: Path) -> None:
    """The other one is not even started."""
    waits = {}
    for kind, files in (("mongodb", ()), ("mysql", (MYSQL,))):
        services = resolve(secrets_folder, *files)["services"]
        awaited = services["ingest"]["depends_on"]
        assert all(each["required"] is False for name, each in awaited.items() if name not in services)
        waits[kind] = set(awaited) & set(services)
    assert {"mongodb": {"rabbitmq", "mongodb-accounts"}, "mysql": {"rabbitmq", "mysql"}} == waits


def test_the_production_database_publishes_no_port(secrets_folder: Path) -> None:
    """Only the one for development does."""
    mysql = resolve(secrets_folder, MYSQL)["services"]["mysql"]
    assert "ports" not in mysql
    assert {"stores"} == set(mysql["networks"])


def test_secrets_are_made_once_and_closed_to_others(tmp_path: Path) -> None:
    """Again changes nothing; a file that was taken away is made anew; nobody else enters the directory."""
    directory = make_secrets(tmp_path / "secrets")
    before = {path.name: path.read_text() for path in directory.iterdir()}
    (directory / "api_key").unlink()
    after = {path.name: path.read_text() for path in make_secrets(directory).iterdir()}

    assert 0o700 == stat.S_IMODE(directory.stat().st_mode)
    assert set(before) == set(after)
    assert {"api_key"} == {name for name in before if before[name] != after[name]}
    assert len(set(before.values())) == len(before) - 2, "three are empty, no other two are alike"


def start_broker(secrets: Path, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run what the broker's container runs, up to its image's own entry point."""
    entry = directory / "docker-entrypoint.sh"
    entry.write_text('#!/bin/sh\necho "started $*"\n')
    entry.chmod(0o755)
    return subprocess.run(
        [str(ROOT / "deploy/rabbitmq/start.sh"), "rabbitmq-server"],
        env={
            "PATH": f"{directory}:{os.environ['PATH']}",
            "SECRETS": str(secrets),
            "BROKER_HOME": str(directory),
            "DEFINITIONS": str(directory / "definitions.json"),
            "DEFINITIONS_TEMPLATE": str(ROOT / "deploy" / "rabbitmq" / "definitions.template.json"),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_service_has_a_user_of_its_own_on_the_broker(secrets_folder: Path, tmp_path: Path) -> None:
    """With the password that only it and the broker have; the file that the broker loads has no other user."""
    started = start_broker(secrets_folder, tmp_path)

    assert (started.returncode, started.stdout) == (0, "started rabbitmq-server\n"), started.stderr
    loaded = json.loads((tmp_path / "definitions.json").read_text())
    passwords = {name: urlsplit((secrets_folder / f"amqp_{name}").read_text()).password for name in SERVICES}
    assert {user["name"]: user["password"] for user in loaded["users"]} == passwords
    assert {permission["user"] for permission in loaded["permissions"]} == set(SERVICES)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "amqp://history:@broker/",
        f"amqp://history:{'x' * 31}@broker/",
        f"amqp://history:{'x' * 40}/@broker/",
        f"amqp://guest:{'x' * 40}@broker/",
    ],
)
def test_a_broker_with_a_weak_password_does_not_start(tmp_path: Path, url: str) -> None:
    """Its log names the secret and what to do."""
    secrets = make_secrets(tmp_path / "secrets")
    (secrets / "amqp_history").chmod(0o600)
    (secrets / "amqp_history").write_text(url)
    started = start_broker(secrets, tmp_path)

    assert started.returncode == 1
    assert "amqp_history" in started.stderr
    assert "make compose-secrets" in started.stderr


def test_the_development_database_needs_nothing_else() -> None:
    """`docker-compose up -d mysql` on a fresh clone: no `.env`, no secrets, nothing it waits for."""
    answer = subprocess.run(
        [str(TOOLS / "docker-compose"), "--file", str(ROOT / "docker-compose.yml"), "config", "mysql", "--format=json"],
        env={"PATH": os.environ["PATH"]},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (answer.returncode, answer.stderr)
    mysql = json.loads(answer.stdout)["services"]["mysql"]
    assert not {"secrets", "depends_on"} & set(mysql)


def test_every_variable_compose_sets_is_one_a_service_reads(composed: dict[str, Any]) -> None:
    """A setting that nobody reads is a promise nobody keeps."""
    sources = "\n".join(
        path.read_text() for folder in ("libs", "services") for path in (ROOT / folder).glob("*/src/**/*.py")
    )
    prefixes = tuple(f"{name.upper()}_" for name in SERVICES)
    for name in SERVICES:
        for variable in composed["services"][name]["environment"]:
            setting = variable.removesuffix("_FILE")
            field = next((setting.removeprefix(p).lower() for p in prefixes if setting.startswith(p)), None)
            is_read = f'"{setting}"' in sources or (field and re.search(rf"^    {field}: ", sources, re.MULTILINE))
            assert is_read, variable


def test_the_alerts_are_raised_by_the_faults_they_are_for() -> None:
    """Each by Prometheus' own test tool."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool, of Debian's package prometheus")
    folder = ROOT / "deploy" / "monitoring" / "prometheus"
    for command in (["test", "rules", "rules_test.yml"], ["check", "config", "prometheus.yml"]):
        ran = subprocess.run([promtool, *command], cwd=folder, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_dockerfile_satisfies_its_linter() -> None:
    """hadolint finds nothing, and the image does not run as root."""
    dockerfile = ROOT / "deploy" / "docker" / "Dockerfile"
    answer = subprocess.run([str(TOOLS / "hadolint"), str(dockerfile)], capture_output=True, text=True, check=False)

    assert (0, "") == (answer.returncode, answer.stdout)
    assert re.search(r"^USER 10001$", dockerfile.read_text(), re.MULTILINE)
