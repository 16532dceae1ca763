"""`make demo`: the embedded system with real builds in it: a good one, then a broken one.

Everything lies under `.demo/`: the data, and a small git repository of the example so that builds have commits.
`DEMO_EXIT=1` ends with 0 once both builds are stored and shown.
"""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from chassis.testing.repository import Repository
from chassis.testing.stack import Stack, embedded_stack, free_port, port_is_free

from embedded.secrets_file import KEY, PASSWORD, load_secrets

PORT = 8080
PROJECT = "loom"
CONFIG = "release"
BREAKAGE = "api-change"
BUILD_SECONDS = 900


@dataclass(frozen=True)
class Tree:
    """A repository of the example, and where it is built."""

    source: Repository
    build_directory: Path

    def breakage(self, verb: str) -> None:
        """Apply or revert the demo's breakage."""
        path = self.source.path
        subprocess.run([sys.executable, str(path.parent / "breakage.py"), verb, str(path), BREAKAGE], check=True)


def lay_out(examples: Path, demo: Path) -> Tree:
    """A fresh copy of the example under `demo`, as a git repository with one commit."""
    path = demo / "source" / PROJECT
    shutil.rmtree(path.parent, ignore_errors=True)
    shutil.copytree(examples / "tensor-demo", path, ignore=shutil.ignore_patterns("build*/", "__pycache__"))
    shutil.copy(examples / "breakage.py", path.parent)
    tree = Tree(Repository(path).create(), demo / "build")
    shutil.rmtree(tree.build_directory, ignore_errors=True)
    tree.source.commit("Import the Loom tensor compiler")
    return tree


def stream(stack: Stack, tree: Tree) -> int:
    """Build the tree through the agent; the build's exit code."""
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = stack.agent_command(
        PROJECT,
        str(tree.source.path / "build.sh"),
        str(tree.build_directory),
        options=("--config-name", CONFIG, "--origin", "ci"),
    )
    return subprocess.run(
        command,
        env=stack.agent_environment | {"PATH": tools},
        cwd=tree.source.path,
        stdout=subprocess.DEVNULL,
        timeout=BUILD_SECONDS,
        check=False,
    ).returncode


def newest(stack: Stack, status: str | None = None) -> dict[str, object] | None:
    """The newest build of the demo's project (with this status), as the page is told it."""
    wanted = "" if status is None else f"&status={status}"
    found: list[dict[str, object]] = stack.get(f"/api/builds?project={PROJECT}&limit=1{wanted}")["items"]
    return found[0] if found else None


def check_shown(stack: Stack, status: str) -> None:
    """Raise unless the newest build is stored whole, verified and listed with this status."""
    build = newest(stack)
    lines = build and stack.get(f"/api/builds/{build['id']}/logs?first=1&count=10")["lines"]
    if build is None or build["status"] != status or not build["verified"] or not lines:
        raise RuntimeError(f"expected a verified {status} build with a log, the page shows {build}")


def greet(stack: Stack) -> None:
    """Tell where it is, how to log in, and how to stream one's own build."""
    endpoint = stack.url.replace("http", "ws", 1)
    print(
        f"\n  The dashboard   {stack.url}"
        f"\n  Log in as       admin / {stack.password}"
        f"\n\n  Stream your own build from another terminal:"
        f"\n    WS_ENDPOINT={endpoint} BUILD_DASHBOARD_API_KEY={stack.api_key} "
        f"{Path(sys.executable).with_name('build-dashboard')} run --project my-project -- make\n",
        flush=True,
    )


def main() -> None:
    """Run the demo; Ctrl-C ends it."""
    root = Path.cwd()
    demo = root / ".demo"
    demo.mkdir(exist_ok=True)
    tree = lay_out(root / "examples", demo)
    data = demo / "data"
    data.mkdir(exist_ok=True)
    secrets = load_secrets(data)
    port = PORT if port_is_free(PORT) else free_port()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with embedded_stack(demo, extra={PASSWORD: secrets.password, KEY: secrets.key}, port=port) as stack:
            greet(stack)
            print("  Building the example through the agent: a good build ...", flush=True)
            stream(stack, tree)
            check_shown(stack, "succeeded")
            print("  ... and one that someone broke ...", flush=True)
            tree.breakage("apply")
            tree.source.commit("Rename a method of the scope")
            stream(stack, tree)
            check_shown(stack, "failed")
            print("  ... both are stored and shown.", flush=True)
            if os.environ.get("DEMO_EXIT") != "1":
                print("  Ctrl-C ends the demo.", flush=True)
                signal.pause()
    except KeyboardInterrupt:
        print("\n  The demo ended; its data stays in .demo/.")


if __name__ == "__main__":
    main()
