"""What `make release` decides: whether there is something to release, and what goes beside the files it made.

uv run python -m tools.release check     before anything is built
uv run python -m tools.release finish    dist/RELEASE_NOTES.md and dist/SHA256SUMS, of what was built
"""

import argparse
import hashlib
import re
import subprocess
from pathlib import Path

from build_dashboard import __version__

ROOT = Path(__file__).parents[1]
SUMS = "SHA256SUMS"


class NotReleasable(Exception):
    """What stands in the way, and what to do."""


def section(changelog: str, version: str) -> str:
    """What the changelog has of a version, without its heading.

    Raises:
        NotReleasable: it has nothing of it.
    """
    found = re.search(
        rf"^## \[?{re.escape(version)}(?![\d.])[^\n]*\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    text = found[1].strip() if found else ""
    if not text:
        raise NotReleasable(f"CHANGELOG.md: no lines below `## {version}`; write there what changed for its readers")
    return text


def check_tree(status: str) -> None:
    """Raise NotReleasable unless `git status --porcelain` printed nothing: what is built is to be found in a commit."""
    if status.strip():
        raise NotReleasable(f"uncommitted changes; commit them or put them away:\n{status.rstrip()}")


def sums(folder: Path) -> str:
    """A line for each file below the folder, as `sha256sum --check` reads it; itself left out."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n" for path in files
    )


def main() -> None:
    """Do one of the two steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("check", "finish"))
    step = parser.parse_args().step
    try:
        notes = section((ROOT / "CHANGELOG.md").read_text(), __version__)
        if step == "check":
            check_tree(
                subprocess.run(
                    ["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True
                ).stdout
            )
            return
    except NotReleasable as error:
        raise SystemExit(f"release {__version__}: {error}") from None
    dist = ROOT / "dist"
    (dist / "RELEASE_NOTES.md").write_text(f"{notes}\n")
    (dist / SUMS).write_text(sums(dist))
    print(f"dist: {len((dist / SUMS).read_text().splitlines())} files of {__version__}; tag the commit {__version__}")


if __name__ == "__main__":
    main()
