"""Cancel on the dashboard ends a real ninja and all it started within the grace and a second; nobody is left."""

import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from build_testkit.stack import Stack, wait_until

pytestmark = pytest.mark.slow

GRACE_SECONDS = 2.0

NINJA = """\
rule stubborn
  command = sh ./$out.sh
build grandchildren: stubborn
build ignores: stubborn
build session: stubborn
build daemon: stubborn
"""

SCRIPTS = {
    "grandchildren": "sh -c 'sleep 1000 & sleep 1000 & wait' & sleep 1000 & wait",
    "ignores": "trap '' TERM; while :; do sleep 0.2; done",
    "session": "setsid sh -c 'trap \"\" TERM; while :; do sleep 0.2 & wait; done' & wait",
    # Two forks and a session of its own: nobody's child any more.
    "daemon": "(setsid sh -c 'trap \"\" TERM HUP; sleep 1000' >/dev/null 2>&1 </dev/null &); sleep 1000",
}


def inhabitants(directory: Path) -> list[str]:
    """The commands of all processes whose working directory this is."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and (process / "cwd").readlink() == directory:
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip())
        except OSError:
            pass  # it ended meanwhile, or is another user's
    # The agent and its holder live on a little, to report it.
    return [command for command in found if command and "build_dashboard" not in command]


def post(stack: Stack, path: str, body: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {stack.token()}", "Content-Type": "application/json"}
    request = urllib.request.Request(stack.url + path, json.dumps(body).encode(), headers)
    urllib.request.urlopen(request, timeout=30).close()


@pytest.mark.skipif(shutil.which("setsid") is None, reason="setsid of util-linux is not installed")
def test_cancel_ends_a_real_ninja_and_all_its_children(embedded: Stack, tmp_path: Path) -> None:
    """Children that ignore SIGTERM, start others, leave the session or become daemons: all are gone in time."""
    (tmp_path / "build.ninja").write_text(NINJA)
    for name, script in SCRIPTS.items():
        (tmp_path / f"{name}.sh").write_text(script + "\n")
    options = ("--grace", str(GRACE_SECONDS))
    agent = subprocess.Popen(
        embedded.agent_command("cancelled", "ninja", "-j", "8", options=options),
        env=embedded.agent_environment,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        token = embedded.token()
        path = "/api/builds?project=cancelled&status=running"
        build = wait_until(lambda: embedded.get(path, token)["items"], 30, "the build on the dashboard", every=0.1)[0]
        # ninja, its four scripts, and what they start.
        wait_until(lambda: len(inhabitants(tmp_path)) >= 12, 30, "all of the family")
        began = time.monotonic()
        post(embedded, "/api/commands", {"kind": "cancel", "buildId": build["id"]})
        wait_until(lambda: not inhabitants(tmp_path), GRACE_SECONDS + 30, "an empty directory")
        took = time.monotonic() - began
        agent.communicate(timeout=30)
    finally:
        agent.kill()

    ended = embedded.wait_for_build(build["id"], lambda each: each["status"] != "running", 30)
    assert (ended["status"], inhabitants(tmp_path)) == ("cancelled", [])
    assert took < GRACE_SECONDS + 1
