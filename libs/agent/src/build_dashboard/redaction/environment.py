"""The environment of a build: which secrets it has."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from build_dashboard.redaction.redactor import Redactor


def declared_secrets(declared: Sequence[str], environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """The values that `--secret` means: a variable's, those of a file (`@path`), or the text itself.

    Raises:
        OSError: the file cannot be read.
    """
    for text in (*declared, *environment.get("BUILD_DASHBOARD_SECRETS", "").split()):
        if text in environment:
            values = [environment[text]]
        elif text.startswith("@"):
            values = [Path(text[1:]).read_text(errors="surrogateescape")]
        else:
            values = [text]
        for value in values:
            yield value
            yield from value.splitlines()


def redactor_of(
    environment: Mapping[str, str], declared: Sequence[str] = (), patterns: Sequence[str] = (), *, api_key: str = ""
) -> Redactor:
    """The redactor of a build with this environment.

    Raises:
        OSError: a file of `declared` cannot be read.
    """
    return Redactor.of(environment, [api_key, *declared_secrets(declared, environment)], patterns)
