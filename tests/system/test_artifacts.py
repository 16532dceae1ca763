"""What a build produced arrives equal, whoever is killed in mid-upload: the agent, or who takes the bytes."""

import hashlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from build_testkit.rabbitmq import private_rabbitmq
from build_testkit.seaweedfs import ACCESS_KEY, BUCKET, SECRET_KEY, SeaweedFs
from build_testkit.stack import Stack, embedded_stack, separate_stack, wait_until

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
LARGE_BYTES = 160 * MIB


def start(stack: Stack, directory: Path, *patterns: str) -> subprocess.Popen[bytes]:
    """An agent whose build brings what the patterns match."""
    options = tuple(word for pattern in patterns for word in ("--artifact", pattern))
    command = stack.agent_command("artifacts", "sh", "-c", "echo built", options=options)
    return subprocess.Popen(command, env=stack.agent_environment, cwd=directory, stdin=subprocess.DEVNULL)


def finish(agent: subprocess.Popen[bytes]) -> int:
    """The agent's exit code; it does not outlive the test."""
    try:
        return agent.wait(90)
    finally:
        agent.kill()


def verified(stack: Stack, count: int) -> list[dict[str, Any]]:
    """The artifacts of the newest build, once all of them are verified."""
    token = stack.token()

    def look() -> list[dict[str, Any]] | None:
        builds = stack.get("/api/builds?project=artifacts&limit=1", token)["items"]
        items = brought(stack, builds[0]["id"], token)
        return items if len(items) == count and all(item["state"] == "verified" for item in items) else None

    found: list[dict[str, Any]] = wait_until(look, 30, f"{count} verified artifacts", every=0.1)
    return found


def assert_equal(stack: Stack, item: dict[str, Any], path: Path) -> None:
    content = stack.get_bytes(f"/api/artifacts/{item['id']}/download")
    assert hashlib.sha256(content).digest() == hashlib.sha256(path.read_bytes()).digest()


