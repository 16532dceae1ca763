"""deploy.sh's steps with real terraform and real services: a version that is not healthy is taken back by itself.

An AWS of ours (moto) has the registry, secrets, task definitions and parameters. It runs no task: `Cluster` does, one
embedded server at the public address, of the image that the gateway's task definition names.
"""

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from build_embedded.serve import SERVICES
from build_testkit.aws_account import aws_account, cli_configuration, provider_configuration
from build_testkit.signing import SECRET
from build_testkit.stack import free_port

from deploy.aws.account import Account
from deploy.aws.commands import Checkout, CommandFailed, Images, Terraform
from deploy.aws.refusals import Refused
from deploy.aws.release import Release, RolledBack

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not os.environ.get("FULL"), reason="FULL=1: terraform applies six times, two minutes each way"),
]
KEY = f"key-{secrets.token_hex(16)}"

ROOT_MODULE = """
variable "image" { type = string }
variable "public_url" { type = string }
variable "port" { type = number }

resource "aws_ecr_repository" "this" { name = "deploy-test" }
module "network" { source = "./modules/network" }
resource "aws_security_group" "services" { vpc_id = module.network.vpc_id }
module "secrets" { source = "./modules/secrets" }
resource "aws_kms_key" "this" {}

module "services" {
  source            = "./modules/services"
  name              = "deploy-test"
  region            = "us-east-1"
  cidr              = "10.42.0.0/16"
  subnet_ids        = [module.network.subnet_id]
  security_group_id = aws_security_group.services.id
  image             = var.image
  repository_arn    = aws_ecr_repository.this.arn
  key_arn           = aws_kms_key.this.arn
  log_days          = 7
  services = { gateway = {
    command     = ["build-dashboard", "serve", "gateway"]
    cpu         = 512
    memory      = 1024
    least       = 1
    most        = 1
    environment = {}
    secrets     = { BUILD_DASHBOARD_API_KEY = module.secrets.arns["api_key"] }
  } }
  jobs = { migrate = {
    command     = ["build-dashboard", "migrate", "--services"]
    cpu         = 512
    memory      = 1024
    environment = {}
    secrets     = { BUILD_DASHBOARD_API_KEY = module.secrets.arns["api_key"] }
  } }
}

output "repository" { value = aws_ecr_repository.this.repository_url }
output "cluster" { value = module.services.cluster }
output "services" { value = module.services.services }
output "jobs" { value = module.services.jobs }
output "public_url" { value = var.public_url }
output "secrets" { value = module.secrets.arns }
"""

NETWORK_MODULE = """
resource "aws_vpc" "this" { cidr_block = "10.42.0.0/16" }
resource "aws_subnet" "this" {
  vpc_id     = aws_vpc.this.id
  cidr_block = "10.42.1.0/24"
}
output "vpc_id" { value = aws_vpc.this.id }
output "subnet_id" { value = aws_subnet.this.id }
"""

SECRETS_MODULE = """
resource "aws_secretsmanager_secret" "api_key" { name = "deploy-test/api_key" }
resource "aws_secretsmanager_secret_version" "api_key" {
  secret_id     = aws_secretsmanager_secret.api_key.id
  secret_string = "<api_key>"
  lifecycle { ignore_changes = [secret_string] }
}
output "arns" { value = { api_key = aws_secretsmanager_secret.api_key.arn } }
"""

SAYS_READY_ONLY = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 500)
        self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
"""A version that says it is ready, and takes no build."""


@dataclass
class Cluster(Account):
    """The account, and what runs the images in it: the version of a commit is what its file `version` says."""

    folder: Path = Path()
    port: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    """By digest: `good`, `deaf` (starts and takes no build), `dead` (does not start), `unmigrated`."""

    running: str | None = None
    jobs: list[str] = field(default_factory=list)
    _server: "subprocess.Popen[bytes] | None" = None

    def run_job(self, cluster: str, job: Mapping[str, Any]) -> None:
        digest = self._image(job["task_definition"]).partition("@")[2]
        self.jobs.append(digest)
        if self.versions[digest] == "unmigrated":
            raise CommandFailed("migrate ended with [1]")
        # Beside the version that runs, so its bus is not touched: stores are all that a task of ECS reaches.
        stores = {f"{name.upper()}_STORE_URL": f"sqlite:///{self.folder / name}.sqlite" for name in SERVICES}
        migrate = [sys.executable, "-m", "build_dashboard", "migrate", "--services"]
        done = subprocess.run(migrate, env=os.environ | stores | {"JWT_SECRET_KEY": SECRET}, check=False)
        if done.returncode:
            raise CommandFailed(f"migrate ended with {done.returncode}")

    def waiting_services(self, cluster: str, services: Iterable[str]) -> list[str]:
        (found,) = self._client("ecs").describe_services(cluster=cluster, services=["gateway"])["services"]
        image = self._image(found["taskDefinition"])
        if image != self.running:
            self.stop()
            self._server, self.running = self._start(self.versions[image.partition("@")[2]]), image
        return ["gateway"] if self._server is None or self._server.poll() is not None else []

    def stop(self) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.wait()
        self._server, self.running = None, None

    def _image(self, definition: str) -> str:
        found = self._client("ecs").describe_task_definition(taskDefinition=definition)["taskDefinition"]
        return str(found["containerDefinitions"][0]["image"])

    def _start(self, version: str) -> "subprocess.Popen[bytes] | None":
        if version == "dead":
            return None
        up = ["-m", "build_dashboard", "up", "--port", str(self.port), "--data", str(self.folder)]
        command = up if version == "good" else ["-c", SAYS_READY_ONLY, str(self.port)]
        environment = os.environ | {"BUILD_DASHBOARD_API_KEY": KEY, "BUILD_DASHBOARD_ADMIN_PASSWORD": KEY}
        with (self.folder.parent / "server.log").open("ab") as log:
            return subprocess.Popen([sys.executable, *command], env=environment, stdout=log, stderr=log)


