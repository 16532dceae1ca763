"""`.env`: the founding document's way to name the dashboard."""

from pathlib import Path

import pytest
from build_dashboard.config_error import ConfigError
from build_dashboard.dot_env import with_dot_env
from build_dashboard.endpoint import find_endpoint


@pytest.fixture
def env(tmp_path, monkeypatch):
    """Writes `.env` into the working directory."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        path = tmp_path / ".env"
        path.write_text(text)
        return path

    return write


def test_address_and_key_are_taken_from_the_file(env) -> None:
    """Quotes, comments, `export`, spaces; what is another program's is not taken."""
    env(
        "# the dashboard\n"
        "export WS_ENDPOINT = 'wss://dash.example.com'  # ours\n"
        "BUILD_DASHBOARD_API_KEY=bmk_x#1 # with a comment\n"
        "AWS_SECRET_KEY=no\nno line\n=\nPATH=/evil\n"
    )
    endpoint = find_endpoint(environment={})

    assert (endpoint.url, endpoint.api_key) == ("wss://dash.example.com/ws", "bmk_x#1")
    assert with_dot_env({"A": "1"}) == {
        "A": "1",
        "WS_ENDPOINT": "wss://dash.example.com",
        "BUILD_DASHBOARD_API_KEY": "bmk_x#1",
    }


def test_the_environment_comes_first(env) -> None:
    """Each variable alone; one that is set to nothing is as good as absent."""
    env("WS_ENDPOINT=wss://file\nBUILD_DASHBOARD_API_KEY=bmk_file\n")

    endpoint = find_endpoint(environment={"WS_ENDPOINT": "wss://own", "BUILD_DASHBOARD_API_KEY": ""})
    assert (endpoint.url, endpoint.api_key) == ("wss://own/ws", "bmk_file")


def test_a_checkout_in_ci_redirects_no_key(env) -> None:
    """A pull request's `.env` cannot have the job's key sent elsewhere."""
    env("WS_ENDPOINT=wss://evil.example.com\n")

    endpoint = find_endpoint(environment={"CI": "true", "BUILD_DASHBOARD_API_KEY": "bmk_x"})
    assert endpoint.url == "ws://127.0.0.1:8080/ws"
    assert find_endpoint(environment={"CI": "false"}).url == "wss://evil.example.com/ws"


def test_an_example_that_was_not_filled_in_names_nothing(env) -> None:
    """The founding document's own lines."""
    env("WS_ENDPOINT=wss://your-api-gateway-url\nWS_REGION=us-east-1\n")

    assert find_endpoint(environment={}).url == "ws://127.0.0.1:8080/ws"


@pytest.mark.parametrize("content", [b"\xff\xfe\0", b"", b"WS_ENDPOINT"])
def test_a_file_that_says_nothing_costs_nothing(env, content) -> None:
    """Not text, empty, cut off; a directory of this name."""
    path = env("")
    path.write_bytes(content)
    assert with_dot_env({"A": "1"}) == {"A": "1"}
    path.unlink()
    path.mkdir()
    assert with_dot_env({"A": "1"}) == {"A": "1"}


def test_the_region_is_part_of_the_address(env) -> None:
    """One line for a fleet, of which each machine has a region of its own."""
    env("WS_ENDPOINT=wss://dash.{region}.example.com\nWS_REGION=us-east-1\n")
    assert find_endpoint(environment={}).url == "wss://dash.us-east-1.example.com/ws"
    assert find_endpoint(environment={"WS_REGION": "eu-west-1"}).url == "wss://dash.eu-west-1.example.com/ws"
    with pytest.raises(ConfigError, match="WS_REGION"):
        find_endpoint("wss://dash.{region}.example.com", environment={"CI": "1"})


@pytest.mark.slow
def test_a_build_finds_its_dashboard_by_the_file_and_masks_its_key(agent, gateway, tmp_path) -> None:
    """Nothing but `.env` says where; the key in it is a secret like that of the environment."""
    key = agent.environment.pop("BUILD_DASHBOARD_API_KEY")
    address = agent.environment.pop("WS_ENDPOINT")
    (tmp_path / ".env").write_text(f"WS_ENDPOINT={address}\nBUILD_DASHBOARD_API_KEY={key}\n")
    agent.environment.pop("CI", None)

    done = agent.build("cat", ".env", cwd=tmp_path)

    assert done.returncode == 0
    log = gateway.log(gateway.only_build())
    assert log[1] == "BUILD_DASHBOARD_API_KEY=[REDACTED]"
    assert key not in repr(gateway.records)
