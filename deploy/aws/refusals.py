"""What deploy.sh refuses before anything is changed. Pure."""

import re
from collections.abc import Iterable, Mapping

PLACEHOLDERS = re.compile(
    r"example\.(org|com|net)|111122223333|0{8}-0000|^<.*>$|^$|\b(changeme|your_\w+)\b", re.IGNORECASE
)
"""What stands in the files of variables, and in secrets, until somebody puts in their own."""

_SETTING = re.compile(r"^\s*(\w+)\s*=\s*(.*?)\s*(?:#.*)?$")
_TEXT = re.compile(r'"([^"]*)"')


class Refused(Exception):
    """It is not deployed, and nothing was changed: what to do first."""


def refuse_dirty(status: str) -> None:
    """Refuse what is in no commit: nobody could say later what runs. `status` is git's, porcelain. Raises Refused."""
    changed = [line[3:] for line in status.splitlines() if line.strip()]
    if changed:
        raise Refused(f"commit or stash first, the image is named by its commit: {_some(changed)}")


def refuse_placeholders(variables: str) -> None:
    """Refuse a file of variables that still has what it came with. Raises Refused."""
    settings = (_SETTING.match(line) for line in variables.splitlines())
    left = [each[1] for each in settings if each and any(is_placeholder(text) for text in _TEXT.findall(each[2]))]
    if left:
        raise Refused(f"put your own values in place of the examples: {_some(left)}")


def refuse_secrets(secrets: Mapping[str, str | None]) -> None:
    """Refuse secrets, by name, that nobody has put a value into yet. Raises Refused."""
    left = sorted(name for name, value in secrets.items() if value is None or is_placeholder(value))
    if left:
        raise Refused(f"put the values of these secrets into Secrets Manager first: {_some(left)}")


def is_placeholder(text: str) -> bool:
    """Whether this stands for a value rather than being one."""
    return PLACEHOLDERS.search(text.strip()) is not None


def _some(names: Iterable[str]) -> str:
    first = list(names)
    return ", ".join(first[:8]) + (f" and {len(first) - 8} more" if len(first) > 8 else "")
