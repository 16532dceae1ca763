"""Files put in place so that nothing a person changed is lost: a changed one stays, the new text lies beside it."""

import hashlib
from pathlib import Path
from typing import Literal

from build_chassis.private_files import private_directory
from build_dashboard.whole_file import write_whole

Placed = Literal["written", "unchanged", "kept"]


def place(path: Path, text: str, ours: str | None) -> Placed:
    """Put a text in place; repeating changes nothing.

    Args:
        path: Where; its folders are made, for their owner only.
        text: What.
        ours: `digest` of what was put there last; None where nothing was.

    Returns:
        `written`; `unchanged`: it is there already; `kept`: somebody changed it, and the new text is in `NAME.new`.
    """
    fresh = path.with_name(f"{path.name}.new")
    there = path.read_text(encoding="utf-8") if path.exists() else None
    if there == text:
        fresh.unlink(missing_ok=True)
        return "unchanged"
    private_directory(path.parent)
    if there is not None and digest(there) != ours:
        write_whole(fresh, text)
        return "kept"
    write_whole(path, text)
    fresh.unlink(missing_ok=True)
    return "written"


def digest(text: str) -> str:
    """By which a text is recognised."""
    return hashlib.sha256(text.encode()).hexdigest()