@dataclass(frozen=True)
class Pushed(Images):
    """Images by their registry's own API; there is no engine here. What is scanned is what was built."""

    cluster: Cluster = None  # type: ignore[assignment]  given always
    built: list[str] = field(default_factory=list)
    scanned: list[str] = field(default_factory=list)

    def build(self, name: str) -> None:
        self.built.append(name)

    def scan(self, name: str) -> None:
        self.scanned.append(name)

    def push(self, name: str, user: str, password: str) -> None:
        assert user
        assert password
        repository, _, tag = name.partition("/")[2].partition(":")
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        config = {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": 1,
            "digest": f"sha256:{tag:0<64}",
        }
        manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": []})
        digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"  # moto takes it as it is, and makes none
        image = {"repositoryName": repository, "imageManifest": manifest, "imageTag": tag, "imageDigest": digest}
        self.cluster._client("ecr").put_image(**image)
        self.cluster.versions[digest] = (self.folder / "version").read_text()


@pytest.fixture(scope="module")
def account_url() -> Iterator[str]:
    with aws_account() as url:
        yield url


@dataclass
class Site:
    release: Release
    cluster: Cluster
    images: Pushed
    printed: list[str]

    def commit(self, version: str) -> None:
        folder = self.images.folder
        (folder / "version").write_text(version)
        git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", version], check=True)

    def put_key(self) -> None:
        self.cluster._client("secretsmanager").put_secret_value(SecretId="deploy-test/api_key", SecretString=KEY)


@pytest.fixture
def site(tmp_path: Path, account_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    configured = cli_configuration()
    for name in [name for name in os.environ if name.startswith(("TF_", "AWS_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "cli.tfrc").write_text(configured)
    for name, value in {
        "TF_CLI_CONFIG_FILE": str(tmp_path / "cli.tfrc"),
        "CHECKPOINT_DISABLE": "1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    configuration = tmp_path / "terraform"
    shutil.copytree(ROOT / "deploy/terraform/modules/services", configuration / "modules/services")
    (configuration / "main.tf").write_text(ROOT_MODULE)
    for name, module in (("network", NETWORK_MODULE), ("secrets", SECRETS_MODULE)):
        (configuration / "modules" / name).mkdir()
        (configuration / "modules" / name / "main.tf").write_text(module)
    (configuration / "account.tf").write_text(provider_configuration(account_url))
    port = free_port()
    (tmp_path / "own.tfvars").write_text(f'public_url = "http://127.0.0.1:{port}"\nport = {port}\n')
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "init", "--quiet", str(checkout)], check=True)
    (tmp_path / "data").mkdir()
    cluster = Cluster("us-east-1", account_url, folder=tmp_path / "data", port=port)
    images = Pushed(checkout, cluster=cluster)
    printed: list[str] = []
    terraform = Terraform(configuration, tmp_path / "own.tfvars")
    release = Release(
        Checkout(checkout), images, terraform, cluster, printed.append, healthy_seconds=90, stream_seconds=90
    )
    yield Site(release, cluster, images, printed)
    cluster.stop()


def test_a_commit_is_deployed_once_and_a_bad_one_is_taken_back(site: Site) -> None:
    """One story, as applying takes its time: each version that is bad in its own way leaves the good one running."""
    site.commit("good")
    with pytest.raises(Refused, match="api_key"):  # the secret's value is a placeholder, known once it exists
        site.release.run()
    assert site.cluster.running is None
    assert not site.cluster.jobs

    site.put_key()
    site.release.run()
    good = site.cluster.running
    assert good is not None
    assert good == site.cluster.healthy_image("deploy-test")
    assert len(site.images.built) == len(site.images.scanned) == 1
    assert any("streamed through" in line for line in site.printed)

    site.release.run()
    assert len(site.images.built) == 1
    assert site.cluster.running == good

    for version, why in (("deaf", "build"), ("dead", "not running: gateway")):
        site.commit(version)
        with pytest.raises(RolledBack, match=f"(?s){why}.*back at {good}, which is healthy"):
            site.release.run()
        assert site.cluster.running == good
        assert site.cluster.healthy_image("deploy-test") == good

    site.commit("unmigrated")
    with pytest.raises(CommandFailed, match="migrate ended with"):
        site.release.run()
    assert site.cluster.running == good

    site.commit("better")
    before = len(site.images.built)
    site.release.run(is_dry=True)
    assert len(site.images.built) == before
    assert any("an image is built of" in line for line in site.printed)
    (site.images.folder / "version").write_text("good, and in no commit")
    with pytest.raises(Refused, match="commit or stash first"):
        site.release.run()
    assert site.cluster.running == good
