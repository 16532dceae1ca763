"""CONTRIBUTING's table of where a change goes: the files that it names are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("libs", "services", "docs")


def test_every_file_that_a_task_touches_exists() -> None:
    """A file that was moved takes its place in the table along."""
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("**Where a change goes**")[2]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", table, re.M)[1:]
    missing = [
        (task, name)
        for task, files in rows
        for name in re.findall(r"`([\w./]*\w\.(?:py|md|toml))`", files)
        if not (ROOT / name).is_file() and not _found(name.rpartition("...")[2].strip("/"))
    ]

    assert rows
    assert missing == []


def _found(ending: str) -> bool:
    """Whether some source or document ends so."""
    return any(next((ROOT / folder).glob(f"**/{ending}"), None) for folder in FOLDERS)
