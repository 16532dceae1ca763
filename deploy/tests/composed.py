"""docker-compose.yml, running on a real engine: started, broken and looked at from outside, as an operator would."""

import json
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from build_embedded.serve import SERVICES
from build_testkit.engine import Engine
from build_testkit.sendgrid import KEY, SendGridServer
from build_testkit.stack import wait_until
from delivery.arena import Arena
from delivery.wire_log import WireLog

from .test_compose import ROOT, make_secrets

UP_SECONDS = 150
HOST = "172.17.0.1"
"""The engine's own address on its bridge: how a container with a way out reaches this test."""


@dataclass
class Composed(Arena):
    """The system of these files, in one directory; an arena, so that builds, viewers and the checker run on it."""

    engine: Engine | None = None
    files: Sequence[str] = ()
    project: str = "dashboard"
    began: float = field(default_factory=time.monotonic)

    @property
    def agent_gateways(self) -> list[str]:
        """The front."""
        return ["wss://localhost"]

    def chunks(self, build_ids: set[str]) -> dict[str, list[tuple[int, int]]]:
        """Not looked at: no port leads to the database."""
        return {}

    @property
    def environment(self) -> dict[str, str]:
        """What Compose is started with."""
        assert self.engine
        return {**self.engine.environment, "SECRETS": str(self.directory / "secrets")}

    def compose(self, *arguments: str, seconds: float = 240) -> str:
        """What `docker-compose` printed; AssertionError with all of it when it failed."""
        files = [part for name in ("docker-compose.yml", *self.files) for part in ("--file", str(ROOT / name))] + [
            "--file",
            str(self.directory / "test.yml"),
        ]
        command = [str(Path(sys.executable).parent / "docker-compose"), "--project-name", self.project, *files]
        ran = subprocess.run(
            [*command, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        if ran.returncode:
            raise AssertionError(f"{arguments} ended with {ran.returncode}:\n{ran.stderr[-3000:]}\n{self.state()}")
        return ran.stdout

    def up(self) -> None:
        """Start what is not running, and wait until all of it is well."""
        self.compose("up", "--detach", "--no-build", "--wait", f"--wait-timeout={UP_SECONDS}")
        self.note("up and ready")

    def note(self, what: str) -> None:
        """Print what was reached, and when: a test that fails shows it."""
        print(f"{time.monotonic() - self.began:6.1f} s  {what}", flush=True)

    def state(self) -> str:
        """Which containers there are, how they are, and the last lines of those that are not well."""
        assert self.engine
        rows = self.engine.docker(
            "ps", "--all", "--filter", f"name={self.project}-", "--format", "{{.Names}} {{.Status}}"
        )
        logs = []
        for row in rows.splitlines():
            name, _, status = row.partition(" ")
            if "(healthy)" not in status and "Exited (0)" not in status:
                log = subprocess.run(
                    ["docker", "logs", "--tail", "15", name],
                    env=self.environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                health = self.engine.docker("inspect", "-f", "{{json .State.Health}}", name)
                logs.append(f"--- {name}\n{log.stdout}{log.stderr}{health[-600:]}")
        return "\n".join([rows, *logs])

    def container(self, service: str) -> str:
        """The name of a service's container."""
        return f"{self.project}-{service}-1"

    def inspect(self, service: str) -> dict[str, Any]:
        """All that the engine knows of a container."""
        assert self.engine
        found: dict[str, Any] = json.loads(self.engine.docker("inspect", self.container(service)))[0]
        return found

    def crash(self, service: str) -> None:
        """Kill a container's process and wait until its restart policy has started it again."""
        assert self.engine
        before = self.inspect(service)["State"]["StartedAt"]
        self.engine.crash(self.container(service))

        def is_back() -> bool:
            state = self.inspect(service)["State"]
            return bool(state["Running"] and state["StartedAt"] != before)

        wait_until(is_back, 60, f"{service} is started again", every=0.2)

    def wait_healthy(self, service: str, seconds: float = 120) -> None:
        """Wait until a container's own health check is content."""

        def is_healthy() -> bool:
            return bool(self.inspect(service)["State"]["Health"]["Status"] == "healthy")

        try:
            wait_until(is_healthy, seconds, f"{service} is healthy", every=0.5)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.state()}") from error

    def address(self, service: str, network: str) -> str:
        """A container's address on a network."""
        return str(self.inspect(service)["NetworkSettings"]["Networks"][f"{self.project}_{network}"]["IPAddress"])

    def fetch_certificate(self) -> Path:
        """The front's own authority, which whoever talks to it has to trust."""
        path = self.directory / "ca.crt"
        assert self.engine

        def is_served() -> bool:
            try:
                self.engine.docker(  # type: ignore[union-attr]  asserted above
                    "cp", f"{self.container('front')}:/data/caddy/pki/authorities/local/root.crt", str(path)
                )
                context = ssl.create_default_context(cafile=str(path))
            except (subprocess.CalledProcessError, OSError):
                return False
            return _is_tls(context)

        try:
            wait_until(is_served, 20, "the front has a certificate", every=0.5)
        except TimeoutError:
            # Caddy 2.6, which stands in, may lose its first certificate on an empty volume and tries again in a minute.
            self.compose("restart", "front")
            wait_until(is_served, 30, "the front has a certificate", every=0.5)
        return path


def _is_tls(context: ssl.SSLContext) -> bool:
    import socket

    try:
        with (
            socket.create_connection(("127.0.0.1", 443), timeout=3) as plain,
            context.wrap_socket(plain, server_hostname="localhost"),
        ):
            return True
    except OSError:
        return False


def composed_arena(
    engine: Engine, directory: Path, mails: SendGridServer, files: Sequence[str] = (), project: str = "dashboard"
) -> Composed:
    """The system of docker-compose.yml and these files, not started yet, with this mail provider."""
    folder = make_secrets(directory / "secrets")
    (folder / "sendgrid_api_key").chmod(0o644)
    (folder / "sendgrid_api_key").write_text(KEY)
    names = [f"p{number:03d}" for number in range(400)]
    config = {"projects": {name: {"notification_emails": [f"{name}@example.com"]} for name in names}}
    (directory / "config.yaml").write_text(yaml.safe_dump(config))
    mount = {"volumes": [f"{directory / 'config.yaml'}:/config/config.yaml:ro"]}
    services: dict[str, Any] = {name: dict(mount) for name in SERVICES}
    services["notifier"]["environment"] = {
        "NOTIFIER_SENDGRID_HOST": f"http://{HOST}:{mails.http.server_address[1]}",
        "NOTIFIER_QUIET_SECONDS": "0",
        "NOTIFICATION_EMAIL": "builds@example.com",
    }
    (directory / "test.yml").write_text(yaml.safe_dump({"services": services}))
    return Composed(
        directory,
        {},
        {},
        ["https://localhost"],
        (folder / "admin_password").read_text().strip(),
        (folder / "api_key").read_text().strip(),
        WireLog(),
        mails,
        deaths=Counter(),
        engine=engine,
        files=files,
        project=project,
    )
