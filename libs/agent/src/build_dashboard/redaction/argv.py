"""Command lines: which of their arguments are secrets by the name of the option before them."""

import re
from collections.abc import Iterator, Sequence

from build_dashboard.redaction.names import is_secret_name
from build_dashboard.redaction.shapes import LEAST_CHARACTERS

_OPTION = re.compile(r"--?([A-Za-z][\w.-]*)")
_NAMED = re.compile(r"(?:--?D?)?([A-Za-z_][\w.-]*)(?::\w+)?=(.+)", re.DOTALL)
_LOGINS = {"curl": ("-u", "--user"), "wget": (), "sshpass": ("-p",), "mysql": (), "mysqldump": (), "docker": ("-p",)}
_JOINED = {"sshpass": "-p", "mysql": "-p", "mysqldump": "-p", "mariadb": "-p"}


def option_secrets(arguments: Sequence[str]) -> Iterator[str]:
    """The values given to options and variables that are named as secrets: `--token X`, `-DAPI_KEY=X`, `PASS=X`."""
    tool = ""
    for position, argument in enumerate(arguments):
        before = arguments[position - 1] if position else ""
        tool = next((name for name in {**_LOGINS, **_JOINED} if argument.rpartition("/")[2] == name), tool)
        value = _value(argument, before, tool)
        if len(value) >= LEAST_CHARACTERS and not value.startswith(("$", "/", "./", "@/", "@./", "-")):
            yield value


def _value(argument: str, before: str, tool: str) -> str:
    if (named := _NAMED.fullmatch(argument)) is not None:
        return named[2] if is_secret_name(named[1]) else ""
    if before in _LOGINS.get(tool, ()):
        return argument.partition(":")[2] or (argument if tool != "curl" else "")
    joined = _JOINED.get(tool)
    if joined is not None and argument.startswith(joined) and len(argument) > len(joined):
        return argument[len(joined) :]
    option = _OPTION.fullmatch(before)
    return argument if option is not None and "=" not in before and is_secret_name(option[1]) else ""
