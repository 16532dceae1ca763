"""What history's tests share: builds in every form they come in, and a store on every driver."""

from typing import Any

import pytest
from build_history.builds.colour import colour_of
from build_history.builds.fact import Point
from build_history.store import open_store
from build_protocol.ids import new_build_id
from build_protocol.messages import BuildStart, BuildStartData, BuildVerdict, BuildVerdictData, Commit, FailureData
from build_testkit.stores import sqlite_store_fixture, store_fixture

NOON_AT = 1_700_000_000_000 // 86_400_000 * 86_400_000 + 43_200_000
HOUR_MS = 3_600_000


class Builds:
    """Makes builds of project `p`, branch `main`; build n starts n hours after noon."""

    noon_at = NOON_AT
    hour_ms = HOUR_MS

    def id(self, n: int, config: str = "default") -> str:
        """The id of build n of a config: always the same, sorted by n."""
        return new_build_id(NOON_AT + n * HOUR_MS, config.encode().ljust(10, b"\0"))

    def sha(self, n: int) -> str:
        """The sha of commit n."""
        return f"{n:040x}"

    def commit(self, n: int, **fields: Any) -> Commit:
        """Commit n, whose parent is commit n - 1."""
        facts = {"parents": [self.sha(n - 1)], "author": f"author {n}", "committed_at": NOON_AT + n * HOUR_MS}
        return Commit(sha=self.sha(n), **{**facts, **fields})

    def failure(self, signature: str | None, **fields: Any) -> FailureData:
        """A failure of this signature."""
        return FailureData(**{"category": "compile", "message": "m", "first_line": 3, "signature": signature, **fields})

    def start(self, n: int, config: str = "default", **fields: Any) -> BuildStart:
        """BUILD_START of build n, of commit n."""
        data = BuildStartData(**{"branch": "main", "config": config, "commit": self.sha(n), **fields})
        return BuildStart(build_id=self.id(n, config), project="p", timestamp=NOON_AT + n * HOUR_MS, seq=1, data=data)

    def verdict(
        self, n: int, status: str = "succeeded", *signatures: str, config: str = "default", **fields: Any
    ) -> BuildVerdict:
        """BUILD_VERDICT of build n, of commit n, failed in these ways; an hour's half long."""
        started_at = NOON_AT + n * HOUR_MS
        failures = [self.failure(signature) for signature in signatures]
        facts: dict[str, Any] = {
            "status": status,
            "revision": 1,
            "branch": "main",
            "config": config,
            "commit": self.sha(n),
            "started_at": started_at,
            "ended_at": started_at + HOUR_MS // 2,
            "duration_ms": HOUR_MS // 2,
            "failures": failures,
            "first_failure": failures[0] if failures else None,
        }
        project = fields.pop("project", "p")
        return BuildVerdict(
            build_id=fields.pop("build_id", None) or self.id(n, config),
            project=project,
            timestamp=started_at + HOUR_MS // 2,
            data=BuildVerdictData(**{**facts, **fields}),
        )

    def point(
        self, n: int, status: str = "succeeded", *signatures: str, config: str = "default", **fields: Any
    ) -> Point:
        """Build n in brief."""
        started_at = NOON_AT + n * HOUR_MS
        facts: dict[str, Any] = {
            "id": self.id(n, config),
            "project": "p",
            "branch": "main",
            "config": config,
            "commit": self.sha(n),
            "status": status,
            "colour": colour_of(status, "ci", fields.get("fault")),  # type: ignore[arg-type]  # pydantic checks it next
            "started_at": started_at,
            "ended_at": started_at + HOUR_MS // 2,
            "duration_ms": HOUR_MS // 2,
            "signatures": signatures,
        }
        return Point(**{**facts, **fields})


@pytest.fixture
def builds() -> Builds:
    return Builds()


sqlite_store = sqlite_store_fixture(open_store)
store = store_fixture(open_store)
