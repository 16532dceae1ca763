"""Saved tokens: what `login` leaves for the other commands, by the dashboard's address, for its owner's eyes alone."""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from build_dashboard.whole_file import write_whole


class SavedTokensUnusable(RuntimeError):
    """The file is there and must not, or cannot, be used; reads as a sentence."""


class SavedTokens:
    """The tokens in `build-dashboard/tokens.json` of the user's configuration directory."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        home = environment.get("HOME") or str(Path.home())
        folder = Path(environment.get("XDG_CONFIG_HOME") or Path(home) / ".config")
        self.path = folder / "build-dashboard" / "tokens.json"

    def find(self, url: str) -> str | None:
        """The token for this dashboard. Raises SavedTokensUnusable."""
        token = self._read()["tokens"].get(url)
        return token if isinstance(token, str) else None

    @property
    def newest_url(self) -> str | None:
        """The dashboard that was logged in to last. Raises SavedTokensUnusable."""
        newest = self._read()["newest"]
        return newest if isinstance(newest, str) else None

    def save(self, url: str, token: str) -> None:
        """Keep a token in place of the one for this dashboard. Raises SavedTokensUnusable, OSError."""
        read = self._read()
        self._write({**read["tokens"], url: token}, url)

    def drop(self, url: str) -> None:
        """Forget the token for this dashboard. Raises SavedTokensUnusable, OSError."""
        read = self._read()
        left = {known: token for known, token in read["tokens"].items() if known != url}
        self._write(left, read["newest"] if read["newest"] in left else next(reversed(left), None))

    def _write(self, tokens: Mapping[str, str], newest: str | None) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(self.path, json.dumps({"newest": newest, "tokens": tokens}, indent=2))

    def _read(self) -> dict[str, Any]:
        try:
            with self.path.open(encoding="utf-8") as file:
                mode = os.fstat(file.fileno()).st_mode
                if stat.S_IMODE(mode) & 0o077:
                    raise SavedTokensUnusable(f"{self.path} can be read by others: chmod 600 it, or log in again")
                read = json.load(file)
        except FileNotFoundError:
            return {"newest": None, "tokens": {}}
        except (OSError, ValueError) as error:
            raise SavedTokensUnusable(f"{self.path} cannot be read ({error}): remove it and log in again") from error
        tokens = read.get("tokens") if isinstance(read, dict) else None
        if not isinstance(tokens, dict):
            raise SavedTokensUnusable(f"{self.path} holds no tokens: remove it and log in again")
        return {"newest": read.get("newest"), "tokens": tokens}
