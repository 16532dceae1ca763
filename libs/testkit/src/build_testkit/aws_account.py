"""An AWS of ours (moto, in memory) and terraform that speaks with it, from a mirror of providers: for tests only."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from build_testkit.stack import answers_ok, free_port, wait_until

MOTO = "moto[server]==5.2.5"
MIRRORS = ("/opt/tf-plugins", str(Path.home() / ".terraform.d" / "plugins"), "/usr/share/terraform/plugins")
_SERVICES = (
    "acm apigatewayv2 appautoscaling cloudwatch dynamodb ec2 ecr ecs elbv2 iam kms logs mq rds s3 secretsmanager "
    "servicediscovery sns ssm sts"
)


@contextmanager
def aws_account() -> Iterator[str]:
    """An empty account on a port of its own; gives its address."""
    port = free_port()
    server = subprocess.Popen(
        ["uvx", "--from", MOTO, "moto_server", "-H", "127.0.0.1", "-p", str(port)],
        env=os.environ | {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers_ok(f"{address}/moto-api/"), 120, "the account answers", every=0.2)
        yield address
    finally:
        server.terminate()
        server.wait()


def cli_configuration() -> str:
    """Terraform's configuration that takes providers from this machine; skips the test, and says why, without them."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed: nothing of deploy/terraform is checked")
    mirrors = [mirror for mirror in MIRRORS if Path(mirror, "registry.terraform.io/hashicorp/aws").is_dir()]
    if not mirrors:
        pytest.skip(f"no mirror with the AWS provider in any of {', '.join(MIRRORS)}: deploy/terraform is not checked")
    return f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirrors[0]}"\n  }}\n}}\n'


def provider_configuration(address: str) -> str:
    """The AWS provider's block that has it speak with the account at this address."""
    endpoints = "".join(f'    {name} = "{address}"\n' for name in _SERVICES.split())
    return (
        'provider "aws" {\n  region = "us-east-1"\n  access_key = "test"\n  secret_key = "test"\n'
        "  skip_credentials_validation = true\n  skip_metadata_api_check = true\n  skip_requesting_account_id = true\n"
        f"  s3_use_path_style = true\n  max_retries = 2\n  endpoints {{\n{endpoints}  }}\n}}\n"
    )
