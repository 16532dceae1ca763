"""Stores: the URL of an empty one, once on every driver, for what holds on all of them."""

from pathlib import Path

import pytest


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("mariadb", marks=pytest.mark.mariadb),
        pytest.param("mongodb", marks=pytest.mark.mongodb),
    ]
)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A file, or a database of the test's own on a real server."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.sqlite"
    return str(request.getfixturevalue(f"{request.param}_url"))
