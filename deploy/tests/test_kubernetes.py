"""The Kubernetes manifests: valid to the real tools, the same system as docker-compose.yml's, and as private as that.

Rendered by kubectl's kustomize (`deploy/machine/setup.sh kubectl`); there is no cluster.
"""

import base64
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import jsonschema
import kubernetes_validate
import pytest
import yaml
from build_chassis.settings import ServiceSettings, read_settings
from build_embedded.serve import SERVICES
from build_testkit.stack import peer_variables

from .test_compose import make_secrets, resolve

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy/kubernetes"
OVERLAYS = ("small", "production")
VERSION = "1.33"
"""The oldest release of Kubernetes that is looked after; later ones take what it takes."""
Objects = list[dict[str, Any]]

OPERATORS_OWN = {"BUILD_DASHBOARD_URL", "TRUSTED_PROXIES", "ARTIFACTS_S3_ENDPOINT"}
"""What docker-compose.yml has a value for that is of its own networks."""


def kustomize(folder: Path) -> Objects:
    kubectl = shutil.which("kubectl") or shutil.which("kubectl", path=str(ROOT / ".cache/bin"))
    if kubectl is None:
        assert not os.environ.get("CI"), "run deploy/machine/setup.sh kubectl"
        pytest.skip("needs kubectl: deploy/machine/setup.sh kubectl")
    done = subprocess.run(
        [kubectl, "kustomize", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.defpath, "HOME": "/"},
    )
    assert 0 == done.returncode, done.stderr
    assert "deprecated" not in done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module", params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> Objects:
    return kustomize(KUBERNETES / "overlays" / request.param)


@pytest.fixture(scope="module")
def secrets_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_secrets(tmp_path_factory.mktemp("kubernetes") / "secrets")


@pytest.fixture(scope="module")
def made_secrets(secrets_folder: Path) -> dict[str, dict[str, str]]:
    """What `secrets.sh` makes: each secret's content, decoded."""
    done = subprocess.run(
        [str(KUBERNETES / "secrets.sh"), str(secrets_folder)], capture_output=True, text=True, check=True
    )
    found = list(yaml.safe_load_all(done.stdout))
    for each in found:
        kubernetes_validate.validate(each, VERSION, strict=True)
    return {
        each["metadata"]["name"]: {key: base64.b64decode(value).decode() for key, value in each["data"].items()}
        for each in found
    }


@pytest.fixture(scope="module")
def composed(secrets_folder: Path) -> dict[str, Any]:
    return resolve(secrets_folder)


