"""How long a provider asks us to wait, from its headers."""

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime


def retry_after_seconds(
    headers: Mapping[str, str], reset_header: str, wall_clock: Callable[[], float] = time.time
) -> float | None:
    """`Retry-After` (seconds or a date), else the epoch second in `reset_header`; None where neither can be read."""
    wanted = headers.get("Retry-After", "").strip()
    if wanted.isdigit():
        return float(wanted)
    if wanted:
        try:
            return max(0.0, parsedate_to_datetime(wanted).timestamp() - wall_clock())
        except ValueError:
            return None
    reset = headers.get(reset_header, "").strip()
    return max(0.0, int(reset) - wall_clock()) if reset.isdigit() else None
