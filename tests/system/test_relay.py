"""A whole system on a real S3 that the build machine cannot reach: artifacts arrive through the gateway."""

import os
import secrets
import subprocess
from pathlib import Path

import pytest
from build_testkit.rabbitmq import private_rabbitmq
from build_testkit.seaweedfs import ACCESS_KEY, BUCKET, SECRET_KEY, SeaweedFs
from build_testkit.stack import free_port, separate_stack, wait_until

pytestmark = pytest.mark.slow

MIB = 1024 * 1024


@pytest.mark.slow
@pytest.mark.s3
@pytest.mark.rabbitmq
@pytest.mark.timeout(360)
@pytest.mark.skipif(os.environ.get("FULL") != "1", reason="FULL=1: a system of its own; each part has its own tests")
def test_artifacts_reach_an_object_store_that_the_machine_cannot(tmp_path: Path, seaweedfs: SeaweedFs) -> None:
    """The public address answers nobody: after one try the parts go through the gateway, and are verified."""
    content = secrets.token_bytes(MIB) * 70
    (tmp_path / "compiler.tar").write_bytes(content)
    settings = {
        "S3_BUCKET": BUCKET,
        "AWS_ACCESS_KEY": ACCESS_KEY,
        "AWS_SECRET_KEY": SECRET_KEY,
        "ARTIFACTS_S3_ENDPOINT": seaweedfs.endpoint,
        "ARTIFACTS_S3_PUBLIC_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "ARTIFACTS_S3_PREFIX": f"{secrets.token_hex(6)}/",
    }
    with private_rabbitmq() as broker, separate_stack(tmp_path, broker.url, extra=settings) as stack:
        command = stack.agent_command("relayed", "true", options=("--artifact", "compiler.tar"))
        done = subprocess.run(
            command, env=stack.agent_environment, cwd=tmp_path, capture_output=True, timeout=240, check=True
        )
        assert b"uploaded compiler.tar" in done.stderr
        token = stack.token()
        build = stack.get("/api/builds?project=relayed&limit=1", token)["items"][0]

        def verified() -> bool:
            items = stack.get(f"/api/builds/{build['id']}/artifacts", token)["items"]
            return {item["name"]: item["state"] for item in items}.get("compiler.tar") == "verified"

        wait_until(verified, 30, "the verified artifact", every=0.2)
        doctor = subprocess.run(
            [command[0], "-m", "build_dashboard", "doctor"],
            env=stack.agent_environment,
            capture_output=True,
            check=True,
        )
        assert b"go through the dashboard" in doctor.stdout
