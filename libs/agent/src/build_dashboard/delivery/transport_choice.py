"""By which transport to reach the gateway: its WebSocket, or posts where none passes. Pure, but for its memory."""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

from build_dashboard.whole_file import write_whole

FIRST_PROBE_SECONDS = 60.0
LAST_PROBE_SECONDS = 3600.0
ROUTES_KEPT = 16
MEMORY = ".posted-routes"


@dataclass(slots=True)
class TransportChoice:
    """Whether posts are tried first, and when the WebSocket is tried again beside them."""

    is_post_first: bool = False
    probe_seconds: float = FIRST_PROBE_SECONDS

    def socket_works(self) -> None:
        """Frames passed both ways."""
        self.is_post_first, self.probe_seconds = False, FIRST_PROBE_SECONDS

    def posts_work(self) -> None:
        """A post was answered where no WebSocket was."""
        self.is_post_first = True

    def posts_fail(self) -> None:
        """Whatever stands in the way now, it is not only in a WebSocket's."""
        self.is_post_first = False

    def probe_fails(self) -> None:
        """The WebSocket still does not pass: ask half as often."""
        self.probe_seconds = min(self.probe_seconds * 2, LAST_PROBE_SECONDS)


def is_posted(spool: Path, route: str) -> bool:
    """Whether an earlier process of this machine found that no WebSocket passes this way."""
    return route in _read(spool)


def remember(spool: Path, route: str, *, is_posted: bool) -> None:
    """Keep what was found, so that short builds need not find it out again; a disk that takes nothing forgets it."""
    routes = _read(spool)
    if (route in routes) == is_posted:
        return
    changed = [*(known for known in routes if known != route), *([route] if is_posted else [])]
    with contextlib.suppress(OSError):
        write_whole(spool / MEMORY, json.dumps(changed[-ROUTES_KEPT:]))


def _read(spool: Path) -> list[str]:
    try:
        routes = json.loads((spool / MEMORY).read_text())
        return [route for route in routes if isinstance(route, str)]
    except (OSError, ValueError, TypeError):
        return []
