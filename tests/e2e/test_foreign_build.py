"""A build that was taken from another CI, and what builds leave behind, as a person sees them."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from build_protocol.ids import new_build_id
from build_testkit.stack import Stack, wait_until
from playwright.sync_api import Page, expect
from websockets.sync.client import connect

pytestmark = pytest.mark.browser

PROJECT = "foreign"


@pytest.fixture
def stack(embedded: Stack) -> Stack:
    """What differs between embedded and separate processes is not the page."""
    return embedded


def send(stack: Stack, *records: tuple[str, dict[str, object]]) -> str:
    """Send a build's records as an agent; returns its id once all are stored."""
    now_ms = time.time_ns() // 1_000_000
    build_id = new_build_id(now_ms)
    head = {"buildId": build_id, "project": PROJECT, "timestamp": now_ms}
    frames = [{**head, "type": kind, "seq": seq, "data": data} for seq, (kind, data) in enumerate(records, 1)]
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    with connect(stack.url.replace("http", "ws", 1) + "/ws", additional_headers=headers) as socket:
        socket.send(json.dumps({"type": "HELLO", "agentVersion": "mirror", "instance": build_id}))
        socket.send(json.dumps({"type": "RECORDS", "records": frames}))
        while json.loads(socket.recv(15)).get("stored") != len(frames):
            continue
    return build_id


def test_a_build_of_another_ci_leads_back_to_it(stack: Stack, page: Page) -> None:
    """Its header says where it was taken from, as a link, its tags, and that it is from before."""
    source = "https://ci.example.org/#/builders/1/builds/7"
    start = {"status": "running", "sourceUrl": source, "backfill": True, "tags": ["mlir", "asan"]}
    build_id = send(stack, ("BUILD_START", start), ("BUILD_COMPLETE", {"status": "failed", "fault": "infra"}))

    page.goto(f"/builds/{build_id}")

    link = page.get_by_test_id("source")
    expect(link).to_have_text("ci.example.org")
    expect(link).to_have_attribute("href", source)
    for word in ("mlir", "asan", "from before"):
        expect(page.locator("h1").get_by_text(word, exact=True)).to_be_visible()


def test_an_incident_leads_to_what_its_first_red_build_left(stack: Stack, page: Page, tmp_path: Path) -> None:
    """The Now page shows how many artifacts there are, and a click shows them."""
    for script in ("true", "echo core > core.bin; false"):
        options = ("--artifact", "core.bin", "--origin", "ci", "--branch", "main")
        command = stack.agent_command("leaves", "sh", "-c", script, options=options)
        subprocess.run(command, env=stack.agent_environment, cwd=tmp_path, timeout=60, check=False)

    page.goto("/")
    page.locator("[data-testid=red-now] article", has_text="leaves").get_by_role("link", name="1 artifact").click()

    expect(page.get_by_test_id("artifact")).to_contain_text("core.bin")


def test_an_artifact_is_shown_when_it_is_ready(stack: Stack, page: Page, tmp_path: Path) -> None:
    """An open artifacts tab shows what a build brings as soon as it is verified, without asking again and again."""
    go, asked = tmp_path / "go", []
    script = f"echo bytes > kept.bin; while [ ! -e {go} ]; do sleep 0.1; done"
    command = stack.agent_command("keeps", "sh", "-c", script, options=("--artifact", "kept.bin"))
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/artifacts") else None)
    agent = subprocess.Popen(command, env=stack.agent_environment, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        find = lambda: stack.get("/api/builds?project=keeps")["items"]  # noqa: E731  one line, used once
        build_id = wait_until(find, 60, "the build is there")[0]["id"]
        page.goto(f"/builds/{build_id}?tab=artifacts")
        expect(page.get_by_text("This build kept no artifacts")).to_be_visible()
        before = len(asked)
        page.wait_for_timeout(6_000)  # longer than a page that polls would wait
        assert len(asked) <= before + 1  # everything is read once more a moment after the first connection
        go.touch()
        expect(page.get_by_test_id("artifact")).to_have_attribute("data-state", "verified", timeout=20_000)
    finally:
        go.touch()
        agent.wait(30)
