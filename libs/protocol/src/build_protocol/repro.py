"""Reproduction: what to type to see a failure again. The page has a twin of it, `shared/source/command-line.ts`."""

import shlex
from collections.abc import Sequence


def repro_lines(
    *,
    commit: str | None,
    has_submodules: bool,
    cwd: str | None,
    command: Sequence[str],
    failed_command: str | None,
) -> list[str]:
    """The commands in their order; each goes on where the one before it succeeded.

    Args:
        commit: The commit that was built, where it is known.
        has_submodules: Whether the tree has submodules, which a checkout alone leaves as they were.
        cwd: The directory the build ran in.
        command: The whole build's command, by its arguments.
        failed_command: The one command that failed, as the log shows it; else the whole build is repeated.
    """
    again = failed_command or shlex.join(command)
    lines = [
        f"git checkout {commit}" if commit else "",
        "git submodule update --init --recursive" if has_submodules else "",
        f"cd {shlex.quote(cwd)}" if cwd else "",
        again,
    ]
    return [line for line in lines if line] if again else []
