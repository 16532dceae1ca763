"""Badges: a project's true state in a few words, for those who may see it."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest
from build_chassis.auth import Principal
from build_chassis.service_client import ServiceUnavailable
from build_gateway.badge import Lane, badge_state, draw
from build_testkit.gateway import KEY, Gateway

SVG = "{http://www.w3.org/2000/svg}"


class HistoryClient:
    """A history with these lanes; None: it does not answer."""

    def __init__(self, lanes: list[dict[str, str]] | None) -> None:
        self.lanes = lanes

    async def get_json(self, path: str, principal: Principal) -> Any:
        if self.lanes is None:
            raise ServiceUnavailable("history", "it is away")
        query = parse_qs(urlsplit(path).query)
        return {"items": [lane for lane in self.lanes if lane["project"] == query["project"][0]]}

    async def close(self) -> None:
        """Nothing is pooled."""


def lane(config: str, colour: str, project: str = "loom") -> dict[str, str]:
    return {"project": project, "config": config, "colour": colour}


async def words_of(gateway: Gateway, path: str) -> str:
    answer = await gateway.as_admin("GET", path)
    assert 200 == answer.status_code
    assert "image/svg+xml" == answer.headers["content-type"]
    return " ".join(text.text or "" for text in ElementTree.fromstring(answer.text).iter(f"{SVG}text"))


@pytest.mark.parametrize(
    ("colours", "words"),
    [
        ([], "no result yet"),
        (["none"], "no result yet"),
        (["green"], "passing"),
        (["green", "green"], "passing"),
        (["green", "none"], "1 of 2 passing"),
        (["red"], "failing"),
        (["red", "green", "none"], "1 of 3 failing"),
    ],
)
def test_one_red_config_is_never_hidden_by_green_ones(colours: list[Any], words: str) -> None:
    """Red wins, and what is not known is not counted as passing."""
    assert words == badge_state([Lane(str(number), colour) for number, colour in enumerate(colours)]).words


def test_a_label_is_text_and_never_markup() -> None:
    """A config may be called anything."""
    root = ElementTree.fromstring(draw('<script>"&', badge_state([])))
    assert '<script>"&' == next(root.iter(f"{SVG}text")).text
    assert root.attrib["aria-label"].startswith('<script>"&')


async def test_a_badge_shows_the_state_of_a_project_or_of_one_config(gateway: Gateway) -> None:
    """All configs of the branch together, or the one asked for."""
    gateway.app.state.dependencies.peers["history"] = HistoryClient([lane("release", "green"), lane("asan", "red")])

    assert "loom 1 of 2 failing" == await words_of(gateway, "/api/projects/loom/badge.svg")
    assert "loom release passing" == await words_of(gateway, "/api/projects/loom/badge.svg?config=release")
    assert "other no result yet" == await words_of(gateway, "/api/projects/other/badge.svg")


async def test_a_badge_without_history_shows_not_known(gateway: Gateway) -> None:
    """An image in somebody's README is better grey than broken."""
    gateway.app.state.dependencies.peers["history"] = HistoryClient(None)

    assert "loom not known" == await words_of(gateway, "/api/projects/loom/badge.svg")


async def test_only_a_badge_declared_public_is_shown_without_a_login(gateway: Gateway, tmp_path: Path) -> None:
    """config.yaml decides; a private project is shown to a key that may read, else it seems not to exist."""
    gateway.app.state.dependencies.peers["history"] = HistoryClient([lane("release", "green", "open")])
    (tmp_path / "config.yaml").write_text("projects:\n  open: {public_badge: true}\n  closed: {}\n")

    async with gateway.http as client:
        assert 200 == (await client.get("/api/projects/open/badge.svg")).status_code
        assert 401 == (await client.get("/api/projects/closed/badge.svg")).status_code
        assert 401 == (await client.get("/api/projects/nothing/badge.svg")).status_code
        headers = {"Authorization": f"Bearer {KEY}"}
        assert 200 == (await client.get("/api/projects/closed/badge.svg", headers=headers)).status_code
