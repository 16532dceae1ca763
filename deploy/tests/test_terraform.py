"""The seed's AWS: what Terraform, its mocks, a linter and an AWS of ours find in deploy/terraform."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from build_testkit.aws_account import aws_account, cli_configuration, provider_configuration

ROOT = Path(__file__).parents[2]
TERRAFORM = ROOT / "deploy" / "terraform"
SERVICES = ("gateway", "ingest", "notifier", "artifacts", "history")
IMAGE = f"111122223333.dkr.ecr.us-east-1.amazonaws.com/test@sha256:{'0' * 64}"
FULL = bool(os.environ.get("FULL"))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, initialised from a mirror of providers on this machine; skipped, and why, without one."""
    configuration = cli_configuration()
    home = tmp_path_factory.mktemp("terraform")
    shutil.copytree(ROOT / "deploy" / "monitoring", home / "monitoring")
    shutil.copytree(TERRAFORM, home / "terraform", ignore=shutil.ignore_patterns(".terraform*"))
    (home / "cli.tfrc").write_text(configuration)
    done = terraform(home / "terraform", "init", "-backend=false")
    assert done.returncode == 0, done.stderr
    return home / "terraform"


def terraform(directory: Path, *arguments: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
    own = {"TF_CLI_CONFIG_FILE": str(directory.parent / "cli.tfrc"), "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
    command, *options = arguments
    return subprocess.run(
        ["terraform", command, *(["-no-color"] if command != "fmt" else []), *options],
        cwd=directory,
        env=kept | own,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def table() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((ROOT / "deploy" / "monitoring" / "alarms.json").read_text())
    return read


def test_it_is_formatted_and_valid(directory: Path) -> None:
    """`fmt -check`, and `validate` by the provider's own schema."""
    formatted = terraform(directory, "fmt", "-check", "-recursive")
    valid = terraform(directory, "validate")

    assert (formatted.stdout, formatted.returncode) == ("", 0)
    assert valid.returncode == 0, valid.stderr


@pytest.mark.slow
@pytest.mark.skipif(not FULL, reason="FULL=1: the provider starts anew for each of eight plans")
def test_plans_are_as_meant(directory: Path) -> None:
    """`terraform test` with a mocked provider: whole in three zones, by URL without a database, wrong input refused."""
    done = terraform(directory, "test")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed, 0 failed" in done.stdout


def test_each_alert_is_an_alarm_too_or_says_why_not() -> None:
    """Prometheus' rules and CloudWatch's alarms are one table: same names, same thresholds."""
    rules = yaml.safe_load((ROOT / "deploy/monitoring/prometheus/rules.yml").read_text())["groups"][0]["rules"]
    by_name = {rule["alert"]: rule for rule in rules}
    alarms = {alarm["name"]: alarm for alarm in table()["alarms"]}

    assert by_name.keys() == (alarms.keys() - table()["cloudwatch_only"].keys()) | table()["prometheus_only"].keys()
    assert not by_name.keys() & table()["cloudwatch_only"].keys()
    for name in by_name.keys() & alarms.keys():
        alarm, rule = alarms[name], by_name[name]
        assert alarm["severity"] == rule["labels"]["severity"], name
        if alarm["namespace"] is None:
            assert alarm["metric"] in rule["expr"], name
            assert re.search(rf"> {alarm['threshold']}$", rule["expr"]), name


def test_every_metric_of_alarms_and_charts_is_one_a_service_has() -> None:
    """A name nobody exports would be a chart that stays empty and an alarm that never comes."""
    of_services = [
        *(alarm["metric"] for alarm in table()["alarms"] if alarm["namespace"] is None),
        *(line["metric"] for chart in table()["charts"] for line in chart["lines"] if line["namespace"] is None),
    ]
    source = "\n".join(
        path.read_text() for path in [*ROOT.glob("services/*/src/*/metrics.py"), *ROOT.glob("libs/chassis/src/**/*.py")]
    )

    assert of_services
    assert [] == [name for name in of_services if f'"{name.removesuffix("_total")}"' not in source]


@pytest.mark.slow
@pytest.mark.skipif(not FULL, reason="FULL=1: checkov is a large installation of its own")
def test_a_linter_finds_nothing_unexplained() -> None:
    """checkov, with what is left out named in checkov.yaml with its reason."""
    done = subprocess.run(
        ["uvx", "checkov", "--config-file", "deploy/terraform/checkov.yaml", "-d", "deploy/terraform"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )

    assert done.returncode == 0, done.stdout + done.stderr


NOT_SPOKEN = {
    "watch": ("aws_cloudwatch_query_definition", "this"),
    "services": ("aws_appautoscaling_target", "this"),
}
"""What moto does not answer: left out of this apply by an override, and listed in docs/aws.md."""


FORGOTTEN = {
    ("aws_vpc_security_group_ingress_rule", "description"),
    ("aws_vpc_security_group_ingress_rule", "referenced_security_group_id"),
    ("aws_vpc_security_group_egress_rule", "description"),
    ("aws_vpc_security_group_egress_rule", "referenced_security_group_id"),
    ("aws_ecs_service", "availability_zone_rebalancing"),
    ("aws_ecs_service", "health_check_grace_period_seconds"),
    ("aws_ecs_service", "service_connect_configuration"),
    ("aws_db_instance", "performance_insights_enabled"),
    ("aws_db_instance", "performance_insights_kms_key_id"),
    ("aws_db_parameter_group", "parameter"),
}
"""What moto takes and does not show again; anything else in a second plan is drift."""


def drift(directory: Path) -> set[tuple[str, str]]:
    """What the saved plan would change: kinds of resources and their attributes."""
    plan = json.loads(terraform(directory, "show", "-json", "again").stdout)
    found = set()
    for change in plan["resource_changes"]:
        before, after = change["change"]["before"] or {}, change["change"]["after"] or {}
        if change["change"]["actions"] not in (["no-op"], ["read"]):
            found |= {
                (change["type"], name) for name in before.keys() | after.keys() if before.get(name) != after.get(name)
            }
    return found


@pytest.fixture
def account(directory: Path) -> Iterator[str]:
    """An AWS of ours (moto), on a port of its own; the address."""
    for module, (kind, name) in NOT_SPOKEN.items():
        empty = f'resource "{kind}" "{name}" {{\n  for_each = {{}}\n}}\n'
        (directory / "modules" / module / "spoken_override.tf").write_text(empty)
    (directory / "certificate.tf").write_text(
        'resource "aws_acm_certificate" "own" {\n  domain_name       = "builds.example.org"\n'
        '  validation_method = "DNS"\n}\n'
    )
    (directory / "main_override.tf").write_text('module "edge" {\n  certificate_arn = aws_acm_certificate.own.arn\n}\n')
    with aws_account() as address:
        (directory / "account_override.tf").write_text(provider_configuration(address))
        yield address


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not FULL, reason="FULL=1: a quarter of an hour of waiting for what AWS takes its time for")
def test_it_is_applied_without_drift_and_taken_away_again(directory: Path, account: str) -> None:
    """apply; a second plan changes nothing; each service is started with what docker-compose.yml gives it; destroy."""
    chosen = ["-var-file=dev.tfvars", f"-var=image={IMAGE}"]
    applied = terraform(directory, "apply", "-auto-approve", *chosen, seconds=900)
    assert applied.returncode == 0, applied.stderr

    again = terraform(directory, "plan", "-out=again", *chosen)
    assert again.returncode == 0, again.stderr
    assert drift(directory) <= FORGOTTEN

    state = json.loads(terraform(directory, "show", "-json").stdout)
    assert_environment_is_composes(state)

    gone = terraform(directory, "destroy", "-auto-approve", *chosen, seconds=600)
    assert gone.returncode == 0, gone.stderr


ONLY_COMPOSE = {
    "gateway": {"BUILD_DASHBOARD_CONFIG"},
    "ingest": set(),
    "notifier": {"NOTIFIER_SMTP_HOST", "NOTIFIER_SMTP_PORT", "NOTIFIER_SMTP_USERNAME", "NOTIFIER_SMTP_PASSWORD"}
    | {"NOTIFIER_GITHUB_TOKEN", "SECRET_API_KEY"},  # given where notification_email is
    "artifacts": {"AWS_ACCESS_KEY", "AWS_SECRET_KEY", "ARTIFACTS_S3_ENDPOINT", "ARTIFACTS_S3_PUBLIC_ENDPOINT"},
    "history": set(),
}
ONLY_AWS = {"CLOUDWATCH_NAMESPACE", "ARTIFACTS_S3_KMS_KEY", "ARTIFACTS_KEEP_DAYS"}


def assert_environment_is_composes(state: dict[str, Any]) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    (module,) = (m for m in state["values"]["root_module"]["child_modules"] if m["address"] == "module.services")
    definitions = {
        resource["index"]: json.loads(resource["values"]["container_definitions"])[0]
        for resource in module["resources"]
        if resource["type"] == "aws_ecs_task_definition" and resource["name"] == "this"  # services; `job` is run once
    }
    assert set(SERVICES) == definitions.keys()
    for name, definition in definitions.items():
        here = {one["name"] for one in [*definition["environment"], *definition["secrets"]]}
        there = {variable.removesuffix("_FILE") for variable in compose[name]["environment"]}
        assert here - ONLY_AWS | ONLY_COMPOSE[name] >= there - ONLY_COMPOSE[name], name
        assert here - ONLY_AWS <= there, name
        assert definition["command"] == compose[name]["command"]