def of_kind(objects: Objects, kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def pods(objects: Objects) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every kind of pod: its name and its specification."""
    for each in objects:
        spec = each.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if template:
            yield each["metadata"]["name"], template["spec"]


def container(objects: Objects, name: str) -> dict[str, Any]:
    (only,) = dict(pods(objects))[name]["containers"]
    return cast("dict[str, Any]", only)


def environment(objects: Objects, name: str) -> dict[str, str]:
    """What a pod's process finds in its environment, but for what Kubernetes itself sets."""
    found: dict[str, str] = {}
    own = container(objects, name)
    for source in own.get("envFrom", []):
        found |= of_kind(objects, "ConfigMap")[source["configMapRef"]["name"]]["data"]
    return found | {each["name"]: each["value"] for each in own["env"]}


def test_every_object_is_what_kubernetes_takes(objects: Objects) -> None:
    """By its own schemas, strictly: a misspelled field is an error here and nothing there."""
    for each in objects:
        kubernetes_validate.validate(each, VERSION, strict=True)
    assert len(objects) > 20


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_as_docker_compose_runs_it(objects: Objects, composed: dict[str, Any], name: str) -> None:
    """The same command, the same settings with the same values, but for what is of compose's own networks."""
    service = composed["services"][name]
    found = environment(objects, name)
    wanted = service["environment"]

    assert service["command"] == container(objects, name)["command"]
    assert set(wanted) <= set(found)
    assert {} == {
        variable: (value, found[variable])
        for variable, value in wanted.items()
        if variable not in OPERATORS_OWN and found[variable] != value
    }
    all_of_compose = {variable for each in SERVICES for variable in composed["services"][each]["environment"]}
    assert set(found) <= all_of_compose


def test_services_ask_each_other_as_in_the_tests_of_processes(objects: Objects) -> None:
    """Addresses of peers in the manifests are those of the tests that run five processes, no more and no less."""
    variables = {
        variable: value
        for name in SERVICES
        for variable, value in environment(objects, name).items()
        if value.startswith("http://")
    }
    assert peer_variables({name: f"http://{name}:8080" for name in SERVICES}) == variables
    for service in of_kind(objects, "Service").values():
        assert [8080] == [port["port"] for port in service["spec"]["ports"]]


@pytest.mark.parametrize("name", [*SERVICES, "migrate", "backup"])
def test_every_file_that_is_named_is_mounted(
    objects: Objects, made_secrets: dict[str, dict[str, str]], name: str
) -> None:
    """A secret's file is in a secret that `secrets.sh` makes; nothing is mounted that is not read."""
    spec = dict(pods(objects))[name]
    mounts = {each["name"]: each["mountPath"] for each in container(objects, name)["volumeMounts"]}
    files = {
        f"{mounts[volume['name']]}/{key}"
        for volume in spec["volumes"]
        if "secret" in volume
        for key in made_secrets[volume["secret"]["secretName"]]
    }
    found = environment(objects, name)
    named = {value for variable, value in found.items() if variable.endswith("_FILE")}

    assert named <= files
    assert name not in SERVICES or named == files
    configs = of_kind(objects, "ConfigMap")
    (config,) = (volume["configMap"]["name"] for volume in spec["volumes"] if "configMap" in volume)
    assert found["BUILD_DASHBOARD_CONFIG"] == f"{mounts['config']}/{next(iter(configs[config]['data']))}"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_with_its_settings(
    objects: Objects,
    made_secrets: dict[str, dict[str, str]],
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The real settings class reads them: an own account and database, and where others listen."""
    for variable in set(os.environ) - {"PATH", "HOME", "TMPDIR"}:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    for variable, value in pod_environment(objects, made_secrets, name, tmp_path).items():
        monkeypatch.setenv(variable, value)
    settings = read_settings(cast("type[ServiceSettings]", importlib.import_module(f"build_{name}.settings").Settings))
    store = urlsplit(settings.store_url)

    assert (name, f"/build_dashboard_{name}") == (store.username, store.path)
    assert name == urlsplit(settings.amqp_url).username
    assert ("0.0.0.0", 8080, "0.0.0.0") == (settings.host, settings.port, settings.metrics_host)


def pod_environment(
    objects: Objects, made_secrets: dict[str, dict[str, str]], pod: str, directory: Path
) -> dict[str, str]:
    """A pod's environment, with its files laid into a directory of ours."""
    mounts = {each["name"]: each["mountPath"] for each in container(objects, pod)["volumeMounts"]}
    for volume in dict(pods(objects))[pod]["volumes"]:
        if "secret" in volume:
            place = directory / mounts[volume["name"]].lstrip("/")
            place.mkdir(parents=True, exist_ok=True)
            for key, value in made_secrets[volume["secret"]["secretName"]].items():
                (place / key).write_text(value)
    return {
        variable: f"{directory}{value}" if variable.endswith("_FILE") else value
        for variable, value in environment(objects, pod).items()
    }


@pytest.mark.slow
def test_the_jobs_work_on_all_stores(made_secrets: dict[str, dict[str, str]], tmp_path: Path) -> None:
    """The commands of the job and of the cron job, run with their own environment on SQLite files, and nothing else."""
    objects = kustomize(KUBERNETES / "overlays/small")
    stores = made_secrets | {
        name: made_secrets[name] | {"store_url": f"sqlite:///{tmp_path}/{name}.sqlite"} for name in SERVICES
    }
    program = str(Path(sys.executable).parent)
    ran = {}
    for pod in ("migrate", "backup"):
        (tmp_path / pod).mkdir()
        variables = pod_environment(objects, stores, pod, tmp_path / pod) | {"PATH": f"{program}:{os.defpath}"}
        variables |= {"S3_BUCKET": "", "HOME": str(tmp_path)}  # no bucket here
        own = container(objects, pod)
        command = [word.replace("/backups", str(tmp_path)) for word in [*own["command"], *own.get("args", [])]]
        ran[pod] = subprocess.run(
            command, env=variables, cwd=tmp_path / pod, capture_output=True, text=True, timeout=100, check=False
        )
        assert 0 == ran[pod].returncode, ran[pod].stderr

    assert len(SERVICES) == ran["migrate"].stdout.count("as it should be")
    (backup,) = tmp_path.glob("2*T*")
    assert {f"{name}.sqlite" for name in SERVICES} < {path.name for path in backup.iterdir()}


def test_no_pod_has_more_than_it_needs(objects: Objects) -> None:
    """Nobody, read-only, without rights, bounded, without a token, and without Kubernetes' own variables."""
    for name, spec in pods(objects):
        own = container(objects, name)
        assert (False, False) == (spec["automountServiceAccountToken"], spec["enableServiceLinks"]), name
        assert spec["securityContext"]["runAsNonRoot"], name
        assert 10001 == spec["securityContext"]["runAsUser"], name
        assert "RuntimeDefault" == spec["securityContext"]["seccompProfile"]["type"], name
        rights = own["securityContext"]
        assert (False, True) == (rights["allowPrivilegeEscalation"], rights["readOnlyRootFilesystem"]), name
        assert ["ALL"] == rights["capabilities"]["drop"], name
        assert {"cpu", "memory", "ephemeral-storage"} == set(own["resources"]["limits"]), name


def test_the_account_is_the_images(objects: Objects) -> None:
    """Whoever the Dockerfile runs as."""
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
    (user,) = re.findall(r"^USER (\d+)$", dockerfile, re.MULTILINE)
    assert {int(user)} == {spec["securityContext"]["runAsUser"] for _, spec in pods(objects)}


def test_a_rolling_update_drains(objects: Objects) -> None:
    """First another one, then this; it is sent nothing more before its end, and has time for what is in flight."""
    for name in SERVICES:
        spec = of_kind(objects, "Deployment")[name]["spec"]
        own = container(objects, name)
        assert {"maxSurge": 1, "maxUnavailable": 0} == spec["strategy"]["rollingUpdate"]
        waits = int(own["lifecycle"]["preStop"]["exec"]["command"][1])
        assert spec["template"]["spec"]["terminationGracePeriodSeconds"] >= waits + 60
        assert ("/healthz", "/healthz", "/readyz") == tuple(
            own[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        )
        # The gateway answers to names it knows, and to this one always.
        assert all(
            {"name": "Host", "value": "localhost"} in own[probe]["httpGet"]["httpHeaders"]
            for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        )
        spread = spec["template"]["spec"]["topologySpreadConstraints"]
        assert ["kubernetes.io/hostname", "topology.kubernetes.io/zone"] == [each["topologyKey"] for each in spread]


def test_who_asks_whom_is_let_through_and_nobody_else(objects: Objects) -> None:
    """Both ends of each call are in the policies; the rest is refused, broker and databases may be anywhere."""
    policies = of_kind(objects, "NetworkPolicy")
    asks = {
        (variable.split("_")[0].lower(), urlsplit(address).hostname)
        for variable, address in peer_variables({name: f"http://{name}:8080" for name in SERVICES}).items()
    }
    assert asks == {(name, peer) for name in SERVICES for peer in peers(policies[name], "egress", "to")}
    assert asks == {(peer, name) for name in SERVICES for peer in peers(policies[name], "ingress", "from")}
    everybody = policies["nothing-by-default"]["spec"]
    assert {"app.kubernetes.io/part-of": "build-dashboard"} == everybody["podSelector"]["matchLabels"]
    assert (["Ingress", "Egress"], None, None) == (
        everybody["policyTypes"],
        everybody.get("ingress"),
        everybody.get("egress"),
    )
    outside = {name for name, policy in policies.items() if has_way_out(policy)}
    assert {"broker-and-databases", "notifier", "artifacts", "backup"} == outside


def peers(policy: dict[str, Any], direction: str, side: str) -> Iterator[str]:
    for rule in policy["spec"].get(direction, []):
        for each in rule.get(side, []):
            if "podSelector" in each:
                assert [8080] == [port["port"] for port in rule["ports"]]
                yield each["podSelector"]["matchLabels"]["app.kubernetes.io/component"]


def has_way_out(policy: dict[str, Any]) -> bool:
    return any("to" not in rule for rule in policy["spec"].get("egress", []))


def test_the_way_in_lets_sockets_be_silent_and_bodies_be_large(objects: Objects) -> None:
    """A WebSocket may be silent longer than an agent ever is; an artifact passes as it comes."""
    (ingress,) = of_kind(objects, "Ingress").values()
    words = {name.rpartition("/")[2]: value for name, value in ingress["metadata"]["annotations"].items()}

    assert int(words["proxy-read-timeout"]) >= 60 <= int(words["proxy-send-timeout"])
    assert ("0", "off") == (words["proxy-body-size"], words["proxy-request-buffering"])
    (rule,) = ingress["spec"]["rules"]
    settings = next(each for name, each in of_kind(objects, "ConfigMap").items() if name.startswith("settings"))
    assert [rule["host"]] == ingress["spec"]["tls"][0]["hosts"]
    assert f"https://{rule['host']}" == settings["data"]["BUILD_DASHBOARD_URL"]


def test_production_misses_no_single_one() -> None:
    """Two of each at least, a budget for each, and as many gateways as agents need."""
    objects = kustomize(KUBERNETES / "overlays/production")
    scalers = of_kind(objects, "HorizontalPodAutoscaler")
    for name, deployment in of_kind(objects, "Deployment").items():
        least = scalers[name]["spec"]["minReplicas"] if name in scalers else deployment["spec"]["replicas"]
        assert least >= 2, name
        budget = of_kind(objects, "PodDisruptionBudget")[name]["spec"]
        assert (1, deployment["spec"]["selector"]) == (budget["maxUnavailable"], budget["selector"])
    metrics = scalers["gateway"]["spec"]["metrics"]
    declared = (ROOT / "services/gateway/src/build_gateway/metrics.py").read_text()
    assert all(f'"{each["pods"]["metric"]["name"]}"' in declared for each in metrics if each["type"] == "Pods")


def test_queues_decide_how_many_ingests_there_are(tmp_path: Path) -> None:
    """KEDA's objects by a schema beside this test: one trigger for each shard's queue, and at most as many ingests."""
    overlay = tmp_path / "overlay"
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(
        "resources: [../kubernetes/overlays/production]\ncomponents: [../kubernetes/components/keda]\n"
    )
    own = [each for each in kustomize(overlay) if each["apiVersion"].startswith("keda")]
    schema = json.loads((Path(__file__).parent / "schemas/keda.json").read_text())
    for each in own:
        jsonschema.validate(each, schema)
    (scaled,) = of_kind(own, "ScaledObject").values()
    (known,) = of_kind(own, "TriggerAuthentication").values()

    queues = [trigger["metadata"]["queueName"] for trigger in scaled["spec"]["triggers"]]
    assert [f"ingest.{shard}" for shard in range(8)] == queues
    assert len(queues) == scaled["spec"]["maxReplicaCount"]
    assert {known["metadata"]["name"]} == {each["authenticationRef"]["name"] for each in scaled["spec"]["triggers"]}
    assert ("ingest", "amqp_url") == tuple(known["spec"]["secretTargetRef"][0][key] for key in ("name", "key"))


def test_a_mirror_is_that_of_compose_and_reaches_no_store(
    secrets_folder: Path, made_secrets: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    """The component beside the small overlay: the same command and files, no rights, and the gateway lets it in."""
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay/kustomization.yaml").write_text(
        "namespace: build-dashboard\nresources: [../kubernetes/overlays/small]\n"
        "components: [../kubernetes/components/mirror]\n"
    )
    objects = kustomize(tmp_path / "overlay")
    for each in objects:
        kubernetes_validate.validate(each, VERSION, strict=True)
    test_no_pod_has_more_than_it_needs(objects)
    test_the_account_is_the_images(objects)
    service = resolve(secrets_folder, profiles=["mirror"])["services"]["mirror"]
    found = environment(objects, "mirror")
    assert service["command"] == container(objects, "mirror")["command"]
    # A login at a Buildbot is the operator's: compose hands on what stands in its own environment.
    assert set(service["environment"]) - {"BUILDBOT_USER", "BUILDBOT_PASSWORD"} <= set(found)
    assert {} == {name: value for name, value in found.items() if service["environment"].get(name, value) != value}
    files = {f"/run/secrets/{key}" for key in made_secrets["mirror"]}
    assert files == {value for name, value in found.items() if name.endswith("_FILE")}
    images = {spec["containers"][0]["image"] for _, spec in pods(objects)}
    assert 1 == len(images), images
    spec = dict(pods(objects))["mirror"]
    (config,) = (volume["configMap"]["name"] for volume in spec["volumes"] if "configMap" in volume)
    assert config in of_kind(objects, "ConfigMap")

    labels = of_kind(objects, "Deployment")["mirror"]["spec"]["template"]["metadata"]["labels"]
    policies = of_kind(objects, "NetworkPolicy")
    chosen = {
        name
        for name, policy in policies.items()
        if set(policy["spec"]["podSelector"]["matchLabels"].items()) <= set(labels.items())
    }
    assert {"mirror"} == chosen
    assert ["gateway"] == list(peers(policies["mirror"], "egress", "to"))
    assert ["mirror"] == list(peers(policies["mirror-to-gateway"], "ingress", "from"))
    assert (
        "gateway" == policies["mirror-to-gateway"]["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
    )
    assert {53, 80, 443, 8010, 8080} == {
        port["port"] for rule in policies["mirror"]["spec"]["egress"] for port in rule["ports"]
    }


def test_the_broker_of_the_example_is_the_broker_of_compose(made_secrets: dict[str, dict[str, str]]) -> None:
    """The same settings, and definitions with a user for each service, with the password of its URL."""
    (cluster,) = yaml.safe_load_all((KUBERNETES / "examples/rabbitmq.yaml").read_text())
    lines = [line for line in cluster["spec"]["rabbitmq"]["additionalConfig"].splitlines() if line]
    wanted = (ROOT / "deploy/rabbitmq/rabbitmq.conf").read_text().splitlines()
    definitions = json.loads(made_secrets["rabbitmq-definitions"]["definitions.json"])

    assert [line for line in wanted if line and not line.startswith("#")] == lines[1:]
    assert "load_definitions = /etc/dashboard/definitions.json" == lines[0]
    assert {name: urlsplit(made_secrets[name]["amqp_url"].strip()).password for name in SERVICES} == {
        user["name"]: user["password"] for user in definitions["users"]
    }
    assert cluster["metadata"]["name"] == urlsplit(made_secrets["gateway"]["amqp_url"].strip()).hostname


def test_the_database_of_the_example_has_an_account_for_each_service(made_secrets: dict[str, dict[str, str]]) -> None:
    """On a database of its own: the one of its URL."""
    (cluster,) = yaml.safe_load_all((KUBERNETES / "examples/mongodb.yaml").read_text())
    for user in cluster["spec"]["users"]:
        url = urlsplit(made_secrets[user["name"]]["store_url"].strip())
        assert {url.path.strip("/")} == {role["db"] for role in user["roles"]}
    assert list(SERVICES) == sorted((user["name"] for user in cluster["spec"]["users"]), key=SERVICES.index)


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("FULL"), reason="a minute: FULL=1 runs it")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_checkov_finds_nothing(overlay: str, tmp_path: Path) -> None:
    """Each exception has its reason in `checkov.yaml`."""
    checkov = shutil.which("checkov") or shutil.which("checkov", path=str(ROOT / ".cache/bin"))
    if checkov is None:
        pytest.skip("needs checkov: deploy/machine/setup.sh checkov")
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(kustomize(KUBERNETES / "overlays" / overlay)))
    done = subprocess.run(
        [
            checkov,
            "--file",
            str(tmp_path / "all.yaml"),
            "--framework",
            "kubernetes",
            "--compact",
            "--quiet",
            "--config-file",
            str(KUBERNETES / "checkov.yaml"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    assert re.search(r"Passed checks: [1-9]\d+, Failed checks: 0", done.stdout)
