"""The machine: which one this is, so that a copy of its disk does not report the builds it was copied with."""

import hashlib
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ELSEWHERE_SECONDS = 24 * 3600
"""A build that began on another machine is left to that one for so long; then it counts as abandoned."""


def machine_id(path: Path = Path("/etc/machine-id")) -> str | None:
    """A short name of this machine, its own and no other's; None where it has none (containers)."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    # Copies that were not set up to make an identity of their own at least have another name in the network.
    return hashlib.sha256(f"{text}\n{platform.node()}".encode()).hexdigest()[:16] if text else None


def is_elsewhere(facts: Mapping[str, Any], machine: str | None, now: float) -> bool:
    """Whether a build's directory came here with a copied disk, and the build may run on where it began."""
    began_on = facts.get("machine")
    is_foreign = began_on is not None and machine is not None and began_on != machine
    return is_foreign and now < facts["startedAt"] / 1000 + ELSEWHERE_SECONDS
