"""CODEOWNERS: whom a repository names for a file. Pure."""

import re
from functools import lru_cache

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where GitHub looks, the first that is there."""

OWNERS_MAX = 10


def owners_of(codeowners: str, path: str) -> list[str]:
    """The owners of a file, by the last line that matches it; none where that line names none, or no line matches.

    Args:
        codeowners: The text of CODEOWNERS.
        path: The file, from the repository's root.
    """
    found: list[str] = []
    for raw in codeowners.splitlines():
        line = re.split(r"(?<!\\)#", raw, maxsplit=1)[0]
        words = re.split(r"(?<!\\)\s+", line.strip())
        if words[0] and _pattern(words[0]).match(path):
            found = words[1:]
    return found[:OWNERS_MAX]


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    """A line's pattern, by the rules of .gitignore: a slash within binds it to the root; a folder has all below it."""
    text = glob.replace("\\ ", " ").replace("\\#", "#")
    is_rooted = "/" in text.rstrip("/")
    is_folder = text.endswith("/")
    text = text.strip("/")
    pieces = {"**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    body = "".join(pieces.get(part, re.escape(part)) for part in re.split(r"(\*\*/|/\*\*|\*\*|\*|\?)", text))
    # `docs/*` is of the files there alone; a name without a star at its end is of a folder's whole content too.
    below = "/.*" if is_folder else "$" if is_rooted and text.endswith("/*") else "(?:/.*)?$"
    return re.compile(f"{'' if is_rooted else '(?:.*/)?'}{body}{below}")
