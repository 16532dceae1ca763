"""Secrets as files: each setting `NAME` may instead be read from the file that `NAME_FILE` names.

As orchestrators mount them (Docker's and Kubernetes' secrets): no value stands in an environment that `docker inspect`,
a crash report or a child process shows. White space around the content is taken away.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

SUFFIX = "_FILE"
FILE_BYTES = 64 * 1024
"""A secret is no longer than this; a larger file is another one."""


class SecretFileFault(Exception):
    """A `NAME_FILE` that cannot be followed; reads as a sentence, without the secret."""


class SecretFiles(PydanticBaseSettingsSource):
    """The settings whose `NAME_FILE` is set, in the environment or in `.env`."""

    def __init__(self, settings: type[BaseSettings], dotenv: Mapping[str, str | None] | None = None) -> None:
        super().__init__(settings)
        present = {name: value for name, value in (dotenv or {}).items() if value}
        self._variables = present | {name: value for name, value in os.environ.items() if value}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The content of a field's file, if there is one."""
        variable = str(field.validation_alias or f"{self.config.get('env_prefix', '')}{field_name}".upper())
        return self._read(variable), str(field.validation_alias or field_name), False

    def __call__(self) -> dict[str, Any]:
        """All there are.

        Raises:
            SecretFileFault: a file cannot be read, or the setting is there twice.
        """
        found = (self.get_field_value(field, name) for name, field in self.settings_cls.model_fields.items())
        return {name: value for value, name, _ in found if value is not None}

    def _read(self, variable: str) -> str | None:
        path = self._variables.get(variable + SUFFIX)
        if not path:
            return None
        if os.environ.get(variable):
            raise SecretFileFault(f"{variable} and {variable}{SUFFIX} are both set: keep one of them")
        try:
            with Path(path).open("rb") as file:
                data = file.read(FILE_BYTES + 1)
            if len(data) > FILE_BYTES:
                raise SecretFileFault(
                    f"{variable}{SUFFIX}: {path} is larger than {FILE_BYTES} bytes: name the secret's file"
                )
            return data.decode().strip()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise SecretFileFault(
                f"{variable}{SUFFIX}: {path} cannot be read ({why}): mount it for this user"
            ) from None
