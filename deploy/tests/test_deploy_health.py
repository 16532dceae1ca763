"""deploy.sh's look at what it deployed: a build of its own, through the public address, on a real system."""

from pathlib import Path

import pytest
from build_testkit.stack import embedded_stack, free_port

from deploy.aws.health import Front, Unhealthy

pytestmark = pytest.mark.slow


def test_a_build_streams_through_a_healthy_system_and_no_other(tmp_path: Path) -> None:
    """Its first line is read while it runs, its last one after; with a wrong key, or nobody there, it says why."""
    with embedded_stack(tmp_path) as stack:
        front = Front(stack.url, stack.api_key)
        assert front.is_ready()
        build_id = front.stream()
        build = stack.get(f"/api/builds/{build_id}")
        with pytest.raises(Unhealthy, match="a build that streams is not shown within 1 s"):
            Front(stack.url, "wrong", 1).stream()

    assert ("deploy-check", "succeeded", 2) == (build["project"], build["status"], build["logLines"])
    assert not Front(f"http://127.0.0.1:{free_port()}", "key").is_ready()
