"""What ninja leaves behind: `.ninja_log`, when each output was built."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BuiltOutput:
    """One output of ninja's log: built from `started_ms` to `ended_ms` of its run."""

    output: str
    started_ms: int
    ended_ms: int
    command_hash: str
    stamp_ns: int = 0
    """When its command began, by the file system's clock (ninja from 1.11 on); something earlier of `restat` rules."""

    @property
    def duration_ms(self) -> int:
        """How long its edge ran."""
        return self.ended_ms - self.started_ms


@dataclass(frozen=True, slots=True)
class BuiltStep:
    """One step of a run, with everything it made: ninja logs a line for each output."""

    outputs: tuple[str, ...]
    started_ms: int
    ended_ms: int

    @property
    def key(self) -> str:
        """What the step is known by in every run; ninja loses the outputs' order when it rewrites its log."""
        return min(self.outputs, key=_relative_first)

    @property
    def duration_ms(self) -> int:
        """How long it ran."""
        return self.ended_ms - self.started_ms


def read_ninja_log(text: str) -> list[BuiltOutput]:
    """The entries of a `.ninja_log` (versions 5 to 7), as they stand there: a later entry of an output replaces it.

    Raises:
        ValueError: the text is no ninja log.
    """
    if not text.startswith("# ninja log v"):
        msg = "not a ninja log: the first line does not say so"
        raise ValueError(msg)
    return read_entries(text.partition("\n")[2])


def read_entries(text: str) -> list[BuiltOutput]:
    """Entries without the log's first line, as ninja appends them."""
    entries = []
    for line in text.splitlines():
        fields = line.split("\t")
        # A line cut by a crash has fewer fields, and ninja itself drops it.
        if len(fields) == 5 and fields[0].isdigit() and fields[1].isdigit():
            stamp_ns = int(fields[2]) if fields[2].isdigit() else 0
            entries.append(BuiltOutput(fields[3], int(fields[0]), int(fields[1]), fields[4], stamp_ns))
    return entries


def steps_of(entries: Iterable[BuiltOutput]) -> list[BuiltStep]:
    """The steps behind these entries: outputs of one command at one time are one step's."""
    outputs: dict[tuple[int, int, str], list[str]] = {}
    for entry in entries:
        outputs.setdefault((entry.started_ms, entry.ended_ms, entry.command_hash), []).append(entry.output)
    return [BuiltStep(tuple(dict.fromkeys(made)), start, end) for (start, end, _), made in outputs.items()]


def last_whole_run(entries: Sequence[BuiltOutput]) -> list[BuiltStep]:
    """The steps of the newest run that built most of what the log knows; their times then belong together.

    A run ends where times fall back. ninja rewrites a log that has grown too long, and then its order is lost: where
    no run stands out, the newest entry of every output is taken as if all were of one run.
    """
    latest = {entry.output: entry for entry in entries}
    end = len(entries)
    while end > 0:
        begin = end - 1
        while begin > 0 and entries[begin - 1].ended_ms <= entries[begin].ended_ms:
            begin -= 1
        if 2 * (end - begin) > len(latest):
            return steps_of(entries[begin:end])
        end = begin
    return steps_of(latest.values())


def _relative_first(path: str) -> tuple[bool, str]:
    return path.startswith("/"), path
