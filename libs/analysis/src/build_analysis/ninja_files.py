"""What ninja leaves behind: `.ninja_log` (when each output was built) and `compile_commands.json` (how)."""

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BuiltOutput:
    """One output of ninja's log: built from `started_ms` to `ended_ms` of its run."""

    output: str
    started_ms: int
    ended_ms: int
    command_hash: str

    @property
    def duration_ms(self) -> int:
        """How long its edge ran."""
        return self.ended_ms - self.started_ms


@dataclass(frozen=True, slots=True)
class CompileCommand:
    """How one source is compiled."""

    file: str
    directory: str
    command: str
    output: str | None


def read_ninja_log(text: str) -> list[BuiltOutput]:
    """The latest entry of each output of a `.ninja_log` (versions 5 to 7), slowest first.

    Raises:
        ValueError: the text is no ninja log.
    """
    lines = text.splitlines()
    if not lines or not lines[0].startswith("# ninja log v"):
        msg = "not a ninja log: the first line does not say so"
        raise ValueError(msg)
    latest: dict[str, BuiltOutput] = {}
    for line in lines[1:]:
        fields = line.split("\t")
        # ninja appends; a line cut by a crash has fewer fields, and ninja itself drops it.
        if len(fields) == 5 and fields[0].isdigit() and fields[1].isdigit():
            latest[fields[3]] = BuiltOutput(fields[3], int(fields[0]), int(fields[1]), fields[4])
    return sorted(latest.values(), key=lambda built: built.duration_ms, reverse=True)


def read_compile_commands(text: str) -> list[CompileCommand]:
    """The entries of a `compile_commands.json`.

    Raises:
        ValueError: not JSON, or not a list of objects with a file and a directory.
    """
    entries = json.loads(text)
    if not isinstance(entries, list):
        msg = "compile_commands.json is a list"
        raise ValueError(msg)
    return [_command(entry) for entry in entries]


def _command(entry: object) -> CompileCommand:
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
        msg = f"an entry without a file: {str(entry)[:200]}"
        raise ValueError(msg)
    command = entry.get("command") or " ".join(entry.get("arguments", []))
    return CompileCommand(entry["file"], str(entry.get("directory", "")), command, entry.get("output"))
