"""`make demo`: the embedded system with real builds in it: a good one, then a broken one.

Everything lies under `.demo/`: the data, a small git repository of the example so that builds have commits, and the
mail about the broken build, caught there instead of sent. `DEMO_EXIT=1` ends with 0 once all is stored and shown.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from build_embedded.secrets_file import KEY, PASSWORD, given, load_secrets
from build_testkit.repository import Repository
from build_testkit.sendgrid import KEY as MAIL_KEY
from build_testkit.sendgrid import SendGridServer, sendgrid_server
from build_testkit.stack import Stack, embedded_stack, free_port, port_is_free, wait_until

PORT = 8080
PROJECT = "loom"
CONFIG = "release"
BREAKAGE = "api-change"
LOOMC = "tools/loomc/loomc"
BUILD_SECONDS = 900
MAIL_SECONDS = 60
NEXT_PIN = "24a30daaa559829ad079f2ff7f73eb4e18095f88"
"""LLVM 20.1.0, which the broken commit moves to."""

CONFIG_YAML = f"""
projects:
  {PROJECT}:
    notification_emails: [compilers@example.com]
    configs:
      {CONFIG}: {{owner: dev@example.com}}
"""


@dataclass(frozen=True)
class Tree:
    """A repository of the example, and where it is built."""

    source: Repository
    build_directory: Path

    def break_it(self) -> None:
        """Commit a change that does not compile."""
        path = self.source.path
        subprocess.run([sys.executable, str(path.parent / "breakage.py"), "apply", str(path), BREAKAGE], check=True)
        (path / "cmake" / "llvm-hash.txt").write_text(f"{NEXT_PIN}\n")
        self.source.commit("Follow LLVM 20: a scope binds names")


@contextmanager
def demo_stack(directory: Path, extra: Mapping[str, str], port: int) -> Iterator[tuple[Stack, SendGridServer]]:
    """The embedded system, and who catches its mails."""
    config = directory / "config.yaml"
    config.write_text(CONFIG_YAML)
    with sendgrid_server() as mails:
        notifying = {
            "BUILD_DASHBOARD_URL": f"http://127.0.0.1:{port}",
            "BUILD_DASHBOARD_CONFIG": str(config),
            "NOTIFICATION_EMAIL": "dashboard@example.com",
            "NOTIFIER_QUIET_SECONDS": "1",
            "NOTIFIER_SENDGRID_HOST": mails.url,
            "SECRET_API_KEY": MAIL_KEY,
        }
        with embedded_stack(directory, extra={**extra, **notifying}, port=port) as stack:
            yield stack, mails


def lay_out(examples: Path, demo: Path) -> Tree:
    """A fresh copy of the example under `demo`, as a git repository with one commit."""
    path = demo / "source" / PROJECT
    shutil.rmtree(path.parent, ignore_errors=True)
    shutil.copytree(examples / "tensor-demo", path, ignore=shutil.ignore_patterns("build*/", "__pycache__"))
    shutil.copy(examples / "breakage.py", path.parent)
    # Artifacts are brought from within the working directory only.
    tree = Tree(Repository(path).create(), path / "build")
    (path / ".git" / "info" / "exclude").write_text("build/\n")
    tree.source.commit("Import the Loom tensor compiler")
    return tree


def stream(stack: Stack, tree: Tree) -> int:
    """Build the tree through the agent; the build's exit code."""
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = stack.agent_command(
        PROJECT,
        str(tree.source.path / "build.sh"),
        str(tree.build_directory),
        options=("--config-name", CONFIG, "--origin", "ci", "--artifact", f"build/{LOOMC}"),
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
    """The newest build of the demo's project (with this status), as the page gets it."""
    wanted = "" if status is None else f"&status={status}"
    found: list[dict[str, object]] = stack.get(f"/api/builds?project={PROJECT}&limit=1{wanted}")["items"]
    return found[0] if found else None


def check_shown(stack: Stack, status: str) -> None:
    """Raise unless the newest build is stored whole, verified and listed with this status."""
    build = newest(stack)
    lines = build and stack.get(f"/api/builds/{build['id']}/logs?first=1&count=10")["lines"]
    if build is None or build["status"] != status or not build["verified"] or not lines:
        raise RuntimeError(f"expected a verified {status} build with a log, the page shows {build}")


def keep_mail(mails: SendGridServer, directory: Path) -> Path:
    """Wait for the mail about the broken build and keep it as a page; where it lies."""
    mail = wait_until(
        lambda: next((mail for mail in mails.mails if "is broken" in mail["subject"]), None),
        MAIL_SECONDS,
        "the mail about the broken build",
    )
    path = directory / "mail.html"
    path.write_text(next(part["value"] for part in mail["content"] if part["type"] == "text/html"))
    return path


def greet(stack: Stack) -> None:
    """Print where it is, how to log in, and how to stream one's own build."""
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
    exported = given()[:1]  # what `.env` has is for a deployment, and the demo prints these
    secrets = load_secrets(data, exported, is_local=True).values
    port = PORT if port_is_free(PORT) else free_port()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with demo_stack(demo, {PASSWORD: secrets[PASSWORD], KEY: secrets[KEY]}, port) as (stack, mails):
            greet(stack)
            print("  Building the example through the agent: a good build ...", flush=True)
            stream(stack, tree)
            check_shown(stack, "succeeded")
            print("  ... and one that someone broke ...", flush=True)
            tree.break_it()
            stream(stack, tree)
            check_shown(stack, "failed")
            mail = keep_mail(mails, demo)
            print(
                f"  ... both are stored and shown. The mail about it was caught: {mail.relative_to(root)}", flush=True
            )
            if os.environ.get("DEMO_EXIT") != "1":
                print("  Ctrl-C ends the demo.", flush=True)
                signal.pause()
    except KeyboardInterrupt:
        print("\n  The demo ended; its data stays in .demo/.")


if __name__ == "__main__":
    main()
