"""Images for the engine of tests, built here without a registry: `deploy/stand-ins` says how, this which."""

import fcntl
import re
import subprocess
from pathlib import Path

from build_testkit.engine import Engine

BUILD_SECONDS = 900

_STAGES = {
    "front": "caddy",
    "rabbitmq": "rabbitmq",
    "mongodb": "mongo",
    "mysql": "mariadb",
    "objects": "seaweedfs",
    "prometheus": "prometheus",
    "alertmanager": "alertmanager",
}
"""Which stage of the Containerfile plays the image of which service."""


def load(engine: Engine, root: Path, images: dict[str, str], *, with_product: bool) -> None:
    """Build what is missing of these services' images (their names by service), and the product's; load them.

    Raises subprocess.CalledProcessError with the build's output.
    """
    pairs = [f"{stage}={_full(images[service])}" for service, stage in _STAGES.items() if service in images]
    if with_product:
        stages = re.findall(r"^FROM (\S+)", (root / "deploy/docker/Dockerfile").read_text(), re.MULTILINE)
        kinds = {name.rpartition("/")[2].partition(":")[0]: name for name in stages}
        pairs = [*(f"{kind}={_full(name)}" for kind, name in sorted(kinds.items())), *pairs]
        pairs.append(f"product={_full('build-dashboard:latest')}")
    # Two test runs may want them at once.
    lock = (engine.directory / "images.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    command = [str(root / "deploy/stand-ins/build.sh"), str(engine.directory / "images"), *pairs]
    with lock:
        ran = subprocess.run(
            command, env=engine.environment, check=False, capture_output=True, text=True, timeout=BUILD_SECONDS
        )
    if ran.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {ran.returncode}:\n{(ran.stdout + ran.stderr)[-3000:]}")


def _full(name: str) -> str:
    """The name with its registry, as buildah wants it: docker's own is left out in files that docker reads."""
    first, slash, _ = name.partition("/")
    if not slash:
        return f"docker.io/library/{name}"
    return name if "." in first else f"docker.io/{name}"
