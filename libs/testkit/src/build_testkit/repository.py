"""A git repository for scenarios: real commits, of a named author whatever the machine's own settings say."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Repository:
    """A working tree of git on branch `main`."""

    path: Path
    author: str = "Loom Developer"

    def create(self) -> Self:
        """Make the folder, where there is none, a repository without commits."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch", "main")
        return self

    def git(self, *arguments: str) -> str:
        """What git prints; raises CalledProcessError when it fails."""
        identity = ("-c", f"user.name={self.author}", "-c", "user.email=dev@example.com")
        command = ["git", "-C", str(self.path), *identity, *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def commit(self, subject: str) -> str:
        """Commit everything as it is, be it nothing; the sha."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", subject)
        return self.git("rev-parse", "HEAD")