def large_file(directory: Path) -> Path:
    path = directory / "compiler.tar"
    path.write_bytes(os.urandom(MIB) * (LARGE_BYTES // MIB))
    return path


def wait_for_a_part(data: Path) -> None:
    wait_until(lambda: any(data.glob("objects/parts/*/*")), 30, "the first part", every=0.002)
    # The log's archive may be there: it is small, and comes from ingest.
    whole = [path for path in data.glob("objects/objects/*") if path.stat().st_size == LARGE_BYTES]
    assert not whole, "the upload was over before anything could be killed"


def test_links_neither_hide_nor_multiply_nor_lead_out(stack: Stack, tmp_path: Path) -> None:
    """`--artifact '**'` beside `ln -s . loop` and folders that link to each other: each file once, the rest listed."""
    (tmp_path / "secret").write_text("not for the dashboard")
    directory = tmp_path / "work"
    for name in ("a/one", "b/two"):
        (directory / name).parent.mkdir(parents=True)
        (directory / name).write_text(name)
    links = {"loop": ".", "a/b": "../b", "b/a": "../a", "x": "y", "y": "x", "out": "../secret"}
    for link, target in links.items():
        (directory / link).symlink_to(target)
    patterns = ("--artifact", "**", "--artifact", "../secret", "--artifact", "*.whl")
    command = stack.agent_command("artifacts", "true", options=patterns)

    options: dict[str, Any] = {"env": stack.agent_environment, "cwd": directory, "timeout": 60}
    done = subprocess.run(command, check=False, capture_output=True, **options)

    assert (done.returncode, [item["name"] for item in verified(stack, 2)]) == (0, ["a/one", "b/two"])
    for words in ("linked folder", "leads nowhere", "leads out", "../secret: outside", "*.whl: matches no file"):
        assert words in done.stderr.decode()


def test_artifacts_arrive_equal(stack: Stack, tmp_path: Path) -> None:
    """Small files of any name, by pattern, through the gateway."""
    for name in ("wheels/a.whl", "größe.json", ".ninja_log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(os.urandom(100_000))

    assert finish(start(stack, tmp_path, "**/*.whl", "*.json", ".ninja_log")) == 0

    items = verified(stack, 3)
    assert [".ninja_log", "größe.json", "wheels/a.whl"] == [item["name"] for item in items]
    for item in items:
        assert_equal(stack, item, tmp_path / item["name"])


def test_an_overwritten_artifact_is_not_served(stack: Stack, tmp_path: Path) -> None:
    """Neither to whoever asks for it anew nor by a link given before; its build's list says why."""
    (tmp_path / "prog").write_bytes(os.urandom(100_000))
    assert finish(start(stack, tmp_path, "prog")) == 0
    (item,) = verified(stack, 1)
    link = stack.get(f"/api/artifacts/{item['id']}/link")["url"]
    (kept,) = stack.directory.glob(f"**/objects/{item['id']}")

    kept.write_bytes(os.urandom(100_000))

    for path in (link, f"/api/artifacts/{item['id']}/download", f"/api/artifacts/{item['id']}/link"):
        with pytest.raises(HTTPError, match="410"):
            stack.get_bytes(path)
    (shown,) = brought(stack, item["buildId"], stack.token())
    assert (shown["state"], "no longer the bytes" in shown["problem"]) == ("damaged", True)


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["agent", "system"])
def test_a_kill_in_mid_multipart_costs_only_what_was_on_its_way(tmp_path: Path, victim: str) -> None:
    """kill -9 after the first part: the agent's next run, or the same one once the system is back, brings the rest."""
    path = large_file(tmp_path)
    with embedded_stack(tmp_path) as stack:
        agent = start(stack, tmp_path, path.name)
        wait_for_a_part(tmp_path / "data")
        if victim == "agent":
            agent.kill()
            agent.wait()
            stack.resume(60)
        else:
            stack.processes["embedded"].restart(signal.SIGKILL)
            assert finish(agent) == 0
            stack.resume(60)  # nothing, or what the agent left when it gave up waiting
        assert_equal(stack, verified(stack, 1)[0], path)


@pytest.mark.slow
@pytest.mark.s3
@pytest.mark.rabbitmq
def test_artifacts_on_s3_survive_a_killed_service(tmp_path: Path, seaweedfs: SeaweedFs) -> None:
    """Five processes and a real S3: the service is killed while parts go to the store, which it does not carry."""
    path = large_file(tmp_path)
    names = {"S3_BUCKET": BUCKET, "AWS_ACCESS_KEY": ACCESS_KEY, "AWS_SECRET_KEY": SECRET_KEY}
    settings = {"ARTIFACTS_S3_ENDPOINT": seaweedfs.endpoint, "ARTIFACTS_S3_PREFIX": f"{os.urandom(6).hex()}/"}
    # A broker of its own: the system that other scenarios share listens to theirs.
    with private_rabbitmq() as broker, separate_stack(tmp_path, broker.url, extra=names | settings) as stack:
        agent = start(stack, tmp_path, path.name)
        token = stack.token()
        wait_until(lambda: artifacts_of(stack, token), 30, "the upload's beginning")
        stack.processes["artifacts"].restart(signal.SIGKILL)
        assert finish(agent) == 0
        item = verified(stack, 1)[0]
        link = stack.get(f"/api/artifacts/{item['id']}/link")["url"]

        assert link.startswith(seaweedfs.endpoint)
        assert (item["sizeBytes"], item["sha256"]) == (LARGE_BYTES, hashlib.sha256(path.read_bytes()).hexdigest())


def artifacts_of(stack: Stack, token: str) -> list[Any]:
    """The artifacts of the newest build, whatever their state."""
    builds = stack.get("/api/builds?project=artifacts&limit=1", token)["items"]
    return brought(stack, builds[0]["id"], token) if builds else []


def brought(stack: Stack, build_id: str, token: str) -> list[dict[str, Any]]:
    """What the agent brought: the log's archive comes from ingest, when it likes."""
    items = stack.get(f"/api/builds/{build_id}/artifacts", token)["items"]
    return [item for item in items if item["name"] != "build.log.zst"]
