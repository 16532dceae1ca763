"""The redactor of one build: bytes of its streams, facts and command lines in, the same without secrets out.

Most lines have nothing in them: one search over all bytes says which are worth a second look, and only those are read
by the rules. What a terminal does not show (colours in the middle of a word) does not hide a secret.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import astuple, dataclass, field
from functools import cache
from typing import Any

from build_dashboard.redaction import key_block
from build_dashboard.redaction.argv import option_secrets
from build_dashboard.redaction.key_block import KeyBlock
from build_dashboard.redaction.literals import LineSearch, Span, shortest
from build_dashboard.redaction.names import is_secret_name
from build_dashboard.redaction.shapes import EXPRESSIONS, LEAST_CHARACTERS, Shape, alone_spans, encoded_spans, shapes
from build_dashboard.redaction.values import environment_secrets, forms

MASK = b"[REDACTED]"
MASK_TEXT = MASK.decode()

SEARCHED_BYTES = 12
"""Of a known value, what all bytes are searched for; the rules read the rest."""

HOLD_BYTES = 8 * 1024
"""So much of an unfinished line may wait for what follows."""

CONTEXT_BYTES = 256
"""Of a line that was shown in pieces, what the rules see before the next piece."""

CUT_CHARACTERS = 500
"""A fact this long may have been cut to its length."""

_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]?[0-~])|[^\n]\x08")
_UNFINISHED_ESCAPE = re.compile(rb"\x1b[^A-Za-z\x07]{0,200}$")
_RUN = re.compile(rb"[A-Za-z0-9_+/=.%~-]*")
_LAST_WORD = re.compile(rb"[^\s\"']*$")


@dataclass(slots=True)
class _Stream:
    """What was seen of one stream that matters to what follows."""

    key: KeyBlock = field(default_factory=KeyBlock)
    before: bytes = b""  # the end of what was shown of the unfinished line
    is_open: bool = False  # it ended within a secret


@cache
def _shapes() -> list[Shape]:
    return shapes()


@cache
def _literals() -> list[bytes]:
    """Of which one stands in every line that a shape matches in."""
    return shortest({*key_block.LITERALS, *(literal for shape in _shapes() for literal in shape.literals)})


@cache
def _shape_search() -> LineSearch:
    """Lines in which a shape may be."""
    return LineSearch(_literals(), EXPRESSIONS)


class Redactor:
    """Replaces secrets by `[REDACTED]`, and counts them.

    Args:
        secrets: Values known to be secrets; those shorter than `shapes.LEAST_CHARACTERS` are left alone.
        patterns: Regular expressions of more, searched within lines.
    """

    def __init__(self, secrets: Iterable[str] = (), patterns: Iterable[str] = ()) -> None:
        self.count = 0
        """How many secrets were replaced."""

        self._secrets = dict.fromkeys(secrets)
        self._patterns = [re.compile(pattern.encode()) for pattern in patterns]
        self._streams: dict[str, _Stream] = {}
        self._learn()

    @classmethod
    def of(
        cls, environment: Mapping[str, str], secrets: Iterable[str] = (), patterns: Iterable[str] = ()
    ) -> "Redactor":
        """One that knows the secrets of this environment, and these."""
        return cls([*secrets, *environment_secrets(environment, shape_spans)], patterns)

    def sibling(self) -> "Redactor":
        """One for another build, which knows the same secrets and shares what finds them."""
        self._line_search()
        other = copy(self)
        other.count, other._streams = 0, {}  # noqa: SLF001  (of its own class)
        return other

    def add(self, secrets: Iterable[str]) -> None:
        """Mask these from now on as well."""
        known = len(self._secrets)
        self._secrets |= dict.fromkeys(secrets)
        if len(self._secrets) > known:
            self._learn()

    @property
    def secrets(self) -> list[str]:
        """The values that are known."""
        return list(self._secrets)

    @property
    def patterns(self) -> list[str]:
        """The regular expressions that were given."""
        return [pattern.pattern.decode() for pattern in self._patterns]

    # --- output ---

    def redact(self, data: bytes, stream: str = "", *, continues: bool = False) -> bytes:
        """The bytes without secrets.

        Args:
            data: Whole lines, and what there is of the last one.
            stream: Whose they are: a private key may have begun in earlier lines of it.
            continues: Its first line goes on where `pass_on` stopped.
        """
        state = self._streams.get(stream)
        if not continues:
            if state is None:
                state = self._streams[stream] = _Stream()
            state.before, state.is_open = b"", False
            return self._lines(data, state)
        state = state or self._streams.setdefault(stream, _Stream())
        first, feed, others = data.partition(b"\n")
        first = self._continued(first, state)
        return first + feed + self._lines(others, state) if feed else first

    def pass_on(self, data: bytes, stream: str = "", *, continues: bool = False) -> tuple[bytes, bytes]:
        """What may be shown of an unfinished line, without secrets; and the bytes that must wait for what follows."""
        state = self._streams.setdefault(stream, _Stream())
        if not continues:
            state.before, state.is_open = b"", False
        ready = len(data) - self._held(state.before + data, len(data), state)
        return self._continued(data[:ready], state), data[ready:]

    def state(self) -> dict[str, Any]:
        """Everything needed to go on after a restart, but for the values."""
        streams = {
            name: [*astuple(state.key), state.before.decode("latin-1"), state.is_open]
            for name, state in self._streams.items()
            if state != _Stream()
        }
        return {"count": self.count, "streams": streams}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state()`."""
        self.count = state["count"]
        self._streams = {
            name: _Stream(KeyBlock(left, others), before.encode("latin-1"), is_open)
            for name, (left, others, before, is_open) in state["streams"].items()
        }

    # --- facts ---

    def text(self, text: str) -> str:
        """A text without secrets; one that was cut does not end in the beginning of a known one either."""
        data = text.encode("utf-8", "surrogateescape")
        redacted = self._lines(data, _Stream())
        if len(text) >= CUT_CHARACTERS and (size := self._begun(redacted)) >= LEAST_CHARACTERS:
            redacted = redacted[:-size] + MASK
            self.count += 1
        return text if redacted == data else redacted.decode("utf-8", "surrogateescape")

    def clean(self, fact: Any) -> Any:
        """A fact, as deep as it goes, without secrets."""
        if isinstance(fact, str):
            return self.text(fact)
        if isinstance(fact, Mapping):
            return {self.text(key): self.clean(item) for key, item in fact.items()}
        if isinstance(fact, list | tuple):
            return [self.clean(item) for item in fact]
        return fact

    def may_hold_secret(self, encoded: bytes) -> bool:
        """Whether to `clean` the facts of this JSON text: next to no facts need it."""
        return bool(self._patterns) or b"\\u001b" in encoded or any(self._searched(encoded))

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Variables without secrets; what stands under the name of a secret is one."""
        clean = {name: MASK_TEXT if is_secret_name(name) else self._short(value) for name, value in variables.items()}
        self.count += sum(is_secret_name(name) for name in variables)
        return clean

    def command(self, arguments: Sequence[str]) -> list[str]:
        """A command line without secrets; what its options say by their names is known from now on."""
        self.add(option_secrets(arguments))
        return [self._short(argument) for argument in arguments]

    # --- how ---

    def _short(self, text: str) -> str:
        """A text without secrets, read by every rule at once: nothing need be loaded and compiled for that."""
        state, lines = _Stream(), []
        for line in text.encode("utf-8", "surrogateescape").split(b"\n"):
            spans = self._spans(line, state)
            self.count += len(spans)
            lines.append(_masked(line, spans))
        return b"\n".join(lines).decode("utf-8", "surrogateescape")

    def _learn(self) -> None:
        self._forms = forms(self._secrets)
        self._search: LineSearch | None = None

    def _line_search(self) -> LineSearch:
        if not self._forms:
            return _shape_search()
        if self._search is None:
            beginnings = (form[:SEARCHED_BYTES] for form in self._forms)
            self._search = LineSearch((*beginnings, *_literals()), EXPRESSIONS)
        return self._search

    def _lines(self, data: bytes, state: _Stream) -> bytes:
        """Whole lines."""
        parts: list[bytes] = []
        reached = 0
        for start, end in self._interesting(data, state):
            line = data[start:end]
            if spans := self._spans(line, state):
                parts += (data[reached:start], _masked(line, spans))
                self.count += len(spans)
                reached = end
        return b"".join((*parts, data[reached:])) if parts else data

    def _interesting(self, data: bytes, state: _Stream) -> Iterable[Span]:
        if self._patterns:
            yield from _all_lines(data, 0)
            return
        reached = 0
        if state.key.left:
            for start, end in _all_lines(data, 0):
                yield start, end
                reached = end + 1
                if not state.key.left:
                    break
        while reached < len(data):
            for start, end in self._searched(data[reached:]):
                at = reached + start
                yield at, reached + end
                if state.key.left:
                    break
            else:
                return
            reached += end + 1
            for start, end in _all_lines(data, reached):
                yield start, end
                reached = end + 1
                if not state.key.left:
                    break

    def _searched(self, data: bytes) -> Iterable[Span]:
        """The lines with something in them."""
        data = data if data.endswith(b"\n") else data + b"\n"
        found = self._line_search().lines(data)
        if b"\x1b" not in data and b"\x08" not in data:
            return found
        return sorted({*found, *self._searched_as_shown(data)})

    def _searched_as_shown(self, data: bytes) -> Iterable[Span]:
        """The lines with something in them as a terminal shows them: a colour may change in the middle of a word."""
        shown = _ESCAPE.sub(b"", data)
        hits = list(self._line_search().lines(shown))
        if hits and shown.count(b"\n") != data.count(b"\n"):
            yield from _all_lines(data, 0)  # a sequence took line feeds with it
            return
        start = at = 0
        for hit, _ in hits:
            for _ in range(shown.count(b"\n", at, hit)):
                start = data.find(b"\n", start) + 1
            at = hit
            yield start, data.find(b"\n", start)

    def _continued(self, data: bytes, state: _Stream) -> bytes:
        """The next piece of an unfinished line."""
        length = len(state.before)
        line = state.before + data
        spans = self._spans(line, state)
        if state.is_open and (run := _RUN.match(data)) and run[0]:
            spans = _merged([*spans, (length, length + run.end())])
        mine = [(max(start - length, 0), end - length) for start, end in spans if end > length]
        self.count += sum(start >= length for start, _ in spans)
        state.is_open = bool(spans) and spans[-1][1] == len(line)
        state.before = line[-CONTEXT_BYTES:]
        return _masked(data, mine)

    def _held(self, line: bytes, most: int, state: _Stream) -> int:
        """How many bytes at the end may belong to a secret that is not whole yet."""
        escape = _UNFINISHED_ESCAPE.search(line)
        cut = escape.start() if escape else len(line)
        if state.key.left:
            return min(len(line) - cut, most)
        plain, places = _plain(line[:cut])
        held = self._begun(plain)
        word = _LAST_WORD.search(plain)
        start = word.start() if word else len(plain)
        window = plain[max(0, start - 48) :]
        if start < len(plain) and any(literal in window for literal in _literals()):
            held = max(held, len(plain) - start)
        at = places[len(plain) - held] if held else cut
        waits = len(line) - at
        return min(waits, most) if waits <= HOLD_BYTES else 0

    def _begun(self, data: bytes) -> int:
        """How many bytes at the end are the beginning of a known value, and not all of it."""
        longest = 0
        for form in self._forms:
            for size in range(min(len(form) - 1, len(data)), longest, -1):
                if data.endswith(form[:size]):
                    longest = size
                    break
        return longest

    def _spans(self, line: bytes, state: _Stream) -> list[Span]:
        found = self._plain_spans(line)
        if b"\x1b" in line or b"\x08" in line:
            plain, places = _plain(line)
            shown = self._plain_spans(plain)
            # The key's block is read as it is shown.
            shown += state.key.spans(plain)
            found += [(places[start], places[end - 1] + 1) for start, end in shown if end > start]
        else:
            found += state.key.spans(line)
        return _merged(found)

    def _plain_spans(self, line: bytes) -> list[Span]:
        found: list[Span] = []
        for form, is_word in self._forms.items():
            at = line.find(form)
            while at >= 0:
                end = at + len(form)
                if not is_word or not (line[at - 1 : at].isalnum() or line[end : end + 1].isalnum()):
                    found.append((at, end))
                at = line.find(form, end)
        for pattern in self._patterns:
            found += [match.span() for match in pattern.finditer(line) if match[0]]
        found += shape_spans(line)
        return found


def shape_spans(line: bytes) -> list[Span]:
    """Where this line has secrets by their looks alone."""
    found = _own_spans(line)
    found += alone_spans(line)
    found += encoded_spans(line, _own_or_key_spans)
    return found


def _own_spans(line: bytes) -> list[Span]:
    return [span for shape in _shapes() for span in shape.spans(line) if line[slice(*span)] != MASK]


def _own_or_key_spans(line: bytes) -> list[Span]:
    return _own_spans(line) + KeyBlock().spans(line)


def _all_lines(data: bytes, start: int) -> Iterable[Span]:
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        yield start, end
        start = end + 1


def _plain(line: bytes) -> tuple[bytes, Sequence[int]]:
    """The line as a terminal shows it, and where each of its bytes stands in the line (and where it ends)."""
    if b"\x1b" not in line and b"\x08" not in line:
        return line, range(len(line) + 1)
    parts: list[bytes] = []
    places: list[int] = []
    at = 0
    for match in _ESCAPE.finditer(line):
        parts.append(line[at : match.start()])
        places += range(at, match.start())
        at = match.end()
    parts.append(line[at:])
    places += range(at, len(line) + 1)
    return b"".join(parts), places


def _merged(spans: Iterable[Span]) -> list[Span]:
    """In order, what overlaps or touches as one."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def _masked(line: bytes, spans: Iterable[Span]) -> bytes:
    parts: list[bytes] = []
    reached = 0
    for start, end in spans:
        # A colour that was set within goes on behind it.
        escapes = _ESCAPE.findall(line[start:end]) if b"\x1b" in line[start:end] else ()
        parts += (line[reached:start], MASK, *(escape for escape in escapes if escape[:1] == b"\x1b"))
        reached = end
    return b"".join((*parts, line[reached:]))
