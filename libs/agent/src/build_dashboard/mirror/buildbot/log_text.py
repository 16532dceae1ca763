"""The text of a master's log, without the worker's environment. Pure.

In a log of type `s` each line begins with the stream it came from: `o` output, `e` errors, `h` what Buildbot itself
says of the command. Among that is the worker's whole environment, with all of its secrets: it is left out.
"""

from dataclasses import dataclass

from build_dashboard.mirror.source import Stream

ENVIRONMENT = " environment:"
AFTER_ENVIRONMENT = " using PTY:"


@dataclass(slots=True)
class LogText:
    """Reads a log in pieces; `in_environment` is all that is known of what came before."""

    is_marked: bool
    """Whether lines begin with their stream (type `s`)."""

    in_environment: bool = False

    def lines(self, content: str) -> tuple[list[str], list[Stream], int]:
        """The lines of the next piece, their streams, and how many lines of the master's they come from."""
        if not content:
            return [], [], 0
        # At line feeds only: other separators are part of a line, and the master numbers by line feeds.
        raw = content.removesuffix("\n").split("\n")
        if not self.is_marked:
            return raw, [], len(raw)
        lines: list[str] = []
        streams: list[Stream] = []
        for line in raw:
            mark, text = line[:1], line[1:]
            if self._is_left_out(mark, text):
                continue
            lines.append(text)
            streams.append("err" if mark == "e" else "out")
        return lines, streams, len(raw)

    def _is_left_out(self, mark: str, text: str) -> bool:
        if mark != "h":
            self.in_environment = False
        elif text == ENVIRONMENT:
            self.in_environment = True
            return True
        elif text.startswith(AFTER_ENVIRONMENT):
            self.in_environment = False
        return self.in_environment
