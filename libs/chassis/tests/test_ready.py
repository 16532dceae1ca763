"""The question a container's health check asks."""

import subprocess
import sys

import pytest
from build_testkit.stack import free_port
from build_testkit.web import web_server


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_answer_is_shown_and_decides_the_exit_code(status, code) -> None:
    """Whoever looks at the container's health reads what is missing."""
    with web_server() as service:
        service.routes["GET /readyz"] = (status, {"missing": ["objects"]})
        port = service.url.rpartition(":")[2]
        asked = subprocess.run(
            [sys.executable, "-m", "build_chassis.ready", port], capture_output=True, text=True, check=False
        )

    assert (asked.returncode, asked.stdout) == (code, '{"missing": ["objects"]}\n')


def test_a_service_that_does_not_answer_is_not_ready() -> None:
    """Refused connections are an exit code and a sentence, no traceback."""
    port = free_port()
    asked = subprocess.run(
        [sys.executable, "-m", "build_chassis.ready", str(port)], capture_output=True, text=True, check=False
    )

    assert (asked.returncode, asked.stderr) == (1, "")
    assert str(port) in asked.stdout
