"""A real Buildbot: a master, its workers, and what people do with them; installed once, beside the other caches."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from build_testkit.stack import free_port, wait_until

VERSION = "4.3.0"
CACHE = Path(__file__).parents[4] / ".cache" / "buildbot"
START_SECONDS = 60.0
STEPS = ("cmake-configure", "build-unified-tree", "test-check-all")

MASTER = """
from buildbot.plugins import *
from buildbot.process.results import *
RC = {{0: SUCCESS, 3: WARNINGS, 4: EXCEPTION, 5: RETRY}}

def step(name):
    command = [{python!r}, "-u", "-c", util.Interpolate("%(prop:" + name.replace("-", "_") + ":-pass)s")]
    logs = {{"side": {{"filename": "side.log"}}}} if name.startswith("test") else {{}}
    environment = {{"FARM_TOKEN": {secret!r}}}
    return steps.ShellCommand(
        name=name, command=command, decodeRC=RC, haltOnFailure=True, env=environment, logfiles=logs)

def builder(name):
    factory = util.BuildFactory([step(each) for each in {steps!r}])
    return util.BuilderConfig(
        name=name, workernames={workers!r}, tags=["mlir", name.split("-")[-1]], factory=factory)

BUILDERS = {builders!r}
c = BuildmasterConfig = {{
    "workers": [worker.Worker(name, "pass", max_builds=20) for name in {workers!r}],
    "protocols": {{"pb": {{"port": "tcp:{pb_port}:interface=127.0.0.1"}}}},
    "schedulers": [schedulers.ForceScheduler(name="force", builderNames=BUILDERS, properties=[
        util.StringParameter(name=name.replace("-", "_"), default="pass", maxsize=None) for name in {steps!r}])],
    "builders": [builder(name) for name in BUILDERS],
    "title": "farm", "titleURL": "http://127.0.0.1:{port}/", "buildbotURL": "http://127.0.0.1:{port}/",
    "www": {{"port": "tcp:{port}:interface=127.0.0.1", "plugins": {{}}, {auth} }},
    "db": {{"db_url": "sqlite:///state.sqlite"}}, "buildbotNetUsageData": None,
    "collapseRequests": False,
}}
"""


def program(name: str) -> str:
    """A program of the installed Buildbot; installs it where it is not yet."""
    path = CACHE / "bin" / name
    if not path.exists():
        uv = shutil.which("uv") or str(CACHE.parent / "uv" / "bin" / "uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", str(CACHE)], check=True)
        packages = [f"buildbot=={VERSION}", f"buildbot-worker=={VERSION}", f"buildbot-www=={VERSION}", "setuptools<81"]
        subprocess.run([uv, "pip", "install", "--quiet", "--python", str(CACHE / "bin/python"), *packages], check=True)
    return str(path)


@dataclass
class Farm:
    """A master with workers, in a directory of its own. `start` it; `stop` it in the end."""

    directory: Path
    builders: Sequence[str] = ("mlir-release", "mlir-asan")
    workers: Sequence[str] = ("w1",)
    login: tuple[str, str] | None = None
    secret: str = "s3cret-of-the-farm"  # noqa: S105  to be looked for where it must not be
    port: int = field(default_factory=free_port)
    pb_port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Make and start the master and its workers; returns when builds can be forced."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._run("buildbot", "create-master", "--no-logrotate", "master")
        auth = f'"auth": util.UserPasswordAuth({{{self.login[0]!r}: {self.login[1]!r}}}),' if self.login else ""
        if self.login:
            auth += (
                ' "authz": util.Authz(allowRules=[util.AnyEndpointMatcher(role="in")],'
                f' roleMatchers=[util.RolesFromUsername(roles=["in"], usernames=[{self.login[0]!r}])]),'
            )
        (self.directory / "master" / "master.cfg").write_text(
            MASTER.format(
                python=sys.executable,
                secret=self.secret,
                builders=list(self.builders),
                workers=list(self.workers),
                steps=STEPS,
                port=self.port,
                pb_port=self.pb_port,
                auth=auth,
            )
        )
        self.start_master()
        for name in self.workers:
            master = f"127.0.0.1:{self.pb_port}"
            options = ("--no-logrotate", "--maxdelay=1", "--keepalive=5")
            self._run("buildbot-worker", "create-worker", *options, name, master, name, "pass")
            self.start_worker(name)
        self.wait_for_workers()

    def start_master(self) -> None:
        """Start it (again); returns when it answers."""
        with suppress(FileNotFoundError):
            (self.directory / "master" / "twistd.pid").unlink()
        self._start("master", "buildbot", "start", "--nodaemon", "master")
        wait_until(self._answers, START_SECONDS, f"a master that answers\n{self.tail('master')}", every=0.1)

    def start_worker(self, name: str) -> None:
        """Start it (again)."""
        with suppress(FileNotFoundError):
            (self.directory / name / "twistd.pid").unlink()
        self._start(name, "buildbot-worker", "start", "--nodaemon", name)

    def wait_for_workers(self) -> None:
        """Return when all of them are connected."""

        def are_there() -> bool:
            return all(row["connected_to"] for row in self.get("workers")["workers"])

        wait_until(are_there, START_SECONDS, "workers that are connected", every=0.1)

    def kill(self, name: str) -> None:
        """kill -9 of the master (`master`) or a worker; its builds' commands die with a worker."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """End all of it."""
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def force(self, builder: str, *scripts: str, branch: str = "main", revision: str = "") -> int:
        """Request a build whose steps run these Python programs; the request's id."""
        number = next(row["builderid"] for row in self.get("builders")["builders"] if row["name"] == builder)
        names = [name.replace("-", "_") for name in STEPS]
        parameters = {"builderid": number, "branch": branch, "revision": revision, "reason": "test"}
        parameters |= dict(zip(names, scripts, strict=False))
        answer = self.post("forceschedulers/force", "force", parameters)
        return int(next(iter(answer["result"][1].values())))

    def builds_of(self, request: int) -> list[dict[str, Any]]:
        """The builds of a request, oldest first."""
        rows: list[dict[str, Any]] = self.get(f"builds?buildrequestid={request}&order=buildid")["builds"]
        return rows

    def wait_for_build(self, request: int, *, is_over: bool = True, seconds: float = 60.0) -> dict[str, Any]:
        """The newest build of a request, once it is over or has begun."""

        def find() -> dict[str, Any] | None:
            rows = self.builds_of(request)
            return rows[-1] if rows and (rows[-1]["complete"] or not is_over) else None

        found: dict[str, Any] = wait_until(find, seconds, f"a build of request {request}", every=0.1)
        return found

    def log(self, log_id: int) -> str:
        """A log's text, as the master has it."""
        text = ""
        while True:
            first = text.count("\n")
            chunks = self.get(f"logs/{log_id}/contents?offset={first}&limit=100000")["logchunks"]
            content = "".join(chunk["content"] for chunk in chunks)
            if not content:
                return text
            text += content

    def get(self, path: str) -> dict[str, Any]:
        """GET below `/api/v2/`; a busy master cuts an answer now and then, and is asked again."""
        request = urllib.request.Request(f"{self.url}/api/v2/{path}", headers=self._headers())  # noqa: S310  our own server
        for _ in range(5):
            with suppress(http.client.HTTPException, TimeoutError, ConnectionError):
                return self._ask(request)
        return self._ask(request)

    def post(self, path: str, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Call a method of a resource."""
        body = json.dumps({"id": 1, "jsonrpc": "2.0", "method": method, "params": parameters}).encode()
        headers = {"Content-Type": "application/json", **self._headers()}
        return self._ask(urllib.request.Request(f"{self.url}/api/v2/{path}", body, headers))  # noqa: S310  as above

    def tail(self, name: str) -> str:
        """The end of what it printed."""
        path = self.directory / f"{name}.out"
        return path.read_bytes()[-3000:].decode(errors="replace") if path.exists() else ""

    def _headers(self) -> dict[str, str]:
        return {"Accept": "application/json"}

    def _ask(self, request: urllib.request.Request) -> dict[str, Any]:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  as above
            found: dict[str, Any] = json.loads(answer.read())
        return found

    def _answers(self) -> bool:
        if self.processes["master"].poll() is not None:
            raise RuntimeError(f"the master ended at start:\n{self.tail('master')}")
        try:
            with urllib.request.urlopen(f"{self.url}/", timeout=5):  # noqa: S310  as above
                pass
            self.get("builders")
        except urllib.error.HTTPError as error:
            return error.code in (401, 403)
        except OSError:
            return False
        return True

    def _start(self, key: str, name: str, *arguments: str) -> None:
        with (self.directory / f"{key}.out").open("ab") as output:
            self.processes[key] = subprocess.Popen(
                [program(name), *arguments],
                cwd=self.directory,
                env=self._environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [program(name), *arguments], cwd=self.directory, env=self._environment(), check=True, capture_output=True
        )

    def _environment(self) -> dict[str, str]:
        return dict(os.environ) | {"PATH": f"{CACHE / 'bin'}:{os.environ['PATH']}"}
